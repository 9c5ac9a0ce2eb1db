"""What many readings come to: windows and counts."""

from __future__ import annotations

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value

__all__ = ["CountAggregate", "ReadingsAggregate"]


class ReadingsAggregate(Value, frozen=True, kw_only=True):
    """One tumbling window [start_time, end_time) of one tag, over its readings of good quality.

    revision        0 first, then one more each time that more readings in it are told
    count           readings; 0 only where a known state lasted all through it, else it would not be told
    first … mean    in `unit`, UNECE Rec 20 code
    time_in_state   seconds by name of PackMLState, of state tags only
    """

    tag: Key
    equipment_id: Key
    physical_asset_id: Key
    property: str
    rule: str
    rule_version: str
    start_time: Moment
    end_time: Moment
    revision: int = 0
    unit: str
    count: int
    min: float
    max: float
    mean: float
    last: float
    time_in_state: dict[str, float] = msgspec.field(default_factory=dict)


class CountAggregate(Value, frozen=True, kw_only=True):
    """What a counter of a machine counted in one window [start_time, end_time).

    epoch           when the counter was last born or reset: counts of one epoch add up
    from_count,
    to_count        as the device showed them
    quantity        between both, wraps and declared resets taken into account
    complete        False when a step in it could not be explained: that step adds nothing
    """

    equipment_id: Key
    physical_asset_id: Key
    property: str
    rule: str
    rule_version: str
    epoch: Moment
    start_time: Moment
    end_time: Moment
    revision: int = 0
    from_count: float
    to_count: float
    quantity: Quantity
    complete: bool = True
