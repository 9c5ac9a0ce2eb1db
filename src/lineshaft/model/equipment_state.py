"""States of equipment and the stops that come of them. Source: OPC 30050 PackML, ISO 22400-2."""

from __future__ import annotations

from enum import IntEnum

from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.condition import Evidence

__all__ = ["STOP_STATES", "Downtime", "PackMLState", "StateChange", "UnitMode"]


class PackMLState(IntEnum):
    """Numbers of ISA-TR88.00.02."""

    UNDEFINED = 0
    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETE = 17


STOP_STATES = frozenset({PackMLState.STOPPED, PackMLState.SUSPENDED, PackMLState.ABORTED, PackMLState.HELD})
"""Settled states in which equipment that should run does not."""


class UnitMode(IntEnum):
    """Numbers of ISA-TR88.00.02; others are the machine builder's."""

    INVALID = 0
    PRODUCTION = 1
    MAINTENANCE = 2
    MANUAL = 3


class StateChange(Value, frozen=True, kw_only=True):
    """Equipment went from one PackML state into another.

    state, previous   numbers of PackMLState; previous is None at the first one ever seen
    mode              number of UnitMode, None where the equipment does not tell
    reason_code       as the equipment tells it, empty without one
    start_time        of the state, previous_start_time of the one before
    """

    equipment_id: Key
    physical_asset_id: Key
    rule: str
    rule_version: str
    state: int
    previous: int | None = None
    mode: int | None = None
    reason_code: str = ""
    start_time: Moment
    previous_start_time: Moment | None = None
    detected_at: Moment
    evidence: Evidence


class Downtime(Value, frozen=True, kw_only=True):
    """A stop in production mode that lasted at least the minor-stop threshold; runs too short to count do
    not split it. (equipment, rule, start_time) is one stop.

    state         number of PackMLState in which it began
    end_time      None while it lasts
    upstream      equipment, declared upstream, that had stopped before this did, and stands still; empty
                  without one
    minor_stop_s  the threshold: a shorter stop is a minor one
    """

    equipment_id: Key
    physical_asset_id: Key
    rule: str
    rule_version: str
    state: int
    mode: int | None = None
    reason_code: str = ""
    start_time: Moment
    end_time: Moment | None = None
    upstream: str = ""
    minor_stop_s: float = 300.0
    detected_at: Moment
