"""Times that people and programs ask by, read in one way wherever they are given."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from lineshaft.core.clock import moment_of, rfc3339
from lineshaft.core.errors import ContractViolation

__all__ = ["UnreadableTime", "asked_span", "asked_text", "asked_time"]


class UnreadableTime(ContractViolation):
    default_code = "unreadable_time"


def asked_time(name: str, text: str, zone: tzinfo, *, ends: bool = False) -> datetime | None:
    """In UTC: RFC 3339 with any offset, or a day alone, which begins (and with `ends`, ends) in this zone.

    None for an empty text.

    name    of the parameter, for what is said of it
    raises  UnreadableTime
    """
    if not text:
        return None
    moment = moment_of(text) or _day(text, zone, 1 if ends else 0)
    if moment is None:
        raise UnreadableTime(
            "a time cannot be read",
            findings=[f"{name}: {text[:100]!r} is no time with an offset, and no day"],
            hint=f"give {name} as 2026-03-02T06:00:00Z, 2026-03-02T07:00:00+01:00 (in an address %2B for +)"
            " or 2026-03-02",
        )
    return moment


def asked_text(name: str, text: str, zone: tzinfo, *, ends: bool = False) -> str:
    """The same as the ledger has times, whose order is that of their texts; empty for an empty one."""
    moment = asked_time(name, text, zone, ends=ends)
    return rfc3339(moment) if moment else ""


def asked_span(
    since: str, until: str, zone: tzinfo, names: tuple[str, str] = ("since", "until")
) -> dict[str, str]:
    """`since` and `until` as the ledger has times, a day of `until` at its end. names: of the parameters"""
    return {
        "since": asked_text(names[0], since, zone),
        "until": asked_text(names[1], until, zone, ends=True),
    }


def _day(text: str, zone: tzinfo, later: int) -> datetime | None:
    try:
        first = date.fromisoformat(text) + timedelta(days=later)
        return datetime.combine(first, time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
