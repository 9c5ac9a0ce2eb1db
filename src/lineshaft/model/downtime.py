"""What a stop was: the reason that people gave, and the class that decides whether it is posted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from lineshaft.core.values import Key, Moment, Value

__all__ = ["ClassifiedStop", "StopClass", "StopReason", "StopRef"]


class StopRef(Value, frozen=True, kw_only=True):
    """A stop whose reason is asked for. reason_code: as the equipment tells it, empty without one."""

    equipment_id: Key
    start_time: Moment
    end_time: Moment
    reason_code: str = ""


class StopReason(Value, frozen=True, kw_only=True):
    """code: empty while nobody has given one; leaf: none is finer; erp_postable: downtime of it is posted."""

    equipment_id: Key
    code: str = ""
    leaf: bool = False
    erp_postable: bool = False


class StopClass(StrEnum):
    DOWNTIME = "downtime"
    MINOR_STOP = "minor_stop"
    BLOCKED_OR_STARVED = "blocked_or_starved"
    PLANNED = "planned"
    NOT_SCHEDULED = "not_scheduled"
    UNCLASSIFIED = "unclassified"


class ClassifiedStop(Value, frozen=True, kw_only=True):
    """One segment [start_time, end_time) of a stop, within one shift.

    stop_start_time           of the whole stop; (equipment, rule, it, segment, revision) is one fact
    segment                   number within the stop, from 0
    revision                  one more each time the segment was classified anew: what was posted is reversed
    duration                  seconds
    erp_postable              only then it may be posted
    cause                     why it is not, or of this class: snake_case; empty where there is nothing to say
    root_cause_equipment_id   the equipment upstream that stopped first
    """

    equipment_id: Key
    physical_asset_id: Key
    rule: str
    rule_version: str
    stop_start_time: Moment
    segment: int
    revision: int = 0
    start_time: Moment
    end_time: Moment
    duration: Decimal
    classification: StopClass
    erp_postable: bool
    cause: str = ""
    reason_code: str = ""
    root_cause_equipment_id: Key | None = None
    work_center_id: Key
    operations_request_id: Key | None = None
    job_order_id: Key | None = None
    shift_id: Key | None = None
    shift_date: date | None = None
