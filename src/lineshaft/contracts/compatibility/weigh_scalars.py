"""Is there a number, a text, that all of these facts leave? None: proved that there is none."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import islice
from math import ceil, floor, lcm
from typing import Any

from lineshaft.contracts.compatibility.document import string_is_valid
from lineshaft.contracts.compatibility.facts import Bound, Fact, Format, Multiple, Pattern, Size
from lineshaft.contracts.compatibility.outcome import Weighed
from lineshaft.contracts.compatibility.regular import TooLarge, UnknownExpression, find_text, literal
from lineshaft.contracts.compatibility.values import number

__all__ = ["weigh_number", "weigh_text"]

_MOST_TRIED = 1000
_PARTS = [Fraction(*part) for part in ((1, 2), (1, 4), (3, 4), (1, 3), (7, 11), (13, 17), (0, 1), (1, 1))]
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
_DIGIT = "[0-9A-Fa-f]"
# each takes at least what the format takes
_SHAPES = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}[Tt]{_TIME}$",
    "uuid": f"^{_DIGIT}{{8}}-{_DIGIT}{{4}}-{_DIGIT}{{4}}-{_DIGIT}{{4}}-{_DIGIT}{{12}}$",
    "ipv4": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$",
    "ipv6": r"^[0-9A-Fa-f:.]{2,45}$",
    "duration": r"^P[0-9YMWDTHS]+$",
    "json-pointer": "^(/|$)",
    "email": "@",
    "idn-email": "@",
    "uri": "^[A-Za-z][A-Za-z0-9+.-]*:",
    "iri": "^[A-Za-z][A-Za-z0-9+.-]*:",
}
_WIDER = {
    "uri": ("uri-reference", "iri", "iri-reference"),
    "uri-reference": ("iri-reference",),
    "iri": ("iri-reference",),
}
_SAMPLES = (
    "", "a", "A", "1", "1.5", "-1", "abc", " ", "a b", "2024-02-29", "2024-02-29T23:59:59Z", "23:59:59Z",
    "P1D",
    "PT1H", "a@example.org", "example.org", "192.0.2.1", "2001:db8::1", "::1", "http://example.org/a",
    "urn:a:b",
    "/a/b", "0/a", "{a}", "12345678-1234-1234-1234-123456789abc", "é", "http://example.org/é",
    "é@example.org",
    "2024-01-01T00:00:00.123456+01:00", "1e5", "%", "[", "(",
)  # fmt: skip


def weigh_number(type: str, facts: Iterable[Fact], excluded: tuple[Any, ...]) -> Weighed | None:
    """type: `integer`, or `fraction` for a number that is none."""
    is_whole = type == "integer"
    facts = list(facts)
    bounds = [fact for fact in facts if isinstance(fact, Bound)]
    # the tightest: the largest least value, and of equal ones that which excludes it
    low = max(((b.value, b.exclusive) for b in bounds if b.is_least), default=None)
    high = min(((b.value, not b.exclusive) for b in bounds if not b.is_least), default=None)
    low_open, high_open = bool(low and low[1]), bool(high and not high[1])
    if low and high and (low[0] > high[0] or (low[0] == high[0] and (low_open or high_open))):
        return None
    steps = [fact.of for fact in facts if isinstance(fact, Multiple) and fact.sign]
    if is_whole:
        steps.append(Fraction(1))
    refused = [fact.of for fact in facts if isinstance(fact, Multiple) and not fact.sign]
    refused += [] if is_whole else [Fraction(1)]
    barred = {
        number(value) for value in excluded if isinstance(value, int | float) and not isinstance(value, bool)
    }

    def fits(value: Fraction) -> bool:
        return value not in barred and not any(value % each == 0 for each in refused)

    if not steps:
        if low and high and low[0] == high[0]:
            return Weighed([_as_json(low[0])]) if fits(low[0]) else None
        start = low[0] if low else (high[0] - 1000 if high else Fraction(0))
        width = high[0] - start if high else Fraction(1000)
        tried = [start + size * part for size in (min(width, Fraction(1)), width) for part in _PARTS]
        opened = {end[0] for end, is_open in ((low, low_open), (high, high_open)) if end and is_open}
        return Weighed([_as_json(value) for value in tried if value not in opened and fits(value)][:6])
    step = _common_multiple(steps)
    if any((step / each).denominator == 1 for each in refused):
        return None
    return _weigh_multiples(step, low, low_open, high, high_open, fits)


def _weigh_multiples(
    step: Fraction, low: Any, low_open: bool, high: Any, high_open: bool, fits: Any
) -> Weighed | None:
    first = (floor(low[0] / step) + 1 if low_open else ceil(low[0] / step)) if low else None
    last = (ceil(high[0] / step) - 1 if high_open else floor(high[0] / step)) if high else None
    if first is not None and last is not None:
        if first > last:
            return None
        places: Iterable[int] = range(first, min(last, first + _MOST_TRIED) + 1)
        is_complete = last - first <= _MOST_TRIED
    elif last is not None:
        places, is_complete = range(last, last - _MOST_TRIED, -1), False
    else:
        places, is_complete = range(first or 0, (first or 0) + _MOST_TRIED), False
    found = [_as_json(value) for value in islice(filter(fits, (place * step for place in places)), 3)]
    return None if not found and is_complete else Weighed(found, "undecided_multiple_of")


def _common_multiple(steps: list[Fraction]) -> Fraction:
    denominator = lcm(*(step.denominator for step in steps))
    return Fraction(lcm(*(int(step * denominator) for step in steps)), denominator)


def _as_json(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def weigh_text(type: str, facts: Iterable[Fact], excluded: tuple[Any, ...]) -> Weighed | None:
    facts = list(facts)
    least = max((fact.least for fact in facts if isinstance(fact, Size)), default=0)
    most = min(
        (fact.most for fact in facts if isinstance(fact, Size) and fact.most is not None), default=None
    )
    if most is not None and least > most:
        return None
    formats = {fact.name for fact in facts if isinstance(fact, Format) and fact.sign}
    refused = {fact.name for fact in facts if isinstance(fact, Format) and not fact.sign}
    if any(name in refused or refused.intersection(_WIDER.get(name, ())) for name in formats):
        return None
    like = [fact.text for fact in facts if isinstance(fact, Pattern) and fact.sign]
    unlike = [fact.text for fact in facts if isinstance(fact, Pattern) and not fact.sign]
    if set(like) & set(unlike):
        return None
    barred = {value for value in excluded if isinstance(value, str)}
    tried = [text for text in _SAMPLES if least <= len(text) and text not in barred]
    rule = "undecided_format" if formats or refused else "undecided"
    shapes = [_SHAPES[name] for name in sorted(formats) if name in _SHAPES]
    known = [text for text in like if _is_known(text)]
    known_unlike = [text for text in unlike if _is_known(text)]
    if len(known) + len(known_unlike) < len(like) + len(unlike):
        rule = "undecided_pattern"
    try:
        found = find_text([*known, *shapes], [*known_unlike, *map(literal, sorted(barred))], least, most)
    except TooLarge:
        return Weighed(_fitting(tried, like, unlike), "undecided_pattern")
    if found is None:
        return None
    return Weighed([found, *_fitting(tried, like, unlike)][:40], rule)


def _is_known(expression: str) -> bool:
    try:
        find_text([expression], [], 0, 0)
    except UnknownExpression:
        return False
    except TooLarge:
        pass
    return True


def _fitting(texts: list[str], like: list[str], unlike: list[str]) -> list[str]:
    return [
        text
        for text in texts
        if all(string_is_valid("pattern", each, text) for each in like)
        and not any(string_is_valid("pattern", each, text) for each in unlike)
    ]
