"""Batches as they run. Source: BatchML BatchListEntry."""

from __future__ import annotations

import msgspec

from lineshaft.core.quantity import Quantity, Unit
from lineshaft.core.values import Key, Moment, Value
from lineshaft.model.enumerations import BatchListEntryType, BatchMode, BatchStatus, ParameterType
from lineshaft.model.measures import in_order, not_negative

__all__ = ["BatchExecution", "BatchParameter", "BatchRef"]


class BatchRef(Value, frozen=True, kw_only=True):
    batch_id: Key


class BatchParameter(Value, frozen=True, kw_only=True):
    id: str
    value: str
    parameter_type: ParameterType | None = None
    unit_of_measure: Unit | None = None
    other_value: dict[str, str] = msgspec.field(default_factory=dict)


class BatchExecution(Value, frozen=True, kw_only=True):
    """A batch, or a part of one down to the phase. order_id: the production order."""

    batch_id: Key
    recipe_id: Key
    recipe_version: str
    order_id: Key
    batch_list_entry_type: BatchListEntryType
    status: BatchStatus
    lot_id: Key | None = None
    mode: BatchMode | None = None
    requested_batch_size: Quantity | None = None
    actual_batch_size: Quantity | None = None
    actual_start_time: Moment | None = None
    actual_end_time: Moment | None = None
    actual_equipment_id: list[Key] = msgspec.field(default_factory=list)
    parameter: list[BatchParameter] = msgspec.field(default_factory=list)
    other_value: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        not_negative(requested_batch_size=self.requested_batch_size, actual_batch_size=self.actual_batch_size)
        in_order(actual_start_time=self.actual_start_time, actual_end_time=self.actual_end_time)
