from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.core.values import ExceptionKind, Quality, Reading
from lineshaft.model.condition import LimitKind

from .edge_node import EdgeNode
from .plant import Outside, at, ms, pipeline, pressures, raw, rule_set

BREACH = [(0, 200), (10, 220), (25, 222), (40, 225), (50, 230)]


@pytest.fixture
def outside() -> Outside:
    return Outside()


async def test_a_breach_becomes_one_event_that_says_everything(outside: Outside) -> None:
    await pipeline(outside).handle(pressures(BREACH))
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


async def test_readings_that_break_nothing_publish_nothing(outside: Outside) -> None:
    line = pipeline(outside)
    await line.handle(pressures([(0, 100), (1, 205), (2, 210)]))
    assert outside.calls == ["save"]
    assert line.live["P07.PRESSURE"].value == 210
    assert line.counters.readings == 3


async def test_units_are_converted_before_rules_and_live_values(outside: Outside) -> None:
    line = pipeline(outside, rule_set(debounce_s=0))
    await line.handle([raw("plant/p08", b'{"values":{"pressure":211}}')])
    assert line.live["P08.PRESSURE"].value == pytest.approx(21100)
    data = THRESHOLD_EXCEEDED.decode(outside.events[0])
    assert (data.value, data.limit, data.unit) == (pytest.approx(21100), 21000, "KPA")


async def test_only_good_quality_decides(outside: Outside) -> None:
    rules = rule_set(debounce_s=0)
    line = pipeline(outside, rules)
    topic = "plant/p07/pressure"
    for second, (bar, quality) in enumerate(
        [(220, "bad"), (220, "uncertain"), (220, "stale"), (220, "good"), (100, "bad"), (100, "stale")]
    ):
        payload = b'{"value":%d,"quality":"%s","time":%d}' % (bar, quality.encode(), ms(second))
        await line.handle([raw(topic, payload, second)])
    assert [THRESHOLD_EXCEEDED.decode(event).episode_start for event in outside.events] == [at(3)]
    assert line.live["P07.PRESSURE"].quality is Quality.STALE
    await line.handle([raw(topic, b'{"value":220,"time":%d}' % ms(7), 7)])
    assert len(outside.events) == 1  # the episode of second 3 is still on


async def test_late_and_doubled_readings_change_nothing(outside: Outside) -> None:
    line = pipeline(outside, rule_set(debounce_s=0))
    await line.handle(pressures([(10, 100)]))
    await line.handle(pressures([(5, 220), (10, 220)]))
    assert outside.events == []
    assert line.live["P07.PRESSURE"].value == 100
    assert (line.counters.late, line.counters.duplicates) == (1, 1)


async def test_the_future_is_quarantined(outside: Outside) -> None:
    line = pipeline(outside, rule_set(debounce_s=0))
    topic = "plant/p07/pressure"
    await line.handle(
        [
            raw(topic, b'{"value":220,"time":%d}' % ms(301), 0),
            raw(topic, b'{"value":220,"time":%d}' % ms(310), 10, "RAW:2"),
        ]
    )
    (record,) = outside.exceptions
    assert (record.kind, record.source) == (ExceptionKind.UNPOSTABLE_READING, topic)
    assert [event.time for event in outside.events] == [at(310)]
    assert line.counters.quarantined == 1


async def test_an_unknown_tag_is_told_once(outside: Outside) -> None:
    line = pipeline(outside)
    message = raw("plant/p99", b'{"values":{"pressure":1,"oil":2}}', 0, "RAW:7")
    await line.handle([message, message])
    await line.handle([message])
    assert [record.kind for record in outside.exceptions] == [ExceptionKind.UNKNOWN_TAG] * 2
    first = outside.exceptions[0]
    assert (first.owner, first.source, first.ref) == ("plant-engineering", "plant/p99", "RAW:7")
    assert "'pressure' of 'plant/p99'" in first.cause
    assert "tag list" in first.cause
    assert line.counters.unknown == 6


async def test_unknown_tags_are_bounded(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineshaft.telemetry.screening._UNKNOWN_CAP", 3)
    line = pipeline(outside)
    await line.handle([raw(f"made/up/{number}", b'{"value":1}') for number in range(10)])
    assert len(outside.exceptions) == 4
    assert "more than 3" in outside.exceptions[-1].cause
    assert line.counters.unknown == 10


async def test_a_malformed_reading_harms_no_other(outside: Outside) -> None:
    line = pipeline(outside, rule_set(debounce_s=0))
    bad = raw("plant/p07/pressure", b'{"value":"220"}' + b" " * 20_000, 0, "RAW:9")
    (good,) = pressures([(1, 220)])
    await line.handle([bad, good])
    (record,) = outside.exceptions
    assert (record.kind, record.ref, len(record.payload)) == (ExceptionKind.MALFORMED_READING, "RAW:9", 16384)
    assert "value is a string" in record.cause
    assert len(outside.events) == 1
    assert line.counters.malformed == 1


async def test_equal_faults_of_one_message_are_one_record(outside: Outside) -> None:
    line = pipeline(outside)
    await line.handle([raw("plant/p07/pressure", b'[{"value":"a"},{"value":"b"},{"value":true}]')])
    assert len(outside.exceptions) == 2
    assert line.counters.malformed == 3


async def test_a_value_too_large_for_its_unit(outside: Outside) -> None:
    await pipeline(outside).handle([raw("plant/p08", b'{"values":{"pressure":1e307}}')])
    assert "too large for unit KPA" in outside.exceptions[0].cause
    assert outside.events == []


async def test_two_tags_of_one_asset_in_one_batch_are_one_event(outside: Outside) -> None:
    from lineshaft.telemetry import parse_tags, read_rules

    from .plant import HEADER, RULE

    rows = "A,d,a,hydraulic_pressure,E,P,BAR,,press\nB,d,b,hydraulic_pressure,E,P,BAR,,press\n"
    tags = parse_tags(HEADER + rows, file="t.csv")
    rules = read_rules({"rules": [{**RULE, "debounce_s": 0}]}, tags, file="r.yaml")
    await pipeline(outside, rules, tags=tags).handle([raw("d", b'{"values":{"a":220,"b":230}}')])
    assert len(outside.events) == 1


async def test_live_readings_are_handed_on_after_all_is_saved(outside: Outside) -> None:
    seen: list[Reading] = []

    def on_live(readings: Sequence[Reading]) -> None:
        assert outside.calls[-1] == "save"
        seen.extend(readings)

    line = pipeline(outside, on_live=on_live)
    await line.handle(pressures([(1, 100), (2, 101)]))
    assert [reading.value for reading in seen] == [100, 101]
    assert (seen[0].equipment_id, seen[0].unit, seen[0].position) == ("PRESS-07-EQ", "BAR", "RAW:1")


class TestSparkplug:
    async def test_from_birth_to_event(self, outside: Outside) -> None:
        node = EdgeNode()
        messages = [node.nbirth(), node.dbirth(), *(node.ddata(s, 220) for s in (10, 20, 40))]
        line = pipeline(outside)
        await line.handle(messages)
        (event,) = outside.events
        data = THRESHOLD_EXCEEDED.decode(event)
        assert (data.physical_asset_id, data.episode_start) == ("PRESS-09", at(10))
        assert data.evidence.topic == "spBv1.0/north/DDATA/line1/p09"
        assert data.evidence.position == "RAW:5"
        assert line.live["P09.OIL"].value == -3
        assert line.live["L1.SPEED"].value == -7
        assert outside.exceptions == []

    async def test_after_a_death_values_are_stale_and_decide_nothing(self, outside: Outside) -> None:
        node, line = EdgeNode(), pipeline(Outside())
        line = pipeline(outside)
        await line.handle([node.nbirth(), node.dbirth(), node.ddata(10, 220), node.ndeath(20)])
        assert {reading.quality for reading in line.live.values()} == {Quality.STALE}
        assert line.live["P09.PRESSURE"].value == 220
        await line.handle([node.nbirth(30), node.dbirth(30, pressure=220.0), node.ddata(41, 220)])
        assert [THRESHOLD_EXCEEDED.decode(event).episode_start for event in outside.events] == [at(10)]
        assert {reading.quality for reading in line.live.values()} == {Quality.GOOD}

    async def test_a_birth_that_repeats_a_reading_makes_it_good_again(self, outside: Outside) -> None:
        node, line = EdgeNode(), pipeline(outside)
        await line.handle([node.nbirth(), node.dbirth(5), node.ndeath(6)])
        node.bd_seq = 1
        await line.handle([node.nbirth(7), node.dbirth(5)])
        assert line.live["P09.PRESSURE"].quality is Quality.GOOD

    async def test_history_is_kept_out_of_live_values(self, outside: Outside) -> None:
        node, line = EdgeNode(), pipeline(outside, rule_set(debounce_s=0))
        await line.handle([node.nbirth(), node.dbirth(), node.ddata(10, 500, is_historical=True)])
        assert outside.events == []
        assert line.live["P09.PRESSURE"].value == 100
        assert line.counters.historical == 1

    async def test_a_rebirth_is_asked_for_after_everything_is_saved(self, outside: Outside) -> None:
        asked: list[str] = []

        async def on_rebirth(topic: str, payload: bytes) -> None:
            assert outside.calls[-1] == "save"
            asked.append(topic)
            raise TransientFault("broker: no answer")

        line = pipeline(outside, on_rebirth=on_rebirth)
        await line.handle([EdgeNode().ddata(1, 100)])
        assert asked == ["spBv1.0/north/NCMD/line1"]
        assert line.counters.rebirths == 1
        assert outside.exceptions[0].kind is ExceptionKind.UNPOSTABLE_READING

    async def test_commands_and_state_are_no_readings(self, outside: Outside) -> None:
        line = pipeline(outside)
        topics = ["spBv1.0/STATE/scada", "STATE/scada", "spBv1.0/north/NCMD/line1"]
        await line.handle([raw(topic, b"OFFLINE") for topic in topics])
        assert outside.calls == []
        assert line.counters.messages == 3


class TestOrderOfFailure:
    """What happens when each step fails, before or after it took effect."""

    @pytest.mark.parametrize("step", range(3))
    @pytest.mark.parametrize("fault", ["before", "after"])
    @pytest.mark.parametrize("overtaken", [False, True])
    async def test_the_batch_comes_again(
        self, outside: Outside, step: int, fault: str, overtaken: bool
    ) -> None:
        """In order, or after a later batch has overtaken it."""
        messages = [raw("plant/p99", b'{"value":1}'), *pressures(BREACH)]
        line = pipeline(outside)
        outside.faults = ["ok"] * step + [fault]
        with pytest.raises(TransientFault):
            await line.handle(messages[:5])
        for batch in (messages[5:], messages[:5]) if overtaken else (messages[:5], messages[5:]):
            await line.handle(batch)
        assert len(outside.event_ids) == 1
        assert THRESHOLD_EXCEEDED.decode(outside.events[0]).episode_start == at(10)
        assert outside.state != {}

    @pytest.mark.parametrize("step", range(3))
    @pytest.mark.parametrize("fault", ["kill before", "kill after"])
    async def test_the_process_is_killed(self, outside: Outside, step: int, fault: str) -> None:
        from .plant import Killed

        messages = [raw("plant/p99", b'{"value":1}'), *pressures(BREACH)]
        outside.faults = ["ok"] * step + [fault]
        with pytest.raises(Killed):
            await pipeline(outside).handle(messages[:5])
        await pipeline(outside).handle(messages)
        assert len(outside.event_ids) == 1
        assert {event.data for event in outside.events} == {
            outside.events[0].data
        }  # told again, word for word

    async def test_what_is_owed_does_not_grow_with_each_attempt(self, outside: Outside) -> None:
        line = pipeline(outside)
        messages = [raw("plant/p07/pressure", b"?", 0, "RAW:0"), *pressures(BREACH)]
        outside.faults = ["before"] * 9
        for _ in range(9):
            with pytest.raises(TransientFault):
                await line.handle(messages)
        await line.handle(messages)
        assert outside.calls == ["publish"] * 10 + ["report", "save"]
        assert (len(outside.events), len(outside.exceptions)) == (1, 1)

    async def test_every_batch_keeps_its_place_while_nothing_answers(self, outside: Outside) -> None:
        line = pipeline(outside)
        outside.faults = ["before"] * len(BREACH)
        for message in pressures(BREACH):
            with pytest.raises(TransientFault):
                await line.handle([message])
        for message in reversed(pressures(BREACH)):
            await line.handle([message])
        assert [THRESHOLD_EXCEEDED.decode(event).episode_start for event in outside.events] == [at(10)]

    async def test_cancelled_while_publishing(self, outside: Outside) -> None:
        line = pipeline(outside)
        reached = asyncio.Event()
        publish = outside.publish

        async def hang(events: object) -> None:
            reached.set()
            await asyncio.Event().wait()

        outside.publish = hang  # type: ignore[assignment, method-assign]
        task = asyncio.create_task(line.handle(pressures(BREACH)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        outside.publish = publish  # type: ignore[method-assign]
        await line.handle(pressures(BREACH))
        assert len(outside.events) == 1

    async def test_batches_handed_over_at_once_take_turns(self, outside: Outside) -> None:
        line = pipeline(outside, rule_set(debounce_s=0))
        messages = pressures((float(second), 220 if second % 2 else 200) for second in range(40))
        await asyncio.gather(*(line.handle([message]) for message in messages))
        assert [event.time for event in outside.events] == [at(second) for second in range(1, 40, 2)]
        assert outside.calls[-1] == "save"
        assert line.counters.late == 0

    async def test_state_that_was_not_saved_is_saved_with_the_next_batch(self, outside: Outside) -> None:
        line = pipeline(outside)
        outside.faults = ["before"]
        with pytest.raises(TransientFault):
            await line.handle(pressures(BREACH[:2]))
        await line.handle(pressures(BREACH[:2]))
        later = pressures(BREACH)[2:]
        await pipeline(outside).handle(later)  # another process takes over
        assert [THRESHOLD_EXCEEDED.decode(event).episode_start for event in outside.events] == [at(10)]

    async def test_a_bug_half_way_through_a_batch_goes_back_to_what_was_saved(
        self, outside: Outside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = pipeline(outside)
        messages = pressures(BREACH)
        await line.handle(messages[:2])
        with monkeypatch.context() as patched:
            patched.setattr("lineshaft.telemetry.screening._breach", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await line.handle(messages[2:])
        await line.handle(messages[2:])
        assert [event.time for event in outside.events] == [at(40)]

    async def test_state_that_cannot_be_read_is_named(self, outside: Outside) -> None:
        await pipeline(outside).handle(pressures(BREACH))
        key = "limit/hydraulic-pressure-high/P07.PRESSURE"
        outside.state[key] = b"\xc1"
        with pytest.raises(PermanentFault, match=key):
            await pipeline(outside).start()

    async def test_a_store_that_is_away_at_the_start_is_asked_again_with_the_first_batch(
        self, outside: Outside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await pipeline(outside).handle(pressures(BREACH)[:2])
        after_restart, messages = pipeline(outside), pressures(BREACH)[2:]
        with monkeypatch.context() as away:

            async def load() -> dict[str, bytes]:
                raise TransientFault("the database does not answer")

            away.setattr(outside, "load", load)
            await after_restart.start()
            with pytest.raises(TransientFault):
                await after_restart.handle(messages)
        await after_restart.handle(messages)
        assert [event.time for event in outside.events] == [at(40)]

    async def test_state_of_what_is_gone_is_left_alone(self, outside: Outside) -> None:
        outside.state = {"limit/gone/P07.PRESSURE": b"\xc1", "seen/gone": b"\xc1", "other": b"\xc1"}
        await pipeline(outside).start()


def test_what_the_room_offers() -> None:
    import lineshaft.telemetry as room

    assert room.__all__ == [
        "Counters",
        "Limit",
        "LimitRule",
        "RuleSet",
        "StateStore",
        "Tag",
        "TagList",
        "TelemetryPipeline",
        "parse_tags",
        "read_rules",
        "read_tags",
        "rebirth_request",
    ]
    assert all(hasattr(room, name) for name in room.__all__)
