"""Device messages as bytes that go to a NATS server as they are, and what must come of them.

1,000 tags, the 5,000 of batches and Sparkplug, or the one of a flood, tell in turn. Values lie between 20 and
60, the limit at 80, its release at 75. One reading in a thousand breaks the limit: an episode of a tag is a
reading beyond the limit, one between release and limit, and one beyond again, and only its first one is to be
told. In batches all of it is in one message, else in three messages of its tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.sparkplug import sparkplug_b_pb2 as pb

__all__ = ["LIMIT", "PER_MESSAGE", "RELEASE", "Breach", "Load", "Shape", "births", "make_load", "tag_names"]

LIMIT, RELEASE = 80.0, 75.0
PER_MESSAGE = 100
_DEVICES = 50  # of Sparkplug, with PER_MESSAGE metrics each
_EPISODE = (95.0, 77.0, 95.0)
_FIRST = 10  # place of an episode in a batch
_FIRST_ALIAS = 1 << 13  # all take two bytes

_Bytes: TypeAlias = NDArray[np.uint8]
_Floats: TypeAlias = NDArray[np.float64]
_Ints: TypeAlias = NDArray[np.int64]
_FOUR_DIGITS = np.array([list(b"%04d" % number) for number in range(10**4)], np.uint8)


class Shape(StrEnum):
    SINGLE = "single"
    BATCHES = "batches"
    SPARKPLUG = "sparkplug"
    FLOOD = "flood"

    @property
    def readings(self) -> int:
        """Of one message."""
        return PER_MESSAGE if self in (Shape.BATCHES, Shape.SPARKPLUG) else 1

    @property
    def tags(self) -> int:
        return {Shape.SINGLE: 1000, Shape.FLOOD: 1}.get(self, 5000)

    @property
    def sources(self) -> int:
        """Devices, which tell in turn."""
        return _DEVICES if self is Shape.SPARKPLUG else self.tags

    @property
    def stride(self) -> int:
        """Messages from one episode to the next: two of its readings in a thousand break the limit. It has no
        divisor in common with `sources`, so that each source has its turn."""
        return 2003 if self.readings == 1 else 21


class Breach(msgspec.Struct, frozen=True):
    """What one side has to tell. at: s after the load began, when its message is to be sent."""

    tag: str
    time_ms: int
    at: float


class Load(msgspec.Struct, frozen=True):
    """frames: PUB of the NATS protocol, one device message each; ends: where each ends"""

    frames: bytes
    ends: list[int]
    breaches: list[Breach]

    def chunks(self, size: int) -> list[memoryview]:
        """So many messages in each."""
        whole = memoryview(self.frames)
        borders = [0, *self.ends[size - 1 :: size]]
        if borders[-1] < len(whole):
            borders.append(len(whole))
        return [whole[begin:end] for begin, end in pairwise(borders)]


def tag_names(shape: Shape) -> list[str]:
    return [f"t{number:04}" for number in range(shape.tags)]


def make_load(
    shape: Shape, prefix: str, rate: float, seconds: float, from_ms: int, *, before: int = 0
) -> Load:
    """prefix    first token of the subjects
    rate      messages per second
    from_ms   device time of the first one, later than all of an earlier load
    before    messages of earlier loads, for the numbers of Sparkplug
    """
    count = max(int(rate * seconds), 1)
    # a source tells once per turn: its times differ by 1 ms at least, and by as many as a batch has readings
    # but for a flood, which repeats them
    least = {Shape.BATCHES: PER_MESSAGE, Shape.FLOOD: 0}.get(shape, 1)
    spacing = max(1000 / rate, least / shape.sources)
    times = from_ms + (np.arange(count) * spacing).astype(np.int64)
    values = np.random.default_rng(before).uniform(20, 60, count * shape.readings).round(2)
    values = values.reshape(count, shape.readings)
    breaches = list(_break(shape, values, times, rate))
    match shape:
        case Shape.SINGLE | Shape.FLOOD:
            frames, ends = _singles(prefix, shape, values, times)
        case Shape.BATCHES:
            frames, ends = _batches(prefix, values, times)
        case Shape.SPARKPLUG:
            frames, ends = _sparkplugs(prefix, values, times, before)
    return Load(frames, ends, breaches)


def _break(shape: Shape, values: _Floats, times: _Ints, rate: float) -> Iterator[Breach]:
    count, sources = len(values), shape.sources
    turns = 1 if shape is Shape.BATCHES else len(_EPISODE)
    for number, index in enumerate(range(1, count - (turns - 1) * sources, shape.stride)):
        source, time_ms = index % sources, int(times[index])
        if shape is Shape.BATCHES:
            values[index, _FIRST : _FIRST + len(_EPISODE)] = _EPISODE
            time_ms += _FIRST
        else:
            metric = number % shape.readings
            values[index : index + turns * sources : sources, metric][: len(_EPISODE)] = _EPISODE
            source = source * shape.readings + metric
        yield Breach(f"t{source:04}", time_ms, index / rate)


def _singles(prefix: str, shape: Shape, values: _Floats, times: _Ints) -> tuple[bytes, list[int]]:
    tags = _tags(len(values), shape)
    size = len(b'{"tag":"t0000","value":00.00,"time":0000000000000}')
    return _frames(
        len(values),
        [
            b"PUB %s.t" % prefix.encode(),
            tags,
            b' %d\r\n{"tag":"t' % size,
            tags,
            b'","value":',
            _decimal(values),
            b',"time":',
            _milliseconds(times[:, None]),
            b"}\r\n",
        ],
    )


def _batches(prefix: str, values: _Floats, times: _Ints) -> tuple[bytes, list[int]]:
    tags = _tags(len(values), Shape.BATCHES)
    size = len(b'{"tag":"t0000","value":[],"time":[]}') + 6 * PER_MESSAGE - 1 + 14 * PER_MESSAGE - 1
    return _frames(
        len(values),
        [
            b"PUB %s.t" % prefix.encode(),
            tags,
            b' %d\r\n{"tag":"t' % size,
            tags,
            b'","value":[',
            _separated(_decimal(values)),
            b'],"time":[',
            _separated(_milliseconds(times[:, None] + np.arange(PER_MESSAGE))),
            b"]}\r\n",
        ],
    )


def _frames(count: int, parts: list[bytes | _Bytes]) -> tuple[bytes, list[int]]:
    """Of equal length. A part is the same for all, or (count, values, characters)."""
    columns = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (count, len(part)))
        if isinstance(part, bytes)
        else part.reshape(count, -1)
        for part in parts
    ]
    rows = np.concatenate(columns, axis=1)
    width = rows.shape[1]
    return rows.tobytes(), list(range(width, rows.size + 1, width))


def _tags(count: int, shape: Shape) -> _Bytes:
    return _FOUR_DIGITS[np.arange(count) % shape.tags]


def _decimal(values: _Floats) -> _Bytes:
    """Five characters: from 0 to 99.99."""
    digits = _FOUR_DIGITS[np.rint(values * 100).astype(np.int64)]
    return np.insert(digits, 2, ord("."), axis=-1)


def _milliseconds(times: _Ints) -> _Bytes:
    """Thirteen characters: since 1970."""
    billions, rest = np.divmod(times, 10**8)
    digits = [np.stack([billions // 10**4 + ord("0")], axis=-1).astype(np.uint8)]
    digits += [_FOUR_DIGITS[each] for each in (billions % 10**4, rest // 10**4, rest % 10**4)]
    return np.concatenate(digits, axis=-1)


def _separated(texts: _Bytes) -> _Bytes:
    count = len(texts)
    return np.insert(texts, texts.shape[-1], ord(","), axis=-1).reshape(count, -1)[:, :-1]


def _sparkplugs(prefix: str, values: _Floats, times: _Ints, before: int) -> tuple[bytes, list[int]]:
    """DDATA with aliases and times; `seq` of the one edge node goes on from its births."""
    count = len(values)
    sample = pb.Metric(alias=_FIRST_ALIAS, timestamp=int(times[0]), double_value=1.0)
    metric = pb.Payload(metrics=[sample]).SerializeToString()
    rows = np.tile(np.frombuffer(metric, np.uint8), (count, PER_MESSAGE, 1))
    alias = _FIRST_ALIAS + (np.arange(count) % _DEVICES)[:, None] * PER_MESSAGE + np.arange(PER_MESSAGE)
    _varint(rows[:, :, 3:5], alias)
    _varint(rows[:, :, 6:12], times[:, None])
    rows[:, :, -8:] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(count, PER_MESSAGE, 8)
    whole, size = rows.tobytes(), PER_MESSAGE * len(metric)
    frames = []
    for index in range(count):
        about = pb.Payload(timestamp=int(times[index]), seq=(_DEVICES + 1 + before + index) % 256)
        payload = about.SerializeToString() + whole[index * size : (index + 1) * size]
        frames.append(_publication(_address(prefix, "DDATA", index % _DEVICES), payload))
    return b"".join(frames), list(accumulate(map(len, frames)))


def _varint(places: _Bytes, numbers: _Ints) -> None:
    """places: as many bytes as the numbers take, in the last axis"""
    last = places.shape[-1] - 1
    for place in range(last + 1):
        more = 0x80 if place < last else 0
        places[..., place] = numbers >> 7 * place & 0x7F | more


def births(prefix: str, at_ms: int) -> bytes:
    """Frames of NBIRTH and of each device's DBIRTH, aliases declared."""
    node = pb.Payload(timestamp=at_ms, seq=0)
    node.metrics.add(name="bdSeq", timestamp=at_ms, datatype=8, long_value=0)
    frames = [_publication(_address(prefix, "NBIRTH"), node.SerializeToString())]
    for device in range(_DEVICES):
        payload = pb.Payload(timestamp=at_ms, seq=device + 1)
        for number in range(PER_MESSAGE):
            alias = _FIRST_ALIAS + device * PER_MESSAGE + number
            payload.metrics.add(
                name=f"m{number:02}", alias=alias, timestamp=at_ms, datatype=10, double_value=20.0
            )
        frames.append(_publication(_address(prefix, "DBIRTH", device), payload.SerializeToString()))
    return b"".join(frames)


def _address(prefix: str, kind: str, device: int | None = None) -> str:
    return f"{prefix}.bench.{kind}.edge" + ("" if device is None else f".d{device:02}")


def _publication(subject: str, payload: bytes) -> bytes:
    return b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(payload), payload)
