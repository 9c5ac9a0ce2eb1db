"""Events of the domain equipment."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.aggregates import ReadingsAggregate
from lineshaft.model.condition import SignalLoss, ThresholdExceeded
from lineshaft.model.downtime import ClassifiedStop
from lineshaft.model.equipment_state import Downtime, StateChange
from lineshaft.model.performance import Alarm, KeyFigure, PerformanceDegradation
from lineshaft.model.systems import SystemKind as K

__all__ = [
    "ALARM_CLEARED",
    "ALARM_RAISED",
    "DOWNTIME_CLASSIFIED",
    "DOWNTIME_ENDED",
    "DOWNTIME_STARTED",
    "KPI_CALCULATED",
    "PERFORMANCE_DEGRADED",
    "READINGS_AGGREGATED",
    "SIGNAL_LOST",
    "STATE_CHANGED",
    "THRESHOLD_EXCEEDED",
]

THRESHOLD_EXCEEDED = EventContract(
    "equipment.condition.threshold_exceeded.v1",
    ThresholdExceeded,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=5,
    summary="A limit on a tag of an asset was broken for longer than its debounce time",
    entity="physical_asset",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.CMMS, K.APS),
)
SIGNAL_LOST = EventContract(
    "equipment.signal.lost.v1",
    SignalLoss,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=60,
    summary="No good reading of a tag came for longer than its rule allows",
    entity="physical_asset",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.CMMS,),
)
STATE_CHANGED = EventContract(
    "equipment.state.changed.v1",
    StateChange,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=5,
    summary="Equipment went into another PackML state",
    entity="equipment",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.MES, K.ANALYTICS),
)
DOWNTIME_STARTED = EventContract(
    "equipment.downtime.started.v1",
    Downtime,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=5,
    summary="A stop in production mode has lasted longer than a minor one",
    entity="downtime_record",
    producers=(K.IOT, K.MES),
    consumers=(K.CMMS, K.APS, K.ANALYTICS),
)
DOWNTIME_ENDED = EventContract(
    "equipment.downtime.ended.v1",
    Downtime,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=5,
    summary="A stop that was told as downtime is over",
    entity="downtime_record",
    producers=(K.IOT, K.MES),
    consumers=(K.CMMS, K.APS, K.ANALYTICS),
)
DOWNTIME_CLASSIFIED = EventContract(
    "equipment.downtime.classified.v1",
    ClassifiedStop,
    eventclass=EventClass.TRANSACTIONAL,
    owner="production",
    key="equipment_id",
    sla_s=60,
    summary="What a segment of a stop was, and whether it may be posted",
    entity="downtime_record",
    producers=(K.PLATFORM, K.MES),
    consumers=(K.ERP, K.CMMS, K.APS, K.ANALYTICS),
)
READINGS_AGGREGATED = EventContract(
    "equipment.readings.aggregated.v1",
    ReadingsAggregate,
    eventclass=EventClass.ANALYTICAL,
    owner="plant-engineering",
    key="equipment_id",
    order_by="tag",
    sla_s=60,
    summary="The readings of a tag in a window, in a few figures",
    entity="equipment",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.ANALYTICS,),
)

ALARM_RAISED = EventContract(
    "equipment.alarm.raised.v1",
    Alarm,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=5,
    summary="A machine has raised an alarm",
    entity="equipment",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.MES, K.CMMS),
)
ALARM_CLEARED = EventContract(
    "equipment.alarm.cleared.v1",
    Alarm,
    eventclass=EventClass.OPERATIONAL,
    owner="plant-engineering",
    key="equipment_id",
    sla_s=5,
    summary="An alarm of a machine is over",
    entity="equipment",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.MES, K.CMMS),
)
PERFORMANCE_DEGRADED = EventContract(
    "equipment.performance.degraded.v1",
    PerformanceDegradation,
    eventclass=EventClass.OPERATIONAL,
    owner="production",
    key="equipment_id",
    sla_s=60,
    summary="Equipment makes less than its order needs",
    entity="equipment",
    system_of_record=K.IOT,
    producers=(K.IOT,),
    consumers=(K.PLATFORM, K.APS),
)
KPI_CALCULATED = EventContract(
    "equipment.kpi.calculated.v1",
    KeyFigure,
    eventclass=EventClass.ANALYTICAL,
    owner="production",
    key="equipment_id",
    sla_s=3600,
    summary="A key figure of equipment was calculated",
    entity="equipment",
    system_of_record=K.PLATFORM,
    producers=(K.PLATFORM,),
    consumers=(K.ANALYTICS,),
)
