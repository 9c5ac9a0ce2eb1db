"""The bytes of a load are what they claim to be; read plainly, the rule finds exactly its breaches."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from lineshaft.app.bench.telemetry.load import LIMIT, PER_MESSAGE, RELEASE, Load, Shape, births, make_load
from lineshaft.telemetry.sparkplug import sparkplug_b_pb2 as pb

BEGUN_MS = 1_795_260_000_123
COUNTS = {Shape.SINGLE: 40_000, Shape.BATCHES: 6_000, Shape.SPARKPLUG: 2_000}


def load(shape: Shape, *, before: int = 0) -> Load:
    return make_load(shape, "plant", COUNTS[shape] / 2, 2.0, BEGUN_MS, before=before)


def published(frames: bytes) -> Iterator[tuple[str, bytes]]:
    """Subject and payload of each PUB, as a server reads them."""
    place = 0
    while place < len(frames):
        head_ends = frames.index(b"\r\n", place)
        verb, subject, size = frames[place:head_ends].split()
        assert verb == b"PUB"
        payload_ends = head_ends + 2 + int(size)
        assert frames[payload_ends : payload_ends + 2] == b"\r\n"
        yield subject.decode(), frames[head_ends + 2 : payload_ends]
        place = payload_ends + 2


def readings(shape: Shape, frames: bytes) -> Iterator[tuple[str, float, int]]:
    """Tag, value and time, as a device meant them."""
    names: dict[int, str] = {}
    if shape is Shape.SPARKPLUG:
        for subject, payload in published(births("plant", BEGUN_MS)):
            for metric in pb.Payload.FromString(payload).metrics:
                if metric.HasField("alias"):
                    device = int(subject.rpartition(".d")[2])
                    names[metric.alias] = f"t{device * PER_MESSAGE + int(metric.name[1:]):04}"
    for subject, payload in published(frames):
        if shape is Shape.SPARKPLUG:
            for metric in pb.Payload.FromString(payload).metrics:
                yield names[metric.alias], metric.double_value, metric.timestamp
            continue
        message = msgspec.json.decode(payload)
        assert subject == f"plant.{message['tag']}"
        if shape is Shape.SINGLE:
            yield message["tag"], message["value"], message["time"]
        else:
            for value, time_ms in zip(message["value"], message["time"], strict=True):
                yield message["tag"], value, time_ms


@pytest.mark.parametrize("shape", list(COUNTS))
def test_the_rule_read_plainly_finds_its_breaches(shape: Shape) -> None:
    made = load(shape)
    found, high, newest = [], set(), {}
    seen = beyond = 0
    for tag, value, time_ms in readings(shape, made.frames):
        assert newest.get(tag, BEGUN_MS - 1) < time_ms
        newest[tag] = time_ms
        seen += 1
        beyond += value > LIMIT
        if value > LIMIT and tag not in high:
            high.add(tag)
            found.append((tag, time_ms))
        elif value <= RELEASE:
            high.discard(tag)
    assert found == [(breach.tag, breach.time_ms) for breach in made.breaches]
    assert seen == COUNTS[shape] * shape.readings
    assert len(newest) == shape.tags
    assert beyond / seen == pytest.approx(0.001, rel=0.2)
    assert len(found) == beyond / 2


@pytest.mark.parametrize("shape", list(COUNTS))
def test_chunks_are_whole_messages_and_all_of_them(shape: Shape) -> None:
    made = load(shape)
    chunks = made.chunks(333)
    assert b"".join(chunks) == made.frames
    assert [len(list(published(bytes(chunk)))) for chunk in chunks[:-1]] == [333] * (len(chunks) - 1)
    assert len(made.ends) == COUNTS[shape]


def test_sparkplug_numbers_go_on_from_the_births_and_from_load_to_load() -> None:
    sent = [births("plant", BEGUN_MS), load(Shape.SPARKPLUG).frames]
    sent.append(load(Shape.SPARKPLUG, before=COUNTS[Shape.SPARKPLUG]).frames)
    numbers = [pb.Payload.FromString(payload).seq for frames in sent for _, payload in published(frames)]
    assert numbers == [number % 256 for number in range(len(numbers))]
