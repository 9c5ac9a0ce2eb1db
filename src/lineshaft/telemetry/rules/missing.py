"""Rules on missing data: no good reading of a tag for longer than it may be silent.

rules:
  - id: filler-pressure-silent
    version: "1"
    property: pressure
    applies_to: {asset_class: filler}
    kind: missing
    after_s: 60
    severity: 500                           # 1 to 1000, as in OPC UA
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lineshaft.core.values import Value, moment_of
from lineshaft.model.condition import SignalLoss
from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.rules.declared import Declared
from lineshaft.telemetry.rules.watch import Found, Watch
from lineshaft.telemetry.state import read_state
from lineshaft.telemetry.tags import Tag

__all__ = ["MISSING", "MissingKind", "MissingSpec", "MissingWatch"]

_LONGEST_S = 31 * 86400


class MissingSpec(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    rule_version: str
    tag: Tag
    after_s: float
    severity: int


class MissingKind:
    fields: Sequence[str] = ("after_s", "severity")
    overridable: Sequence[str] = fields

    def read(self, declared: Declared) -> Sequence[MissingSpec]:
        return [
            MissingSpec(
                rule=declared.id, rule_version=declared.version, tag=tag, after_s=after_s, severity=severity
            )
            for tag, (after_s, severity) in declared.by_tag(_own)
        ]

    def watches(self, specs: Sequence[MissingSpec]) -> Sequence[Watch]:
        return [MissingWatch(spec) for spec in specs]


MISSING = MissingKind()


def _own(section: Section) -> tuple[float, int]:
    return section.number("after_s", at_least=1, at_most=_LONGEST_S), section.whole("severity", 1, 1000)


class _State(msgspec.Struct, frozen=True):
    """time, received: of the last good reading, µs since 1970; told: its loss was"""

    time: int
    received: int
    told: bool = False


class MissingWatch:
    """Silence is measured from the receipt of the last good reading, whatever the device's clock, and decided
    while no message waits. A tag that was never heard is not lost."""

    newest_only = True

    def __init__(self, spec: MissingSpec) -> None:
        self.spec = spec
        self.key = f"missing/{spec.rule}/{spec.tag.tag}"
        self.inputs: Mapping[str, str] = {spec.tag.tag: "value"}
        self._after = round(spec.after_s * 1_000_000)
        self._state: _State | None = None

    def take(self, role: str, reading: TakenReading) -> Found:
        self._state = _State(reading.time, reading.received)
        return ()

    def lost(self, role: str, at: int) -> Found:
        return ()

    def confirmed(self, role: str, reading: TakenReading) -> Found:
        return ()

    def tick(self, now: int) -> Sequence[Value]:
        state = self._state
        if state is None or state.told or now - state.received <= self._after:
            return ()
        self._state = msgspec.structs.replace(state, told=True)
        spec, tag = self.spec, self.spec.tag
        return (
            SignalLoss(
                tag=tag.tag,
                equipment_id=tag.equipment_id,
                physical_asset_id=tag.physical_asset_id,
                property=tag.property,
                rule=spec.rule,
                rule_version=spec.rule_version,
                severity=spec.severity,
                last_time=moment_of(state.time),
                after_s=spec.after_s,
                detected_at=moment_of(now),
            ),
        )

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def restore(self, data: bytes) -> None:
        self._state = read_state(self.key, data, _State | None)  # type: ignore[arg-type]
