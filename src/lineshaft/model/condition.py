"""The condition of equipment as telemetry sees it."""

from __future__ import annotations

from enum import StrEnum

from lineshaft.core.values import Key, Moment, Value

__all__ = ["Evidence", "LimitKind", "ThresholdExceeded"]


class LimitKind(StrEnum):
    HIGH = "high"
    LOW = "low"


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
