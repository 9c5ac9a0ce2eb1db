"""Any traffic, any batches, any faults: the backbone ends up with exactly the events of the readings."""

from __future__ import annotations

import asyncio
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.errors import TransientFault
from lineshaft.core.values import RawReading

from .edge_node import EdgeNode
from .plant import Killed, Outside, at, ms, pipeline, raw, rule_set

LIMIT, RELEASE, DEBOUNCE_S = 210, 205, 30
RULES = rule_set()
FAULTS = st.sampled_from(["ok"] * 5 + ["before", "after", "kill before", "kill after"])

# (tag, seconds of the device's clock, bar): small ranges, so that times repeat and come out of order.
traffic = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 150), st.sampled_from([204, 207, 210, 215])), max_size=40
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


async def deliver(messages: list[RawReading], outside: Outside, data: st.DataObject) -> None:
    """As a backbone does: what was not acknowledged comes again, at times after a batch that followed it."""
    line, waiting = pipeline(outside, RULES), list(messages)
    while waiting:
        size = data.draw(st.integers(1, 8))
        start = 0
        if not outside.faults:
            outside.faults = data.draw(st.lists(FAULTS, max_size=4))
        while start < len(waiting):
            batch = waiting[start : start + size]
            try:
                await line.handle(batch)
            except TransientFault:
                if data.draw(st.booleans()):
                    start += size  # the next batch was already under way
            except Killed:
                line = pipeline(outside, RULES)
                break
            else:
                kept = data.draw(st.integers(0, len(batch))) if data.draw(st.booleans()) else 0
                del waiting[start : start + len(batch) - kept]  # the last acknowledgements may get lost
                if kept:
                    break


@settings(max_examples=150, deadline=None)
@given(traffic, st.data())
def test_same_events_whatever_happens_on_the_way(
    readings: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    calm, rough = Outside(), Outside()
    messages = messages_of(readings)
    asyncio.run(pipeline(calm, RULES).handle(messages))
    assert told(calm) == expected(readings)
    assert len(calm.events) == len(calm.event_ids) == len(expected(readings))
    asyncio.run(deliver(messages, rough, data))
    assert rough.event_ids == calm.event_ids
    by_id = {event.id: event for event in calm.events}
    for event in rough.events:
        assert event == by_id[event.id]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([100, 208, 220]), max_size=40), st.integers(0, 3), st.data())
def test_sparkplug_sessions_survive_as_well(values: list[int], again: int, data: st.DataObject) -> None:
    node = EdgeNode()
    messages = [node.nbirth(), node.dbirth()]
    for number, bar in enumerate(values, start=1):
        messages.append(node.ddata(number * 12, bar))
        if again and number % (again + 4) == 0:
            messages += [node.nbirth(number * 12 + 1), node.dbirth(number * 12 + 1, bar)]
    calm, rough = Outside(), Outside()
    asyncio.run(pipeline(calm, RULES).handle(messages))
    asyncio.run(deliver(messages, rough, data))
    assert rough.event_ids == calm.event_ids
    assert calm.exceptions == rough.exceptions == []  # no restart looks like lost messages


@settings(max_examples=100, deadline=None)
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
    asyncio.run(pipeline(once, RULES).handle(messages))
    asyncio.run(pipeline(often, RULES).handle(doubled))
    assert often.event_ids == once.event_ids
