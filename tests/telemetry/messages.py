"""Device messages as batches, and readings as plain tuples to compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from lineshaft.core.values import RawBatch, RawReading
from lineshaft.telemetry.decode.payload_maps import PayloadMaps
from lineshaft.telemetry.decoder import Decoded, Decoder
from lineshaft.telemetry.readings import QUALITIES, Readings
from lineshaft.telemetry.tags import TagList, parse_tags

from .plant import HEADER, FakeClock, at, batch_of, tag_list

__all__ = ["Seen", "batch_of", "decoder", "pieces", "seen", "tags_of", "us"]


class Seen(NamedTuple):
    """value: None for NaN, so that two are equal; time: µs since 1970"""

    tag: str
    value: float | None
    time: int
    quality: str = "good"
    historical: bool = False
    message: int = 0


def us(seconds: float) -> int:
    """µs since 1970 of so many seconds after T0."""
    return round(at(seconds).timestamp() * 1_000_000)


def tags_of(*rows: tuple[str, str, str]) -> TagList:
    """(tag, topic, metric) of each, in bar."""
    return parse_tags(HEADER + "".join(f"{t},{a},{m},p,E,A,BAR,,\n" for t, a, m in rows), file="tags.csv")


def decoder(
    tags: TagList | None = None, maps: PayloadMaps | None = None, **options: float | str | frozenset[str]
) -> Decoder:
    return Decoder(tags or tag_list(), maps, FakeClock(), **options)  # type: ignore[arg-type]


def pieces(raws: Sequence[RawReading], cuts: Iterable[int]) -> list[RawBatch]:
    """The messages in batches that begin at these places."""
    borders = sorted({0, len(raws), *(cut % (len(raws) + 1) for cut in cuts)})
    return [batch_of(raws[a:b], a + 1) for a, b in pairwise(borders)]


def seen(readings: Readings | Decoded, tags: TagList | None = None, first: int = 0) -> list[Seen]:
    """first: added to the index of each message"""
    if isinstance(readings, Decoded):
        readings = readings.readings
    names = (tags or tag_list()).names
    return [
        Seen(
            names[tag], None if math.isnan(value) else value, time, str(QUALITIES[grade]), old, first + index
        )
        for tag, value, time, grade, old, index in zip(
            readings.tag.tolist(),
            readings.value.tolist(),
            readings.time.tolist(),
            readings.quality.tolist(),
            readings.historical.tolist(),
            readings.message.tolist(),
            strict=True,
        )
    ]
