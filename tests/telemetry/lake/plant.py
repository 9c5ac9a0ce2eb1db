"""A tag list and readings for lakes under test: the same ones for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lineshaft.core.lake_policy import LakePolicy
from lineshaft.core.values import RawBatch
from lineshaft.telemetry.lake.query import query
from lineshaft.telemetry.readings import GOOD, Readings
from lineshaft.telemetry.tags import Tag, TagList

NOON_US = 1_777_636_800_000_000  # 2026-05-01T12:00:00Z
MESSAGE_US = 1000
POLICY = LakePolicy(keep={"standard": 400, "fine": 30})


def tag(index: int, keep: str = "standard", topic: str = "plant/x") -> Tag:
    return Tag(
        tag=f"t{index}",
        topic=topic,
        metric="value",
        property="pressure",
        equipment_id=f"EQ-{index // 2}",
        physical_asset_id=f"A-{index}",
        unit="BAR",
        target_unit="BAR",
        keep=keep,
    )


TAGS = TagList([tag(0), tag(1), tag(2, "fine"), tag(3, topic="")])


def batch(first: int, messages: int = 1, *, stream: str = "RAW", created: str = "once") -> RawBatch:
    """Messages `first`, `first` + 1, …; each 1 ms after the one before."""
    numbers = list(range(first, first + messages))
    return RawBatch(
        stream=stream,
        topics=["plant/x"] * messages,
        payloads=[b""] * messages,
        stored_us=[NOON_US + number * MESSAGE_US + 300 for number in numbers],
        sequences=numbers,
        created=created,
    )


def readings(
    of: RawBatch,
    tags: Sequence[int] = (0, 1, 2),
    *,
    value: float | None = None,
    time: int | None = None,
    quality: int = GOOD,
    historical: bool = False,
) -> Readings:
    """One of each of these tags in each message; without a value, sequence and tag make one."""
    message = np.repeat(np.arange(len(of), dtype=np.int32), len(tags))
    sequence = np.array(of.sequences)[message]
    tag = np.tile(np.array(tags, np.int32), len(of))
    times = NOON_US + sequence * MESSAGE_US if time is None else np.full(len(tag), time, np.int64)
    values = sequence + tag / 10 if value is None else np.full(len(tag), value)
    return Readings(
        batch=of,
        tag=tag,
        time=times,
        value=values.astype(np.float64),
        quality=np.full(len(tag), quality, np.uint8),
        historical=np.full(len(tag), historical, np.bool_),
        message=message,
    )


def files(root: Path) -> list[Path]:
    return sorted(root.glob("readings/*/*/*.parquet"))


def ask(root: Path, sql: str, policy: LakePolicy = POLICY) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in query(str(root), sql, policy).to_pylist()]
