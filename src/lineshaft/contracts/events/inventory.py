"""Events of the domain inventory."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.inventory import BalanceUpdate, Reservation, StockMovement
from lineshaft.model.stock import (
    BalanceReconciliation,
    MaterialMovement,
    RejectedMovement,
    ReservationRecord,
    StockShortfall,
)
from lineshaft.model.systems import SystemKind as K

__all__ = [
    "BALANCE_CHANGED",
    "BALANCE_RECONCILED",
    "MATERIAL_CONSUMED",
    "MATERIAL_RECEIVED",
    "MATERIAL_TRANSFERRED",
    "MOVEMENT_POSTED",
    "MOVEMENT_REJECTED",
    "RESERVATION_CREATED",
    "RESERVATION_RELEASED",
    "STOCK_FELL_BELOW_THRESHOLD",
]

RESERVATION_CREATED = EventContract(
    "inventory.reservation.created.v1",
    Reservation,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="id",
    order_by="material_definition_id",
    sla_s=30,
    summary="Stock is promised to a reference",
    entity="reservation",
    producers=(K.ERP, K.WMS),
    consumers=(K.CMMS, K.MES),
)
BALANCE_CHANGED = EventContract(
    "inventory.balance.changed.v1",
    BalanceUpdate,
    eventclass=EventClass.OPERATIONAL,
    owner="warehouse",
    key="material_definition_id",
    sla_s=60,
    summary="A mirrored stock balance follows its system of record",
    entity="stock_balance",
    producers=(K.ERP, K.WMS),
    consumers=(K.APS, K.CRM),
)
MOVEMENT_POSTED = EventContract(
    "inventory.movement.posted.v1",
    StockMovement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="id",
    order_by="material_definition_id",
    sla_s=60,
    summary="ERP has posted a stock movement",
    entity="material_movement",
    producers=(K.ERP,),
    consumers=(K.MES, K.WMS),
)

MATERIAL_CONSUMED = EventContract(
    "inventory.material.consumed.v1",
    MaterialMovement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="material_definition_id+from_location",
    order_by="material_definition_id",
    sla_s=60,
    summary="Material was used",
    entity="material_movement",
    producers=(K.MES, K.WMS),
    consumers=(K.ERP,),
)
MATERIAL_RECEIVED = EventContract(
    "inventory.material.received.v1",
    MaterialMovement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="material_definition_id+to_location",
    order_by="material_definition_id",
    sla_s=60,
    summary="Material has come into stock",
    entity="material_movement",
    producers=(K.MES, K.WMS),
    consumers=(K.ERP,),
)
MATERIAL_TRANSFERRED = EventContract(
    "inventory.material.transferred.v1",
    MaterialMovement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="material_definition_id+from_location",
    order_by="material_definition_id",
    sla_s=60,
    summary="Material was moved to another place",
    entity="material_movement",
    producers=(K.MES, K.WMS),
    consumers=(K.ERP,),
)
MOVEMENT_REJECTED = EventContract(
    "inventory.movement.rejected.v1",
    RejectedMovement,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="material_definition_id+storage_location",
    order_by="material_definition_id",
    sla_s=60,
    summary="ERP has refused a movement on business grounds",
    entity="material_movement",
    producers=(K.PLATFORM,),
    consumers=(K.MES, K.WMS),
)
STOCK_FELL_BELOW_THRESHOLD = EventContract(
    "inventory.stock.fell_below_threshold.v1",
    StockShortfall,
    eventclass=EventClass.OPERATIONAL,
    owner="warehouse",
    key="material_definition_id+storage_location",
    order_by="material_definition_id",
    sla_s=60,
    summary="Stock went below what replenishment starts at",
    entity="stock_balance",
    producers=(K.WMS, K.PLATFORM),
    consumers=(K.ERP,),
)
RESERVATION_RELEASED = EventContract(
    "inventory.reservation.released.v1",
    ReservationRecord,
    eventclass=EventClass.TRANSACTIONAL,
    owner="warehouse",
    key="id",
    order_by="material_definition_id",
    sla_s=60,
    summary="Stock is no longer promised",
    entity="reservation",
    producers=(K.ERP, K.WMS),
    consumers=(K.CMMS, K.MES),
)
BALANCE_RECONCILED = EventContract(
    "inventory.balance.reconciled.v1",
    BalanceReconciliation,
    eventclass=EventClass.ANALYTICAL,
    owner="warehouse",
    key="site",
    sla_s=86400,
    summary="The balances of two systems at a site were compared",
    entity="stock_balance",
    producers=(K.PLATFORM,),
    consumers=(K.ANALYTICS,),
)
