"""Six tags of two presses, and readings of them as columns."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.readings import GOOD, Readings
from lineshaft.telemetry.rules.rule_set import RuleSet, read_rules
from lineshaft.telemetry.tags import TagList, parse_tags

S = 1_000_000
START = 1_714_543_200 * S  # 2024-05-01T06:00:00Z
TAGS = (
    "tag,topic,metric,property,equipment_id,physical_asset_id,unit,target_unit,asset_class,deadband\n"
    "A.P,a,p,pressure,A-EQ,A,BAR,,press,\n"
    "A.T,a,t,temperature,A-EQ,A,CEL,,press,1.5\n"
    "B.P,b,p,pressure,B-EQ,B,BAR,,press,2\n"
    "A.S,a,s,state,A-EQ,A,C62,,press,\n"
    "B.S,b,s,state,B-EQ,B,C62,,press,\n"
    "A.C,a,c,count,A-EQ,A,C62,,press,\n"
)


def tag_list() -> TagList:
    return parse_tags(TAGS, file="tags.csv")


def rules_of(document: object) -> RuleSet:
    return read_rules(document, tag_list(), file="rules.yaml")


class Message(msgspec.Struct, frozen=True):
    """stored: µs; readings: (tag, time in µs, value, quality, historical)"""

    stored: int
    readings: Sequence[tuple[int, int, float, int, bool]]


def batch_of(messages: Sequence[Message]) -> Readings:
    batch = RawBatch(
        stream="RAW",
        topics=["t"] * len(messages),
        payloads=[b""] * len(messages),
        stored_us=[message.stored for message in messages],
        sequences=[message.stored for message in messages],
    )
    rows = [(*reading, index) for index, message in enumerate(messages) for reading in message.readings]
    tag, time, value, quality, historical, message = zip(*rows, strict=True) if rows else [()] * 6
    return Readings(
        batch=batch,
        tag=np.array(tag, np.int32),
        time=np.array(time, np.int64),
        value=np.array(value, np.float64),
        quality=np.array(quality, np.uint8),
        historical=np.array(historical, np.bool_),
        message=np.array(message, np.int32),
    )


def at(
    tag: int,
    *readings: tuple[float, float],
    stored: float | None = None,
    quality: int = GOOD,
    historical: bool = False,
) -> Message:
    """One message with (seconds since START, value) of one tag, stored when the last one was measured."""
    rows = [(tag, START + round(seconds * S), value, quality, historical) for seconds, value in readings]
    return Message(START + round(stored * S) if stored is not None else rows[-1][1], rows)
