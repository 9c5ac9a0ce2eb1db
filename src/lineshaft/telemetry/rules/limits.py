"""A limit on one tag: when an episode starts, is due to be told, and ends.

- id: hydraulic-pressure-high
  version: "1"
  property: hydraulic_pressure            # or `tag: P07.PRESSURE` and no applies_to
  applies_to: {asset_class: press}        # or {tags: [P07.PRESSURE, P08.PRESSURE]}
  kind: high                              # or low
  limit: 210
  unit: BAR                               # of limit and hysteresis
  hysteresis: 5                           # default 0
  debounce_s: 30                          # default 0
  severity: 800                           # 1 to 1000, as in OPC UA
  overrides:                              # by physical asset
    PRESS-07: {limit: 200}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from lineshaft.core.errors import ContractViolation
from lineshaft.core.quantity import UNITS, Quantity, convert
from lineshaft.core.values import Value, moment_of
from lineshaft.model.condition import LimitKind, ThresholdExceeded
from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.rules.declared import Declared
from lineshaft.telemetry.rules.watch import Found, Watch
from lineshaft.telemetry.state import read_state
from lineshaft.telemetry.tags import Tag, nearest

__all__ = [
    "WITHIN",
    "Limit",
    "LimitState",
    "LimitWatch",
    "Limits",
    "Wording",
    "advance",
    "breach",
    "read_wording",
]

_LONGEST_DEBOUNCE_S = 31 * 86400


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one tag, overrides applied.

    limit     a value beyond it (below for low, above for all others) breaks it
    release   a value at or within it ends the episode: limit minus hysteresis, for low plus
    unit      of both: the tag's target unit, UNECE Rec 20 code; of rise and fall, that per second
    over_us   of rise and fall: the least time over which a change is measured
    """

    rule: str
    rule_version: str
    tag: Tag
    kind: LimitKind
    limit: float
    release: float
    unit: str
    debounce_us: int
    severity: int
    over_us: int = 0

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.rule}/{self.tag.tag}"


class LimitState(msgspec.Struct, frozen=True):
    """episode_start: time of its first reading beyond the limit, if one is on; raised: its event is due."""

    episode_start: int | None = None
    raised: bool = False


WITHIN = LimitState()


def advance(limit: Limit, state: LimitState, value: float, time: int) -> LimitState:
    """The state after one more reading of good quality, newer than all before; the same object if unchanged.

    value  of the tag, or how fast it rises or falls

    The event of the episode is due when `raised` turns true: once per episode, on a reading beyond the limit.
    Readings between release and limit keep the state, and so does a device that is gone.
    """
    low = limit.kind is LimitKind.LOW
    if (value < limit.limit) if low else (value > limit.limit):
        if state.raised:
            return state
        start = time if state.episode_start is None else state.episode_start
        if time - start >= limit.debounce_us:
            return LimitState(start, True)
        return state if state.episode_start is not None else LimitState(start)
    within = (value >= limit.release) if low else (value <= limit.release)
    return WITHIN if within and state.episode_start is not None else state


def breach(limit: Limit, episode_start: int, value: float, reading: TakenReading) -> ThresholdExceeded:
    """detected_at is the receipt of the settling reading, so that a replay tells the very same."""
    return ThresholdExceeded(
        equipment_id=limit.tag.equipment_id,
        physical_asset_id=limit.tag.physical_asset_id,
        rule=limit.rule,
        rule_version=limit.rule_version,
        property=limit.tag.property,
        kind=limit.kind,
        value=value,
        limit=limit.limit,
        unit=limit.unit,
        severity=limit.severity,
        episode_start=moment_of(episode_start),
        detected_at=moment_of(reading.received),
        evidence=reading.evidence,
    )


class LimitWatch:
    """A high or low limit, one reading at a time."""

    newest_only = False

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.key = limit.key
        self.inputs: Mapping[str, str] = {limit.tag.tag: "value"}
        self.state = WITHIN

    def take(self, role: str, reading: TakenReading) -> Found:
        return self._judge(reading.value, reading)

    def _judge(self, value: float, reading: TakenReading) -> Found:
        before, self.state = self.state, advance(self.limit, self.state, value, reading.time)
        if self.state.raised and not before.raised and self.state.episode_start is not None:
            return [breach(self.limit, self.state.episode_start, value, reading)]
        return []

    def lost(self, role: str, at: int) -> Found:
        return []

    def confirmed(self, role: str, reading: TakenReading) -> Found:
        return []

    def tick(self, now: int) -> Sequence[Value]:
        return []

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(self.state)

    def restore(self, data: bytes) -> None:
        self.state = read_state(self.key, data, LimitState)


class Wording(msgspec.Struct, frozen=True):
    """What a limit rule says, in its own unit."""

    limit: float
    unit: str
    hysteresis: float
    debounce_s: float
    severity: int
    over_s: float = 0.0


def read_wording(section: Section, *, lowest: float = -1e15) -> Wording:
    unit = section.text("unit")
    if unit and unit not in UNITS:
        section.refuse("unit", f"{unit!r} is no known UNECE Rec 20 code{nearest(unit.upper(), UNITS)}")
    return Wording(
        limit=section.number("limit", at_least=lowest),
        unit=unit,
        hysteresis=section.number("hysteresis", default=0.0, at_least=0.0),
        debounce_s=section.number("debounce_s", default=0.0, at_least=0.0, at_most=_LONGEST_DEBOUNCE_S),
        severity=section.whole("severity", 1, 1000),
    )


class Limits:
    """The kinds high and low."""

    fields: Sequence[str] = ("limit", "unit", "hysteresis", "debounce_s", "severity")
    overridable: Sequence[str] = ("limit", "hysteresis", "debounce_s", "severity")

    def __init__(self, kind: LimitKind) -> None:
        self._kind = kind

    def read(self, declared: Declared) -> Sequence[Limit]:
        found = []
        for tag, wording in declared.by_tag(self.wording):
            limit, hysteresis = Decimal(repr(wording.limit)), Decimal(repr(wording.hysteresis))
            release = limit + hysteresis if self._kind is LimitKind.LOW else limit - hysteresis
            try:
                levels = [self.converted(value, wording.unit, tag.target_unit) for value in (limit, release)]
            except ContractViolation as error:
                declared.section.refuse(
                    "unit", f"on tag {tag.tag!r}: {error.message}; give the limit in another unit"
                )
                continue
            found.append(
                Limit(
                    rule=declared.id,
                    rule_version=declared.version,
                    tag=tag,
                    kind=self._kind,
                    limit=levels[0],
                    release=levels[1],
                    unit=tag.target_unit,
                    debounce_us=round(wording.debounce_s * 1e6),
                    severity=wording.severity,
                    over_us=round(wording.over_s * 1e6),
                )
            )
        return found

    def watches(self, specs: Sequence[Limit]) -> Sequence[Watch]:
        return [LimitWatch(limit) for limit in specs]

    @staticmethod
    def wording(section: Section) -> Wording:
        return read_wording(section)

    @staticmethod
    def converted(value: Decimal, source: str, target: str) -> float:
        return float(convert(Quantity(value=value, unit=source), target).value)
