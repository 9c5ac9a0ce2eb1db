"""When what a machine counted may be received. Pure.

The machine's count is the witness, the MES's quantity is what is posted. They have to agree, the count has to
be complete, the order open and not over-delivered, and lots and serials known where they are kept.
"""

from __future__ import annotations

from decimal import Decimal

from lineshaft.core.errors import BusinessFault, ContractViolation
from lineshaft.core.quantity import Quantity, convert
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.counting import AcceptedCount, CountedOrder, OperationsRequestState

__all__ = ["accept", "within_tolerance"]

_OPEN = {OperationsRequestState.RELEASED, OperationsRequestState.RUNNING}
_LEAST_TOLERANCE, _RELATIVE_TOLERANCE = Decimal(1), Decimal("0.005")


def within_tolerance(sensor: Decimal, mes: Decimal) -> bool:
    """Both in the unit of the MES: one piece, or 0.5 % of what the MES says, may be between them."""
    return abs(sensor - mes) <= max(_LEAST_TOLERANCE, _RELATIVE_TOLERANCE * mes)


def accept(count: CountAggregate, order: CountedOrder) -> AcceptedCount:
    """What may be received.

    raises  BusinessFault incomplete_count, order_not_open, unit_mismatch, count_mismatch, over_delivery,
            lot_missing, serials_missing
    """
    name, state = order.operations_request_id, order.request_state
    if not count.complete:
        raise _refused(
            "incomplete_count",
            f"{count.property} of {count.equipment_id} made a step that nothing explains",
            "count by hand, and correct quantity and complete",
        )
    if state not in _OPEN:
        raise _refused("order_not_open", f"order {name} is {state}", "release it, or book on another order")
    unit = order.good_quantity.unit
    good, sensor = order.good_quantity, _in(count.quantity, unit, name)
    seen = good.value
    if order.counts_scrap and order.scrap_quantity is not None:
        seen += _in(order.scrap_quantity, unit, name).value
    if not within_tolerance(sensor.value, seen):
        raise _refused(
            "count_mismatch",
            f"{count.equipment_id} counted {sensor.value} {unit}, the MES has {seen} for order {name}",
            "correct the MES and fork the process from step 0, or correct quantity",
        )
    planned = _in(order.planned_quantity, unit, name).value
    most = planned * (1 + order.over_delivery_tolerance / 100)
    made = _in(order.cumulative_quantity, unit, name).value
    if made > most:
        raise _refused(
            "over_delivery",
            f"order {name} has made {made} {unit} of {planned} planned, more than {most}",
            "raise the order's quantity, or book the rest on another order",
        )
    _check_identity(order)
    return AcceptedCount(
        equipment_id=count.equipment_id,
        property=count.property,
        operations_request_id=name,
        operations_segment_id=order.operations_segment_id,
        material_definition_id=order.material_definition_id,
        epoch=count.epoch,
        start_time=count.start_time,
        end_time=count.end_time,
        revision=count.revision,
        from_count=count.from_count,
        to_count=count.to_count,
        quantity=good,
        counted_quantity=sensor,
        restricted=order.on_hold,
        material_lot_id=order.material_lot_id,
        material_sub_lot_id=order.material_sub_lot_id,
    )


def _check_identity(order: CountedOrder) -> None:
    material, name = order.material_definition_id, order.operations_request_id
    if order.lot_managed and order.material_lot_id is None:
        raise _refused(
            "lot_missing",
            f"{material} is lot-managed, order {name} has none",
            "give the order a lot in the MES",
        )
    serials, good = order.material_sub_lot_id, order.good_quantity.value
    if order.serial_managed and not len(set(serials)) == len(serials) == good:
        raise _refused(
            "serials_missing",
            f"{material} is serial-managed, order {name} has {len(set(serials))} serials for {good}",
            "give each piece one of its own in the MES",
        )


def _in(quantity: Quantity, unit: str, name: str) -> Quantity:
    try:
        return convert(quantity, unit)
    except ContractViolation as error:
        raise _refused(
            "unit_mismatch",
            f"order {name}: {error.message}",
            "correct the unit in the tag list or in the MES",
        ) from error


def _refused(code: str, message: str, hint: str) -> BusinessFault:
    return BusinessFault(message, code=code, hint=hint, owner="production")
