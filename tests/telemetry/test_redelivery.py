"""Any traffic, any batches, any faults: the backbone ends up with exactly the events of the readings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lineshaft.contracts.catalogue import READINGS_AGGREGATED, THRESHOLD_EXCEEDED
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import RawReading
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.telemetry import RuleSet, TelemetryPipeline, read_rules
from tests.examples import examples

from .edge_node import EdgeNode
from .plant import (
    RULE,
    FakeClock,
    Killed,
    Outside,
    at,
    batch_of,
    ms,
    pipeline,
    raw,
    rule_set,
    rules_at_work,
    tag_list,
)

LIMIT, RELEASE, DEBOUNCE_S = 210, 205, 30
RULES = rule_set()
FAULTS = st.sampled_from(["ok"] * 5 + ["before", "after", "kill before", "kill after"])
WINDOWS = {
    **{key: RULE[key] for key in ("id", "version", "property", "applies_to")},
    "kind": "window",
    "every_s": [20, 60],
}

T = TypeVar("T")

# (tag, seconds of the device's clock, bar): small ranges, so that times repeat and come out of order.
traffic = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 150), st.sampled_from([204, 207, 210, 215])),
    min_size=1,
    max_size=40,
)


def messages_of(readings: list[tuple[int, int, int]]) -> list[RawReading]:
    shapes = (
        ("plant/p07/pressure", b'{"value":%d,"time":%d}'),
        ("plant/p08", b'{"values":{"pressure":%d},"time":%d}'),
    )
    return [
        raw(shapes[tag][0], shapes[tag][1] % (bar, ms(seconds)), 200 + number, f"RAW:{number}")
        for number, (tag, seconds, bar) in enumerate(readings, start=1)
    ]


def expected(readings: list[tuple[int, int, int]]) -> set[tuple[str, datetime]]:
    """(asset, episode start) by a plain reading of the rule, tag by tag."""
    found: set[tuple[str, datetime]] = set()
    for tag, asset in enumerate(("PRESS-07", "PRESS-08")):
        newest, start = -1, None
        for source, seconds, bar in readings:
            if source != tag or seconds <= newest:
                continue
            newest = seconds
            if bar <= RELEASE:
                start = None
            elif bar > LIMIT:
                start = seconds if start is None else start
                if seconds - start >= DEBOUNCE_S:
                    found.add((asset, at(start)))
    return found


def told(outside: Outside) -> set[tuple[str, datetime]]:
    data = [THRESHOLD_EXCEEDED.decode(event) for event in outside.events]
    return {(item.physical_asset_id, item.episode_start) for item in data}


async def deliver(
    messages: Sequence[RawReading], outside: Outside, data: st.DataObject | None, rules: RuleSet = RULES
) -> None:
    """As a backbone does: every message once to a process that lives, and from the saved position on to the
    next one. Saves, ticks and deaths fall anywhere, and every call to the outside may fail.

    data  without it nothing fails, and all messages are one batch
    """
    clock, done, heard = FakeClock(), 0, 0

    def drawn(strategy: st.SearchStrategy[T], otherwise: T) -> T:
        return otherwise if data is None else data.draw(strategy)

    def begun() -> TelemetryPipeline:
        return pipeline(outside, rules=rules_at_work(rules), clock=clock)

    line = begun()
    await line.start()
    while True:
        try:
            if not outside.faults and done < len(messages):
                outside.faults = drawn(st.lists(FAULTS, max_size=4), [])
            batch = messages[done : done + drawn(st.integers(1, 8), 40)]
            if batch:
                clock.seconds = (batch[-1].received_at - at(0)).total_seconds()
                await line.handle(batch_of(batch, done + 1))
                done += len(batch)
                heard = max(heard, done)
            if done == len(messages):
                clock.seconds = 10_000
            last = done == len(messages)
            if done >= heard and (last or drawn(st.booleans(), True)):  # no message waits
                for _ in range(6 if last else 1):  # one that is not saved changes nothing
                    await line.tick()
            if last or drawn(st.booleans(), True):
                with contextlib.suppress(TransientFault):  # the next one makes up for it
                    await line.checkpoint()
                    if last:
                        return
        except Killed:
            line = begun()
            done = (await line.start()).get("RAW", StreamPosition(0)).sequence


@settings(max_examples=examples(50))
@given(traffic, st.data())
def test_same_events_whatever_happens_on_the_way(
    readings: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    calm, rough = Outside(), Outside()
    messages = messages_of(readings)
    asyncio.run(pipeline(calm, RULES).handle(batch_of(messages)))
    assert told(calm) == expected(readings)
    assert len(calm.events) == len(calm.event_ids) == len(expected(readings))
    asyncio.run(deliver(messages, rough, data))
    assert rough.event_ids == calm.event_ids
    by_id = {event.id: event for event in calm.events}
    for event in rough.events:
        assert event == by_id[event.id]


def last_told(outside: Outside) -> dict[tuple[object, ...], ReadingsAggregate]:
    """By tag, start and end. What has one id says one thing."""
    windows, by_id = {}, {event.id: event for event in outside.events}
    for event in outside.events:
        assert event == by_id[event.id]
        window = READINGS_AGGREGATED.decode(event)
        key = (window.tag, window.start_time, window.end_time)
        windows[key] = max(windows.get(key, window), window, key=lambda told: told.revision)
    return {key: replace(window, revision=0) for key, window in windows.items()}


@settings(max_examples=examples(50))
@given(traffic, st.data())
def test_windows_hold_each_reading_once(readings: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """A tick may tell a window before a late reading comes; its last revision has everything."""
    calm, rough, messages = Outside(), Outside(), messages_of(readings)
    rules = read_rules({"rules": [WINDOWS]}, tag_list(), file="rules.yaml")
    asyncio.run(deliver(messages, calm, None, rules))
    asyncio.run(deliver(messages, rough, data, rules))
    assert last_told(rough) == last_told(calm)
    assert last_told(calm)


@settings(max_examples=examples(25))
@given(st.lists(st.sampled_from([100, 208, 220]), max_size=40), st.integers(0, 3), st.data())
def test_sparkplug_sessions_survive_as_well(values: list[int], again: int, data: st.DataObject) -> None:
    node = EdgeNode()
    messages = [node.nbirth(), node.dbirth()]
    for number, bar in enumerate(values, start=1):
        messages.append(node.ddata(number * 12, bar))
        if again and number % (again + 4) == 0:
            messages += [node.nbirth(number * 12 + 1), node.dbirth(number * 12 + 1, bar)]
    calm, rough = Outside(), Outside()
    asyncio.run(pipeline(calm, RULES).handle(batch_of(messages)))
    asyncio.run(deliver(messages, rough, data))
    assert rough.event_ids == calm.event_ids
    assert calm.exceptions == rough.exceptions == []  # no restart looks like lost messages


@settings(max_examples=examples(40))
@given(traffic, st.data())
def test_more_copies_make_no_more_events(readings: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """A device or broker that sends again, later and in any number, adds nothing."""
    once, often = Outside(), Outside()
    messages = messages_of(readings)
    doubled: list[RawReading] = []
    for message in messages:
        doubled.append(message)
        if data.draw(st.booleans()):
            doubled.append(data.draw(st.sampled_from(doubled)))
    asyncio.run(pipeline(once, RULES).handle(batch_of(messages)))
    asyncio.run(pipeline(often, RULES).handle(batch_of(doubled)))
    assert often.event_ids == once.event_ids
