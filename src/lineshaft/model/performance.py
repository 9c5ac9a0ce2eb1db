"""Alarms, degraded performance and key figures of equipment. Source: OPC UA Alarms, ISO 22400-2."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lineshaft.core.quantity import Unit
from lineshaft.core.values import Key, Moment, Value

__all__ = ["Alarm", "KeyFigure", "PerformanceDegradation"]


class Alarm(Value, frozen=True, kw_only=True):
    """An alarm that a machine raised, or that it has cleared.

    alarm_id        as the machine names it; (equipment, alarm, raised_time) is one alarm
    severity        1 to 1000, as OPC UA has it
    cleared_time    None while it stands
    """

    equipment_id: Key
    alarm_id: Key
    severity: int
    message: str
    raised_time: Moment
    physical_asset_id: Key | None = None
    cleared_time: Moment | None = None
    acknowledged_by: str | None = None


class PerformanceDegradation(Value, frozen=True, kw_only=True):
    """Equipment makes less than its order needs over [start_time, end_time).

    rate, expected_rate    in `unit` per hour, UNECE Rec 20
    expected_end_time      of the order, at this rate
    """

    equipment_id: Key
    rule: str
    start_time: Moment
    end_time: Moment
    rate: Decimal
    expected_rate: Decimal
    unit: Unit
    operations_request_id: Key | None = None
    expected_end_time: Moment | None = None


class KeyFigure(Value, frozen=True, kw_only=True):
    """One key figure over [start_time, end_time). kpi: name in ISO 22400-2, such as `availability`"""

    equipment_id: Key
    kpi: str
    value: Decimal
    unit: Unit
    start_time: Moment
    end_time: Moment
    revision: int = 0
    shift_id: Key | None = None
    shift_date: date | None = None
