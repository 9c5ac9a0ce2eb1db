"""What is late, in sentences: `12 confirmations late in Leipzig, oldest 14 min`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from lineshaft.console.figures import count_text
from lineshaft.console.moments import seconds_between
from lineshaft.console.shell import Shell
from lineshaft.contracts.operations.nouns import NOUNS
from lineshaft.core.standing import Late

__all__ = ["Sentence", "domain_title", "plain", "sentences", "short_key"]

_FRACTION = re.compile(r"(\d\d:\d\d:\d\d)\.\d+Z")
_DOMAIN_TITLES = {
    "inventory": "Stock",
    "procurement": "Purchasing",
    "customer": "Customers",
    "masterdata": "Master data",
}


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """says: up to the age; since, age: of the oldest, empty: none; href: the list of just these."""

    key: str
    says: str
    since: str
    age: str
    level: str
    href: str


def sentences(
    late: Sequence[Late], titles: Callable[[str], str], now: datetime, *, with_plant: bool, most: int
) -> list[Sentence]:
    """Calls and processes before events that are over; the most first. titles: of plants; most: so many"""
    order = sorted(late, key=lambda each: (each.kind == "event", -each.count, each.oldest, each.subject))
    return [_sentence(each, titles, now, with_plant=with_plant) for each in order[:most]]


def domain_title(domain: str) -> str:
    return _DOMAIN_TITLES.get(domain, domain.capitalize())


def plain(kind: str, subject: str) -> str:
    """`confirmation` of `orders.post_confirmation`, `threshold exceeded` of an event type, `accept count`."""
    if kind == "call":
        return NOUNS.get(subject, f"{subject.replace('.', ' ').replace('_', ' ')} call")
    words = subject.split(".")
    name = " ".join(words[1:-1]) if kind == "event" and len(words) > 2 else subject
    return name.replace("_", " ")


def short_key(key: str) -> str:
    """With its times cut to seconds: the whole one is needed only for asking."""
    return _FRACTION.sub(r"\1Z", key)


def _sentence(late: Late, titles: Callable[[str], str], now: datetime, *, with_plant: bool) -> Sentence:
    noun, where = plain(late.kind, late.subject), f" in {titles(late.plant)}" if with_plant else ""
    plural = "" if late.count == 1 else "s"
    many = count_text(late.count)
    if late.kind == "call":
        says = f"{many} {noun}{plural} late{where}"
    elif late.kind == "process":
        says = f"{many} {noun} process{plural and 'es'} stuck{where}"
    else:
        says = f"{many} {noun} event{plural} recorded late{where} in the last hour"
    query = {"plant": late.plant}
    if late.kind == "process":
        href = Shell.address("processes", {"late": "yes", "type": late.subject, **query})
    else:
        href = Shell.address("late", {late.kind: late.subject, **query})
    return Sentence(
        key=f"late-{late.kind}-{late.subject}-{late.plant}",
        says=says,
        since=late.oldest,
        age=_rough(seconds_between(late.oldest, now) or 0.0) if late.oldest else "",
        level=_rough(late.level_s),
        href=href,
    )


def _rough(seconds: float) -> str:
    """`30 s`, `14 min`, `3 h 20 min`, `2 d 5 h`: what is zero is left out."""
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    whole = max(0, int(seconds))
    first = next((number for number, (_, size) in enumerate(units) if whole >= size), len(units) - 1)
    said: list[str] = []
    for name, size in units[first : first + (2 if first < 2 else 1)]:
        count, whole = divmod(whole, size)
        if count or not said:
            said.append(f"{count} {name}")
    return " ".join(said)
