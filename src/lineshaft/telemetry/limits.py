"""A limit on one tag: when an episode starts, is due to be told, and ends."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from lineshaft.model.condition import LimitKind

__all__ = ["WITHIN", "Limit", "LimitState", "advance"]


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one tag, overrides applied.

    limit     a reading beyond it (above for high, below for low) breaks it
    release   a reading at or within it ends the episode: limit minus hysteresis for high, plus for low
    unit      of both: the tag's target unit, UNECE Rec 20 code
    """

    rule: str
    rule_version: str
    kind: LimitKind
    limit: float
    release: float
    unit: str
    debounce: timedelta
    severity: int


class LimitState(msgspec.Struct, frozen=True):
    """episode_start: time of its first reading beyond the limit, if one is on; raised: its event is due."""

    episode_start: datetime | None = None
    raised: bool = False


WITHIN = LimitState()


def advance(limit: Limit, state: LimitState, value: float, time: datetime) -> LimitState:
    """The state after one more reading of good quality, newer than all before; the same object if unchanged.

    The event of the episode is due when `raised` turns true: once per episode, on a reading beyond the limit.
    Readings between release and limit keep the state. A state depends on the readings only through its
    changes, so saving it at each change is enough to resume anywhere.
    """
    high = limit.kind is LimitKind.HIGH
    if (value > limit.limit) if high else (value < limit.limit):
        if state.raised:
            return state
        start = state.episode_start or time
        if time - start >= limit.debounce:
            return LimitState(start, True)
        return state if state.episode_start else LimitState(start)
    if state.episode_start and ((value <= limit.release) if high else (value >= limit.release)):
        return WITHIN
    return state
