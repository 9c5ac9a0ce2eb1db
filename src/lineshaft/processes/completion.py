"""Is a completed maintenance order fit to be posted? Labour and parts, before anything reaches ERP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from itertools import pairwise

from lineshaft.core.errors import BusinessFault, ContractViolation
from lineshaft.core.quantity import Quantity, convert
from lineshaft.model.maintenance import OrderCompletion, PartRequirement, PersonnelActual

__all__ = ["hours_of", "validated"]

_LONGEST_BOOKING = timedelta(hours=16)


def hours_of(work: PersonnelActual) -> Decimal:
    """Decimal hours to four places; the difference is taken in UTC."""
    seconds = Decimal(str(_lasted(work).total_seconds()))
    return (seconds / 3600).quantize(Decimal("0.0001"))


def _lasted(work: PersonnelActual) -> timedelta:
    return work.end_time.astimezone(UTC) - work.start_time.astimezone(UTC)


def validated(completion: OrderCompletion, planned: Sequence[PartRequirement]) -> OrderCompletion:
    """raises  BusinessFault(code invalid_completion) that lists everything that is wrong"""
    wrong = [*_labour(completion), *_parts(completion, planned)]
    if wrong:
        raise BusinessFault(
            f"maintenance order {completion.id} cannot be posted: " + "; ".join(wrong),
            code="invalid_completion",
            owner="maintenance",
            hint="correct the order in the CMMS and complete it again",
        )
    return completion


def _labour(completion: OrderCompletion) -> list[str]:
    wrong = []
    by_person = defaultdict(list)
    for work in completion.personnel_actual:
        who = f"{work.person_id} on {work.operation}"
        if work.end_time <= work.start_time:
            wrong.append(f"{who} ends before it starts")
        elif _lasted(work) > _LONGEST_BOOKING:
            wrong.append(f"{who} lasts more than 16 h")
        if work.start_time < completion.actual_start_time or work.end_time > completion.actual_end_time:
            wrong.append(f"{who} lies outside the order's actual times")
        if not work.hourly_rate.is_finite() or work.hourly_rate < 0:
            wrong.append(f"{who} has the rate {work.hourly_rate}")
        by_person[work.person_id].append(work)
    for person, bookings in by_person.items():
        ordered = sorted(bookings, key=lambda work: work.start_time)
        wrong += [
            f"{person} is booked twice at {second.start_time.isoformat()}"
            for first, second in pairwise(ordered)
            if second.start_time < first.end_time
        ]
    if len({work.currency for work in completion.personnel_actual}) > 1:
        wrong.append("labour is booked in more than one currency")
    return wrong


def _allowed(planned: Sequence[PartRequirement]) -> dict[str, Quantity]:
    """Per material, in the unit of its first line: a kit may name a material on several lines."""
    allowed: dict[str, Quantity] = {}
    for part in planned:
        known, quantity = allowed.get(part.material_definition_id), part.quantity
        if known is not None:
            quantity = Quantity(value=known.value + convert(quantity, known.unit).value, unit=known.unit)
        allowed[part.material_definition_id] = quantity
    return allowed


def _parts(completion: OrderCompletion, planned: Sequence[PartRequirement]) -> list[str]:
    wrong = []
    allowed = _allowed(planned)
    used: dict[str, Decimal] = defaultdict(Decimal)
    if len({actual.id for actual in completion.material_actual}) < len(completion.material_actual):
        wrong.append("two consumptions have the same id")
    for actual in completion.material_actual:
        material = actual.material_definition_id
        if actual.quantity.value <= 0:
            wrong.append(f"{material}: quantity {actual.quantity.value} is not positive")
        if material not in allowed:
            wrong.append(f"{material} was not planned on this order")
            continue
        try:
            used[material] += convert(actual.quantity, allowed[material].unit).value
        except ContractViolation as violation:
            wrong.append(f"{material}: {violation}")
    wrong += [
        f"{material}: {quantity} used, {allowed[material].value} planned"
        for material, quantity in used.items()
        if quantity > allowed[material].value
    ]
    return wrong
