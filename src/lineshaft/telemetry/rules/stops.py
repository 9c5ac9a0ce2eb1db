"""Stops of one equipment: when one starts, is long enough to be told, goes on over a short run, and ends.

A stop reaches from the end of one settled state that is none of STOP_STATES to the start of the next, so the
states of transition before, within and after belong to it; it is one only once a settled stop state was seen.
Source: the signal part of "When a stop becomes a downtime posting" (docs); states of ISA-TR88.00.02.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from lineshaft.model.equipment_state import STOP_STATES, PackMLState, UnitMode

__all__ = ["Phase", "Stop", "StopLimits", "Stops", "phase_of"]

_SETTLED = frozenset({PackMLState.IDLE, PackMLState.EXECUTE, PackMLState.COMPLETE})


class Phase(IntEnum):
    """What a state means for stops.

    UNKNOWN     nothing is known: neither starts nor ends a stop
    OUT         of production mode: no stop, whatever the state
    UP          settled, and no stop state
    TRANSITION  on the way between two settled states
    DOWN        a settled stop state
    """

    UNKNOWN = 0
    OUT = 1
    UP = 2
    TRANSITION = 3
    DOWN = 4


def phase_of(state: int | None, mode: int | None, *, has_mode: bool) -> Phase:
    """None: not known. Without a mode at all, equipment is taken to be in production."""
    if state is None or state == PackMLState.UNDEFINED or (has_mode and mode is None):
        return Phase.UNKNOWN
    if has_mode and mode != UnitMode.PRODUCTION:
        return Phase.OUT
    if state in STOP_STATES:
        return Phase.DOWN
    return Phase.UP if state in _SETTLED else Phase.TRANSITION


class StopLimits(msgspec.Struct, frozen=True):
    """minor_us: a stop of at least this is told; split_us: a run of at least this ends it. Both µs."""

    minor_us: int
    split_us: int


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Times are µs since 1970 UTC.

    state         the settled state in which it began
    up_since      of the run after it, as long as that run is too short to end it
    end           when it ends if that run turns out to be long enough
    told          it was long enough
    """

    start: int
    state: int
    reason: str = ""
    upstream: str = ""
    up_since: int | None = None
    end: int | None = None
    told: bool = False


class Standing(msgspec.Struct):
    """Where the equipment stands, to be saved.

    transition  start of the states of transition that may turn out to belong to a stop
    seen_until  last time that was known before the phase became unknown
    last        (start, end) of the stop before the current one
    """

    phase: Phase = Phase.UNKNOWN
    stop: Stop | None = None
    transition: int | None = None
    seen_until: int | None = None
    last: tuple[int, int] | None = None


class Stops:
    """Moved by `pass_time` and `enter`, with times that never go back.

    Both give the stops to be told: with `end` None when one has become long enough, set when it is over.
    """

    def __init__(self, limits: StopLimits) -> None:
        self.limits = limits
        self.standing = Standing()

    def stood_still(self, at: int) -> bool:
        """A stop had begun before `at` and was not over then."""
        stop, last = self.standing.stop, self.standing.last
        if stop is not None and stop.start < at and (stop.end is None or stop.end > at):
            return True
        return last is not None and last[0] < at < last[1]

    def note(self, *, reason: str = "", upstream: str = "") -> None:
        """More about the stop that is on; nothing while there is none or it runs again."""
        stop = self.standing.stop
        if stop is not None and stop.end is None:
            self.standing.stop = msgspec.structs.replace(
                stop, reason=reason or stop.reason, upstream=upstream or stop.upstream
            )

    def pass_time(self, at: int) -> list[Stop]:
        """Up to `at` nothing has changed."""
        standing, stop = self.standing, self.standing.stop
        if stop is None:
            return []
        if stop.end is None:
            on = standing.phase in {Phase.DOWN, Phase.TRANSITION}
            if on and not stop.told and at - stop.start >= self.limits.minor_us:
                standing.stop = msgspec.structs.replace(stop, told=True)
                return [standing.stop]
        elif standing.phase is Phase.UP and at - (stop.up_since or stop.end) >= self.limits.split_us:
            return self._finish(stop, stop.end)
        return []

    def enter(self, phase: Phase, state: int | None, at: int) -> list[Stop]:
        """From `at` on the phase is this one."""
        due = self.pass_time(at)
        standing = self.standing
        if phase is standing.phase:
            return due
        if phase is Phase.UNKNOWN:
            standing.seen_until, standing.transition = at, None
        else:
            seen_until = at if standing.phase is not Phase.UNKNOWN else standing.seen_until
            standing.seen_until = None
            due += self._known(phase, state, at, at if seen_until is None else seen_until)
        standing.phase = phase
        return due

    def _known(self, phase: Phase, state: int | None, at: int, seen_until: int) -> list[Stop]:
        """A stop that was not seen to go on is over when it was last seen, not when it is seen to be over."""
        standing, stop = self.standing, self.standing.stop
        if phase is Phase.DOWN:
            if stop is None:
                start = at if standing.transition is None else standing.transition
                standing.stop = Stop(start=start, state=state or 0)
            else:
                standing.stop = msgspec.structs.replace(stop, up_since=None, end=None)
        elif phase is Phase.OUT and stop is not None:
            return self._finish(stop, seen_until if stop.end is None else stop.end)
        elif phase is Phase.UP and stop is not None and stop.end is None:
            standing.stop = msgspec.structs.replace(stop, up_since=at, end=seen_until)
        if phase is not Phase.TRANSITION:
            standing.transition = None
        elif stop is None and standing.transition is None:
            standing.transition = at
        return []

    def _finish(self, stop: Stop, end: int) -> list[Stop]:
        self.standing.stop, self.standing.last = None, (stop.start, end)
        return [msgspec.structs.replace(stop, up_since=None, end=end)] if stop.told else []
