from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from lineshaft.contracts.catalogue import READINGS_AGGREGATED, SIGNAL_LOST, THRESHOLD_EXCEEDED
from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import Event, ExceptionKind, RawBatch, RawReading, Value
from lineshaft.model.condition import LimitKind
from lineshaft.telemetry import ColumnarEvaluation, Readings, Results, TagList, TelemetryPipeline, read_rules

from .edge_node import EdgeNode
from .plant import (
    HEADER,
    RULE,
    FakeClock,
    Killed,
    Outside,
    at,
    batch_of,
    ms,
    pipeline,
    pressures,
    raw,
    rule_set,
    rules_at_work,
    tag_list,
)

BREACH = [(0, 200), (10, 220), (25, 222), (40, 225), (50, 230)]
WINDOW = {
    "id": "pressure-windows",
    "version": "1",
    "property": "hydraulic_pressure",
    "applies_to": {"asset_class": "press"},
    "kind": "window",
    "every_s": 60,
}
SILENT = {**WINDOW, "id": "silent", "kind": "missing", "after_s": 30, "severity": 500}
del SILENT["every_s"]


def rules_of(*rules: dict[str, object]) -> object:
    return rules_at_work(read_rules({"rules": [*rules]}, tag_list(), file="rules.yaml"))


@pytest.fixture
def outside() -> Outside:
    return Outside()


async def restarted(outside: Outside, raws: Sequence[RawReading], **parts: object) -> TelemetryPipeline:
    """A new process takes over, and the stream hands it what is after the saved position."""
    line = pipeline(outside, **parts)
    after = (await line.start()).get("RAW", StreamPosition(0)).sequence
    if raws[after:]:
        await line.handle(batch_of(raws[after:], after + 1))
    return line


def starts(outside: Outside) -> list[float]:
    """Of the episodes told, in seconds."""
    data = [THRESHOLD_EXCEEDED.decode(event) for event in outside.events]
    return [(item.episode_start - at(0)).total_seconds() for item in data]


async def test_a_breach_becomes_one_event_that_says_everything(outside: Outside) -> None:
    await pipeline(outside).handle(batch_of(pressures(BREACH)))
    (event,) = outside.events
    assert (event.type, event.source, event.plant) == (
        "equipment.condition.threshold_exceeded.v1",
        "/acme/north/telemetry/n1",
        "north",
    )
    assert event.correlationid == event.id
    assert (event.subject, event.time) == ("PRESS-07-EQ", at(40))
    data = THRESHOLD_EXCEEDED.decode(event)
    assert (data.equipment_id, data.physical_asset_id) == ("PRESS-07-EQ", "PRESS-07")
    assert (data.rule, data.rule_version, data.kind) == ("hydraulic-pressure-high", "1", LimitKind.HIGH)
    assert (data.property, data.severity) == ("hydraulic_pressure", 800)
    assert (data.value, data.limit, data.unit) == (225, 210, "BAR")
    assert (data.episode_start, data.detected_at) == (at(10), at(40.5))
    evidence = data.evidence
    assert (evidence.topic, evidence.position) == ("plant/p07/pressure", "RAW:4")
    assert (evidence.time, evidence.value) == (at(40), 225)


async def test_what_breaks_nothing_is_published_nowhere_and_counted(outside: Outside) -> None:
    line = pipeline(outside)
    await line.handle(batch_of(pressures([(0, 100), (1, 205), (2, 210)])))
    assert outside.calls == []
    assert (line.counters()["messages"], line.counters()["taken"]) == (3, 3)
    assert await line.checkpoint() == {"RAW": StreamPosition(3, stored_us=1000 * ms(2.5))}
    assert outside.calls == ["save"]


async def test_what_did_not_change_is_not_saved_again(outside: Outside) -> None:
    line = pipeline(outside)
    await line.handle(batch_of(pressures(BREACH)))
    await line.checkpoint()
    await line.checkpoint()
    assert outside.calls == ["publish", "save"]


async def test_two_tags_of_one_asset_in_one_batch_are_one_event(outside: Outside) -> None:
    from lineshaft.telemetry import parse_tags

    rows = "A,d,a,hydraulic_pressure,E,P,BAR,,press\nB,d,b,hydraulic_pressure,E,P,BAR,,press\n"
    tags = parse_tags(HEADER + rows, file="t.csv")
    rules = read_rules({"rules": [{**RULE, "debounce_s": 0}]}, tags, file="r.yaml")
    line = pipeline(outside, rules=rules_at_work(rules, tags))
    await line.handle(batch_of([raw("d", b'{"values":{"a":220,"b":230}}')]))
    assert len(outside.events) == 1


async def test_what_cannot_be_used_goes_to_a_person_and_the_rest_goes_on(outside: Outside) -> None:
    line = pipeline(outside, rule_set(debounce_s=0))
    messages = [
        raw("plant/p07/pressure", b'{"value":"220"}' + b" " * 20_000),
        raw("plant/p99", b'{"values":{"pressure":1}}'),
        raw("plant/p07/pressure", b'{"value":1,"time":%d}' % round(at(301).timestamp() * 1000)),
        *pressures([(1, 220)]),
    ]
    await line.handle(batch_of(messages))
    assert outside.exceptions == []  # reported with the checkpoint, equal ones once
    await line.handle(batch_of(messages[1:2], 5))
    await line.checkpoint()
    malformed, unknown, ahead = outside.exceptions
    assert (malformed.kind, malformed.ref) == (ExceptionKind.MALFORMED_READING, "RAW:1")
    assert (len(malformed.payload), malformed.topic) == (16384, "")
    assert (unknown.kind, unknown.ref) == (ExceptionKind.UNKNOWN_TAG, "RAW:2")
    assert (unknown.owner, unknown.source) == ("plant-engineering", "plant/p99")
    assert "'plant/p99' is not in the tag list" in unknown.cause
    assert (ahead.kind, ahead.topic) == (ExceptionKind.UNPOSTABLE_READING, "plant/p07/pressure")
    assert starts(outside) == [1]


async def test_a_sparkplug_session_from_birth_to_event(outside: Outside) -> None:
    node = EdgeNode()
    messages = [node.nbirth(), node.dbirth(), *(node.ddata(s, 220) for s in (10, 20, 40))]
    await pipeline(outside).handle(batch_of(messages))
    (event,) = outside.events
    data = THRESHOLD_EXCEEDED.decode(event)
    assert (data.physical_asset_id, data.episode_start) == ("PRESS-09", at(10))
    assert data.evidence.topic == "spBv1.0/north/DDATA/line1/p09"
    assert data.evidence.position == "RAW:5"


async def test_a_rebirth_is_asked_for_and_need_not_succeed(outside: Outside) -> None:
    asked: list[str] = []

    async def on_rebirth(topic: str, payload: bytes) -> None:
        asked.append(topic)
        raise TransientFault("broker: no answer")

    line = pipeline(outside, on_rebirth=on_rebirth)
    await line.handle(batch_of([EdgeNode().ddata(1, 100)]))
    assert asked == ["spBv1.0/north/NCMD/line1"]


class Lake:
    """Notes what it was handed, and when it was flushed."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.readings: list[float] = []
        self.facts: list[Value] = []

    async def append(
        self, readings: Readings | None, facts: Sequence[Value] = (), passed: NDArray[np.bool_] | None = None
    ) -> None:
        assert self.outside.calls[-1:] != ["save"]
        if readings is not None and passed is not None:
            self.readings += readings.value[passed].tolist()
        self.facts += facts

    def change(self, tags: TagList) -> None:
        """Keeps no tags."""

    async def flush(self) -> None:
        self.outside.calls.append("flush")


async def test_the_lake_is_on_disk_before_the_position_is_saved(outside: Outside) -> None:
    lake = Lake(outside)
    line = pipeline(outside, lake=lake)
    await line.handle(batch_of([*pressures(BREACH), *pressures(BREACH[-1:])]))
    await line.checkpoint()
    assert outside.calls == ["publish", "flush", "save"]
    assert lake.readings == [bar for _, bar in BREACH]  # the repeat is left out
    assert [type(fact).__name__ for fact in lake.facts] == ["ThresholdExceeded"]


class TestOrderOfFailure:
    """What happens when each step fails, before or after it took effect."""

    @pytest.mark.parametrize("step", range(3))
    @pytest.mark.parametrize("fault", ["before", "after"])
    async def test_a_step_that_fails_is_made_up_for(self, outside: Outside, step: int, fault: str) -> None:
        messages = [raw("plant/p99", b'{"value":1}'), *pressures(BREACH)]
        line = pipeline(outside)
        outside.faults = ["ok"] * step + [fault]
        await line.handle(batch_of(messages))
        if step:
            with pytest.raises(TransientFault):
                await line.checkpoint()
        assert (await line.checkpoint())["RAW"].sequence == 6
        assert len(outside.event_ids) == 1
        assert starts(outside)[0] == 10
        assert outside.exceptions
        assert (await restarted(outside, messages)).counters()["messages"] == 0

    @pytest.mark.parametrize("step", range(3))
    @pytest.mark.parametrize("fault", ["kill before", "kill after"])
    async def test_the_process_is_killed(self, outside: Outside, step: int, fault: str) -> None:
        messages = [raw("plant/p99", b'{"value":1}'), *pressures(BREACH)]
        outside.faults = ["ok"] * step + [fault]
        line = pipeline(outside)
        with contextlib.suppress(Killed):
            await line.handle(batch_of(messages[:5]))
            await line.checkpoint()
            pytest.fail("it was not killed")
        await (await restarted(outside, messages)).checkpoint()
        assert len(outside.event_ids) == 1
        assert len({event.data for event in outside.events}) == 1  # told again, word for word
        assert outside.exceptions

    async def test_the_next_messages_are_taken_while_events_are_on_their_way(self, outside: Outside) -> None:
        line, messages = pipeline(outside, rule_set(debounce_s=0)), pressures([(0, 220), (1, 100), (2, 220)])
        stored, publish = asyncio.Event(), outside.publish

        async def slowly(events: Sequence[Event]) -> None:
            await stored.wait()
            await publish(events)

        outside.publish = slowly  # type: ignore[method-assign]
        await line.take(batch_of(messages[:1]))
        await line.take(batch_of(messages[1:], 2))
        saving = asyncio.create_task(line.checkpoint())
        await asyncio.sleep(0)
        assert not outside.state
        stored.set()
        assert (await saving)["RAW"].sequence == 3
        assert starts(outside) == [0, 2]

    async def test_an_event_that_is_refused_ends_the_pipeline(self, outside: Outside) -> None:
        line = pipeline(outside, rule_set(debounce_s=0))

        async def refuse(_: Sequence[Event]) -> None:
            raise PermanentFault("too large")

        outside.publish = refuse  # type: ignore[method-assign]
        await line.take(batch_of(pressures([(0, 220)])))
        with pytest.raises(PermanentFault, match="too large"):
            await line.checkpoint()
        with pytest.raises(PermanentFault, match="too large"):
            await line.take(batch_of(pressures([(1, 220)]), 2))
        assert not outside.state

    async def test_cut_off_half_way_nothing_is_saved_any_more(self, outside: Outside) -> None:
        """An ordered stop checkpoints in the end; that must not skip what was under way."""
        lake, reached, messages = Lake(outside), asyncio.Event(), pressures(BREACH)
        line = pipeline(outside, lake=lake)
        await line.handle(batch_of(messages[:2]))
        await line.checkpoint()

        async def hang(*_: object) -> None:
            reached.set()
            await asyncio.Event().wait()

        append, lake.append = lake.append, hang  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(line.handle(batch_of(messages[2:], 3)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        lake.append = append  # type: ignore[method-assign]
        assert await line.checkpoint() == {}
        with pytest.raises(PermanentFault, match="broke off half way"):
            await line.handle(batch_of(messages[2:], 3))
        after = Lake(outside)
        outside.calls.clear()
        await (await restarted(outside, messages, lake=after)).checkpoint()
        assert starts(outside)[-1:] == [10]
        assert after.readings == [222, 225, 230]

    async def test_batches_handed_over_at_once_take_turns(self, outside: Outside) -> None:
        line = pipeline(outside, rule_set(debounce_s=0))
        messages = pressures((float(second), 220 if second % 2 else 200) for second in range(40))
        batches = [batch_of([message], number) for number, message in enumerate(messages, 1)]
        await asyncio.gather(*map(line.handle, batches), line.checkpoint())
        assert starts(outside) == list(range(1, 40, 2))
        assert line.counters()["late"] == 0

    async def test_state_that_cannot_be_read_is_named(self, outside: Outside) -> None:
        line = pipeline(outside)
        await line.handle(batch_of(pressures(BREACH)))
        await line.checkpoint()
        for key in outside.state:
            kept, outside.state = outside.state, {**outside.state, key: b"\xc1"}
            with pytest.raises(PermanentFault, match=key.split("/")[0]):
                await pipeline(outside).start()
            outside.state = kept


class TestTicks:
    """What follows from time alone no message brings again."""

    RULES = (WINDOW, SILENT)

    def told(self, outside: Outside) -> list[tuple[str, str]]:
        """(kind, identity) without what was told again"""
        found = []
        for event in {event.id: event for event in outside.events}.values():
            if event.type == READINGS_AGGREGATED.type:
                window = READINGS_AGGREGATED.decode(event)
                found.append(("window", f"{window.start_time:%H:%M} {window.count} {window.revision}"))
            else:
                assert event.type == SIGNAL_LOST.type
                found.append(("lost", SIGNAL_LOST.decode(event).tag))
        return found

    @pytest.mark.parametrize("calls", range(3))
    @pytest.mark.parametrize("fault", ["before", "after", "kill before", "kill after"])
    async def test_are_told_once_whatever_fails(self, outside: Outside, calls: int, fault: str) -> None:
        """Calls: publish and save of the readings, then save and publish of the tick."""
        messages, clock = pressures([(1, 100), (2, 101), (61.5, 102)]), FakeClock()
        line = pipeline(outside, rules=rules_of(*self.RULES), clock=clock)
        await line.handle(batch_of(messages))
        await line.checkpoint()
        clock.seconds = 200
        outside.faults = ["ok"] * calls + [fault]
        try:
            await line.tick()
            await line.checkpoint()
        except TransientFault:
            await line.checkpoint()
        except Killed:
            line = await restarted(outside, messages, rules=rules_of(*self.RULES), clock=clock)
        await line.tick()  # one that could not be saved has changed nothing
        await line.checkpoint()
        assert sorted(self.told(outside)) == [
            ("lost", "P07.PRESSURE"),
            ("window", "06:00 2 0"),
            ("window", "06:01 1 0"),
        ]
        await line.tick()
        await line.checkpoint()
        assert "owed" not in outside.state
        assert len(self.told(outside)) == 3

    async def test_a_late_reading_is_told_as_a_revision(self, outside: Outside) -> None:
        clock = FakeClock()
        line = pipeline(outside, rules=rules_of(WINDOW), clock=clock)
        await line.handle(batch_of(pressures([(1, 100), (62.1, 101)])))
        await line.handle(batch_of(pressures([(30, 300)]), 3))
        clock.seconds = 63
        await line.tick()
        assert self.told(outside) == [("window", "06:00 1 0"), ("window", "06:00 2 1")]


class TestBrokenRules:
    """A bug in a rule costs the message that it breaks off on, and no other."""

    @pytest.fixture
    def bug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        take = ColumnarEvaluation.take

        def breaks_off(self: ColumnarEvaluation, readings: Readings) -> Results:
            results = take(self, readings)
            if 666 in readings.value:
                raise ZeroDivisionError
            return results

        monkeypatch.setattr(ColumnarEvaluation, "take", breaks_off)

    @staticmethod
    def batches(raws: Sequence[RawReading], cuts: Iterable[int]) -> list[RawBatch]:
        borders = [0, *cuts, len(raws)]
        return [batch_of(raws[a:b], a + 1) for a, b in pairwise(borders)]

    @pytest.mark.parametrize("cuts", [[], [1], [3], [2, 4, 6], [1, 2, 3, 4, 5, 6]])
    @pytest.mark.parametrize("saves_after", range(4))
    async def test_are_put_aside(
        self, outside: Outside, bug: None, cuts: list[int], saves_after: int
    ) -> None:
        rest = [*BREACH[:2], (20, 666), *BREACH[2:3], (30, 666), *BREACH[3:]]
        messages = pressures(rest)
        line = pipeline(outside)
        for number, batch in enumerate(self.batches(messages, cuts)):
            await line.handle(batch)
            if number == saves_after:
                await line.checkpoint()
        await line.checkpoint()
        assert starts(outside) == [10]
        assert sorted(record.ref for record in outside.exceptions) == ["RAW:3", "RAW:5"]
        assert {record.kind for record in outside.exceptions} == {ExceptionKind.TECHNICAL_FAULT}
        assert "ZeroDivisionError" in outside.exceptions[0].cause
        assert line.counters()["broken"] == 2

    async def test_while_a_checkpoint_is_under_way(self, outside: Outside, bug: None) -> None:
        messages = pressures([*BREACH[:3], (30, 666), *BREACH[3:]])
        line = pipeline(outside)
        await line.handle(batch_of(messages[:3]))
        saving = asyncio.create_task(line.checkpoint())
        await asyncio.sleep(0)
        assert outside.calls == ["save"]
        assert outside.state == {}
        await line.handle(batch_of(messages[3:], 4))
        await saving
        assert starts(outside) == [10]

    async def test_after_other_rules_came(self, outside: Outside, bug: None) -> None:
        messages = pressures([*BREACH[:2], (20, 666), *BREACH[2:]])
        line = pipeline(outside)
        await line.handle(batch_of(messages[:2]))
        await line.change(rules_at_work(rule_set(limit=221)))  # by which no episode began
        await line.handle(batch_of(messages[2:], 3))
        assert starts(outside) == [10]


async def test_other_rules_keep_the_state_of_those_that_stay(outside: Outside) -> None:
    line, messages = pipeline(outside), pressures(BREACH)
    await line.handle(batch_of(messages[:3]))
    await line.change(rules_at_work(rule_set(version="2")))
    await line.handle(batch_of(messages[3:], 4))
    await line.checkpoint()
    assert starts(outside) == [10]
    assert THRESHOLD_EXCEEDED.decode(outside.events[0]).rule_version == "2"
    again = await restarted(outside, messages, rules=rules_at_work(rule_set(version="2")))
    await again.handle(batch_of(pressures([(60, 240)]), 6))
    assert len(outside.events) == 1


async def test_what_the_lake_cannot_keep_changes_nothing(outside: Outside) -> None:
    from lineshaft.core.errors import ConfigError

    lake = Lake(outside)

    def refuse(tags: TagList) -> None:
        raise ConfigError("no such class")

    lake.change = refuse  # type: ignore[method-assign]
    line = pipeline(outside, lake=lake)
    before = line.rules
    with pytest.raises(ConfigError):
        await line.change(rules_at_work(rule_set(version="2")))
    assert line.rules is before


def test_what_the_room_offers() -> None:
    import lineshaft.telemetry as room

    assert room.__all__ == [
        "NO_TIME",
        "QUALITIES",
        "ColumnarEvaluation",
        "Decoder",
        "Evaluation",
        "Limit",
        "Live",
        "OnRebirth",
        "PayloadMaps",
        "Readings",
        "Results",
        "RuleSet",
        "Rules",
        "StateStore",
        "Tag",
        "TagList",
        "TelemetryPipeline",
        "parse_tags",
        "read_rules",
        "read_tags",
        "rebirth_request",
        "state_message",
        "tag_facts",
    ]
    assert all(hasattr(room, name) for name in room.__all__)
