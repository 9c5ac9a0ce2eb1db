"""The condition of equipment as telemetry sees it."""

from __future__ import annotations

from enum import StrEnum

from lineshaft.core.values import Key, Moment, Value

__all__ = ["Evidence", "LimitKind", "SignalLoss", "ThresholdExceeded"]


class LimitKind(StrEnum):
    """high, low: of the value; rise, fall: of its change per second."""

    HIGH = "high"
    LOW = "low"
    RISE = "rise"
    FALL = "fall"


class Evidence(Value, frozen=True, kw_only=True):
    """The device reading that settled the breach, and where it is stored."""

    topic: str
    position: str
    time: Moment
    value: float


class ThresholdExceeded(Value, frozen=True, kw_only=True):
    """A limit was broken for longer than its debounce time.

    episode_start   time of the first reading beyond the limit; (asset, rule, episode_start) is one episode
    value, limit    in `unit`, UNECE Rec 20 code
    """

    equipment_id: Key
    physical_asset_id: Key
    rule: str
    rule_version: str
    property: str
    kind: LimitKind
    value: float
    limit: float
    unit: str
    severity: int
    episode_start: Moment
    detected_at: Moment
    evidence: Evidence


class SignalLoss(Value, frozen=True, kw_only=True):
    """No good reading of a tag came for longer than its rule allows.

    last_time   of the last good one, as the device said; (tag, rule, last_time) is one loss
    after_s     what the rule allows
    """

    tag: Key
    equipment_id: Key
    physical_asset_id: Key
    property: str
    rule: str
    rule_version: str
    severity: int
    last_time: Moment
    after_s: float
    detected_at: Moment
