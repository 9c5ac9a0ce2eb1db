"""A session of an edge node that is not ours, replayed: what it sent is what we read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from lineshaft.core.values import RawReading, moment_of
from tests.telemetry.messages import Seen, decoder, pieces, seen, tags_of

RECORDED = Path(__file__).parent / "recorded"
METRICS = ("pressure", "temperature", "count", "state", "running", "offset")
PRESS, NODE = "north/line2/press", "north/line2"
TAGS = tags_of(("speed", NODE, "speed"), *((metric, PRESS, metric) for metric in METRICS))


def lines(name: str) -> list[list[object]]:
    return [json.loads(line) for line in (RECORDED / name).read_text().splitlines()]


def session() -> list[RawReading]:
    return [
        RawReading(topic=topic, payload=bytes.fromhex(payload), received_at=moment_of(stored))  # type: ignore[arg-type]
        for topic, payload, stored in lines("sparkplug_client.jsonl")
    ]


def sent() -> list[tuple[str, float | None, int, bool]]:
    return [
        (metric, value, time * 1000, bool(historical))  # type: ignore[misc, operator]
        for _, metric, value, time, historical in lines("sparkplug_client.sent.jsonl")
        if metric != "label"
    ]


@pytest.mark.parametrize("every", [1, 7, 50, 1000])
def test_what_was_sent_is_read(every: int) -> None:
    host, first = decoder(TAGS), 0
    told: list[Seen] = []
    for batch in pieces(session(), range(0, len(session()), every)):
        saved = host.saved()
        host = decoder(TAGS)
        host.restore(saved)
        decoded = host.decode(batch)
        assert decoded.faults == []
        assert decoded.rebirths == []
        told += seen(decoded, TAGS, first)
        first += len(batch)
    stale = [reading for reading in told if reading.quality == "stale"]
    read = [(one.tag, one.value, one.time, one.historical) for one in told if one.quality in ("good", "bad")]
    assert read == sent()
    assert [one.quality for one in told if one.value is None and one.quality != "stale"] == ["bad"]
    # A rebirth on request, the death of the device, and twice that of the edge node.
    assert [reading.tag for reading in stale] == [*METRICS, *METRICS, *(["speed", *METRICS] * 2)]


def test_a_lost_message_is_noticed_and_a_late_one_is_not() -> None:
    messages = session()
    lost = messages[:20] + messages[21:]
    decoded = decoder(TAGS, reorder_s=0.001).decode(pieces(lost, [])[0])
    assert decoded.counters.gaps == 1
    assert [topic for topic, _ in decoded.rebirths] == ["spBv1.0/north/NCMD/line2"]
    late = [*messages[:20], messages[21], messages[22], messages[20], *messages[23:]]
    late[22] = RawReading(
        topic=late[22].topic,
        payload=late[22].payload,
        received_at=late[21].received_at + timedelta(microseconds=1),
    )
    decoded = decoder(TAGS).decode(pieces(late, [])[0])
    assert decoded.rebirths == []
    read = [
        (one.tag, one.value, one.time, one.historical)
        for one in seen(decoded, TAGS)
        if one.quality in ("good", "bad")
    ]
    assert read == sent()
