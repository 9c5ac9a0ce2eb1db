"""A small plant for the tests: tags, rules, and a backbone, desk and store that fail when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from lineshaft.core.errors import TransientFault
from lineshaft.core.values import Event, ExceptionRecord, RawBatch, RawReading
from lineshaft.telemetry import (
    ColumnarEvaluation,
    Decoder,
    Rules,
    RuleSet,
    TagList,
    TelemetryPipeline,
    parse_tags,
    read_rules,
)

T0 = datetime(2024, 5, 1, 6, tzinfo=UTC)
HEADER = "tag,topic,metric,property,equipment_id,physical_asset_id,unit,target_unit,asset_class\n"
TAGS = (
    HEADER
    + "P07.PRESSURE,plant/p07/pressure,,hydraulic_pressure,PRESS-07-EQ,PRESS-07,BAR,,press\n"
    + "P08.PRESSURE,plant/p08,pressure,hydraulic_pressure,PRESS-08-EQ,PRESS-08,BAR,KPA,press\n"
    + "P09.PRESSURE,north/line1/p09,hydraulics/pressure,hydraulic_pressure,PRESS-09-EQ,PRESS-09,BAR,,press\n"
    + "P09.OIL,north/line1/p09,hydraulics/oil,oil_temperature,PRESS-09-EQ,PRESS-09,CEL,,press\n"
    + "L1.SPEED,north/line1,speed,line_speed,LINE-1-EQ,LINE-1,C62,,line\n"
)
RULE = {
    "id": "hydraulic-pressure-high",
    "version": "1",
    "property": "hydraulic_pressure",
    "applies_to": {"asset_class": "press"},
    "kind": "high",
    "limit": 210,
    "unit": "BAR",
    "hysteresis": 5,
    "debounce_s": 30,
    "severity": 800,
}


class Killed(BaseException):
    """The process is gone at this point."""


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Outside:
    """Publisher, desk and store in one: what is in here has happened, whatever becomes of the process.

    faults  what each next call does: "ok", "before" (fails, nothing done), "after" (done, and fails),
            "kill before", "kill after"; empty is ok
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.exceptions: list[ExceptionRecord] = []
        self.state: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.calls: list[str] = []

    async def publish(self, events: Sequence[Event]) -> None:
        assert len({event.id for event in events}) == len(events)
        await self._act("publish", lambda: self.events.extend(events))

    async def report(self, records: Sequence[ExceptionRecord]) -> None:
        await self._act("report", lambda: self.exceptions.extend(records))

    async def load(self) -> dict[str, bytes]:
        return dict(self.state)

    async def save(self, changed: Mapping[str, bytes], gone: Collection[str]) -> None:
        def effect() -> None:
            kept = {key: value for key, value in self.state.items() if key not in gone}
            self.state = kept | dict(changed)

        await self._act("save", effect)

    @property
    def event_ids(self) -> set[str]:
        return {event.id for event in self.events}

    async def _act(self, call: str, effect: object) -> None:
        self.calls.append(call)
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault.endswith("before"):
            raise Killed if fault.startswith("kill") else _fault(call)
        assert callable(effect)
        effect()
        await asyncio.sleep(0)
        if fault.endswith("after"):
            raise Killed if fault.startswith("kill") else _fault(call)


def _fault(call: str) -> TransientFault:
    return TransientFault(f"{call}: no answer", retry_after_s=1e-6)


def tag_list(text: str = TAGS) -> TagList:
    return parse_tags(text, file="tags.csv")


def rule_set(tags: TagList | None = None, **changes: object) -> RuleSet:
    return read_rules({"rules": [{**RULE, **changes}]}, tags or tag_list(), file="rules.yaml")


def rules_at_work(rule_set: RuleSet, tags: TagList | None = None) -> Rules:
    return Rules(rule_set.tags, Decoder(tags or tag_list(), None, FakeClock()), ColumnarEvaluation(rule_set))


def pipeline(outside: Outside, rule_set_used: RuleSet | None = None, **parts: object) -> TelemetryPipeline:
    given: dict[str, object] = {
        "plant": "north",
        "source": "/acme/north/telemetry/n1",
        "rules": rules_at_work(rule_set_used or rule_set()),
        "publisher": outside,
        "desk": outside,
        "store": outside,
        "clock": FakeClock(),
        **parts,
    }
    return TelemetryPipeline(**given)  # type: ignore[arg-type]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    return int(at(seconds).timestamp() * 1000)


def raw(topic: str, payload: bytes, seconds: float = 0, position: str = "") -> RawReading:
    return RawReading(topic=topic, payload=payload, received_at=at(seconds), position=position)


def pressures(values: Iterable[tuple[float, float]]) -> list[RawReading]:
    """(seconds, bar) of P07 as messages of the stream RAW, received half a second after being measured."""
    return [
        raw("plant/p07/pressure", b'{"value":%f,"time":%d}' % (bar, ms(s)), s + 0.5, f"RAW:{number}")
        for number, (s, bar) in enumerate(values, start=1)
    ]


def batch_of(raws: Iterable[RawReading], first: int = 1) -> RawBatch:
    raws = list(raws)
    return RawBatch(
        stream="RAW",
        topics=[raw.topic for raw in raws],
        payloads=[raw.payload for raw in raws],
        stored_us=[round(raw.received_at.timestamp() * 1_000_000) for raw in raws],
        sequences=list(range(first, first + len(raws))),
    )
