"""One equipment: its state, mode and stop reason as it says them, as changes of state and as stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lineshaft.core.values import Value, moment_of
from lineshaft.model.equipment_state import Downtime, StateChange, UnitMode
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.rules.stops import Standing, Stop, StopLimits, Stops, phase_of
from lineshaft.telemetry.rules.watch import Found, WatchFault
from lineshaft.telemetry.state import read_state
from lineshaft.telemetry.tags import Tag

__all__ = ["Board", "StateSpec", "StateWatch"]


class StateSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Overrides applied.

    mode_tag, reason_tag   empty where the equipment does not tell
    states, modes          number that the device sends: number of PackMLState, of UnitMode; no modes: as sent
    reasons                number that the device sends: reason code
    upstream               equipment that feeds this one, nearest first
    """

    rule: str
    rule_version: str
    tag: Tag
    mode_tag: str
    reason_tag: str
    states: dict[int, int]
    modes: dict[int, int]
    reasons: dict[int, str]
    limits: StopLimits
    upstream: tuple[str, ...]


class Board:
    """The stops of all equipment, by its id, so that one can ask whether another had stopped before it."""

    def __init__(self) -> None:
        self._stops: dict[str, Stops] = {}

    def add(self, equipment: str, stops: Stops) -> None:
        self._stops.setdefault(equipment, stops)

    def first_still(self, equipment: Sequence[str], at: int) -> str:
        """The first of them that had stopped before `at` and stood still then; empty without one."""
        still = (name for name in equipment if name in self._stops and self._stops[name].stood_still(at))
        return next(still, "")


class _State(msgspec.Struct):
    """What is saved.

    state, since   the last known state and its start; known: it is so now
    mode, reason   as last told, None and empty where not known
    unusable       by role: the number that was last refused, so that it is a fault once
    newest, lag    µs: time of the newest reading of all inputs; how much later than its time the last came
    """

    state: int | None = None
    since: int = 0
    known: bool = False
    mode: int | None = None
    reason: str = ""
    unusable: dict[str, float] = {}
    newest: int = 0
    lag: int = 0
    standing: Standing = msgspec.field(default_factory=Standing)


class StateWatch:
    """A state holds until the next reading of it. Loss of the device, or a number that is not mapped, makes
    it unknown, which neither starts nor ends a stop: if the same state is seen again the stop goes on as if
    nothing had happened; if it runs by then, the stop is over at the time when it was last seen.

    Readings of several inputs that belong together come best with the state as the last of the message.
    Time passes with the readings, and at a tick by the device's clock as it went at its last reading.
    """

    newest_only = False

    def __init__(self, spec: StateSpec, board: Board) -> None:
        self.spec = spec
        self.key = f"state/{spec.rule}/{spec.tag.equipment_id}"
        roles = {spec.tag.tag: "state", spec.mode_tag: "mode", spec.reason_tag: "reason"}
        self.inputs: Mapping[str, str] = {tag: role for tag, role in roles.items() if tag}
        self._board = board
        self._stops = Stops(spec.limits)
        self._state = _State()
        board.add(spec.tag.equipment_id, self._stops)

    def take(self, role: str, reading: TakenReading) -> Found:
        state, value = self._state, reading.value
        at = state.newest = max(state.newest, reading.time)
        state.lag = reading.received - reading.time
        found: list[Value | WatchFault] = []
        due = self._stops.pass_time(at)
        usable = True
        if role == "state":
            number = self.spec.states.get(value)  # type: ignore[call-overload]
            if state.known and number == state.state:
                return [self._downtime(stop, reading.received) for stop in due]
            usable = number is not None
            if number is not None and number != state.state:
                found.append(self._change(number, reading))
            state.known = usable
        elif role == "mode":
            state.mode = self._mode(value)
            usable = state.mode is not None
        else:
            state.reason = self.spec.reasons.get(value, "")  # type: ignore[call-overload]
            usable = value in self.spec.reasons
        found += self._refused(role, value, usable)
        due += self._enter(at)
        return [*found, *(self._downtime(stop, reading.received) for stop in due)]

    def lost(self, role: str, at: int) -> Found:
        state = self._state
        if role == "state":
            state.known = False
        elif role == "mode":
            state.mode = None
        else:
            state.reason = ""
        state.newest = max(state.newest, at - state.lag)
        return [self._downtime(stop, at) for stop in self._enter(state.newest)]

    def confirmed(self, role: str, reading: TakenReading) -> Found:
        state, value = self._state, reading.value
        if role == "state":
            number = self.spec.states.get(value)  # type: ignore[call-overload]
            state.known = number is not None and number == state.state
        elif role == "mode":
            state.mode = self._mode(value)
        else:
            state.reason = self.spec.reasons.get(value, "")  # type: ignore[call-overload]
        state.newest = max(state.newest, reading.received - state.lag)
        return [self._downtime(stop, reading.received) for stop in self._enter(state.newest)]

    def tick(self, now: int) -> Sequence[Value]:
        if self._stops.standing.stop is None:
            return ()
        due = self._stops.pass_time(max(self._state.newest, now - self._state.lag))
        return [self._downtime(stop, now) for stop in due]

    def saved(self) -> bytes:
        self._state.standing = self._stops.standing
        return msgspec.msgpack.encode(self._state)

    def restore(self, data: bytes) -> None:
        self._state = read_state(self.key, data, _State)
        self._stops.standing = self._state.standing

    def _enter(self, at: int) -> list[Stop]:
        state, stops = self._state, self._stops
        number = state.state if state.known else None
        phase = phase_of(number, state.mode, has_mode=bool(self.spec.mode_tag))
        before = stops.standing.stop
        due = stops.enter(phase, number, at)
        stop = stops.standing.stop
        if stop is not None and stop.end is None:
            upstream = ""
            if before is None or before.start != stop.start:
                upstream = self._board.first_still(self.spec.upstream, stop.start)
            stops.note(reason=state.reason, upstream=upstream)
        return due

    def _change(self, number: int, reading: TakenReading) -> StateChange:
        state, tag = self._state, self.spec.tag
        previous, previous_start = state.state, state.since
        state.state, state.since = number, reading.time
        return StateChange(
            equipment_id=tag.equipment_id,
            physical_asset_id=tag.physical_asset_id,
            rule=self.spec.rule,
            rule_version=self.spec.rule_version,
            state=number,
            previous=previous,
            mode=state.mode,
            reason_code=state.reason,
            start_time=moment_of(reading.time),
            previous_start_time=None if previous is None else moment_of(previous_start),
            detected_at=moment_of(reading.received),
            evidence=reading.evidence,
        )

    def _downtime(self, stop: Stop, detected: int) -> Downtime:
        tag = self.spec.tag
        return Downtime(
            equipment_id=tag.equipment_id,
            physical_asset_id=tag.physical_asset_id,
            rule=self.spec.rule,
            rule_version=self.spec.rule_version,
            state=stop.state,
            mode=UnitMode.PRODUCTION if self.spec.mode_tag else None,
            reason_code=stop.reason,
            start_time=moment_of(stop.start),
            end_time=None if stop.end is None else moment_of(stop.end),
            upstream=stop.upstream or self._board.first_still(self.spec.upstream, stop.start),
            minor_stop_s=self.spec.limits.minor_us / 1e6,
            detected_at=moment_of(detected),
        )

    def _mode(self, value: float) -> int | None:
        if self.spec.modes:
            return self.spec.modes.get(value)  # type: ignore[call-overload,no-any-return]
        return int(value) if value.is_integer() else None

    def _refused(self, role: str, value: float, usable: bool) -> list[WatchFault]:
        unusable = self._state.unusable
        if usable:
            unusable.pop(role, None)
            return []
        if unusable.get(role) == value:
            return []
        unusable[role] = value
        return [
            WatchFault(
                f"rule {self.spec.rule!r}: {role} of {self.spec.tag.equipment_id!r} is a number without a "
                f"meaning; add it to `{role}s` of the rule"
            )
        ]
