"""What a line is making: context from the manufacturing execution system."""

from __future__ import annotations

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Key, Moment, Value

__all__ = ["CapacitySignal", "EquipmentRef", "ProductionContext"]


class EquipmentRef(Value, frozen=True, kw_only=True):
    equipment_id: Key


class ProductionContext(Value, frozen=True, kw_only=True):
    """The equipment's active job, if any. Source: B2MML JobOrder, OperationsRequest."""

    equipment_id: Key
    work_center_id: Key
    operations_request_id: Key | None = None
    job_order_id: Key | None = None
    material_definition_id: Key | None = None
    planned_quantity: Quantity | None = None
    good_quantity: Quantity | None = None
    due_time: Moment | None = None


class CapacitySignal(Value, frozen=True, kw_only=True):
    """Told to planning: a work centre can do less, or again all, from a time on.

    A view of the entity operations_capability.
    """

    reference: Key
    work_center_id: Key
    equipment_id: Key
    reason: str
    start_time: Moment
    end_time: Moment | None = None
    operations_request_id: Key | None = None
    id: Key | None = None
