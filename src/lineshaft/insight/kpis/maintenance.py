"""How soon maintenance comes, and whether its parts are there."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from lineshaft.contracts.events.inventory import RESERVATION_CREATED
from lineshaft.contracts.events.maintenance import (
    MAINTENANCE_ORDER_COMPLETED,
    MAINTENANCE_REQUEST_CREATED,
)
from lineshaft.contracts.events.procurement import REQUISITION_CREATED
from lineshaft.insight.kpis.declare import Found, Row, column, quantile, said_count, said_time, table
from lineshaft.insight.kpis.facts import Completion, Request, Requisition, Reservation
from lineshaft.insight.kpis.question import Question
from lineshaft.model.procurement import RequisitionReason

__all__ = ["maintenance_response", "spares_availability"]

_REQUESTED_BEFORE = timedelta(days=92)
_FOR_REPAIRS = {RequisitionReason.SHORTAGE, RequisitionReason.MAINTENANCE}


def maintenance_response(question: Question) -> Found:
    """From the malfunction to the begin of the work, of orders that were completed in the period."""
    by_request: dict[tuple[str, str], Request] = {}
    by_order: dict[tuple[str, str], Request] = {}
    since = question.start - _REQUESTED_BEFORE
    for plant, _, request in question.told(MAINTENANCE_REQUEST_CREATED.type, Request, since):
        if request.id:
            by_request[plant, request.id] = request
        if request.maintenance_order_id:
            by_order[plant, request.maintenance_order_id] = request
    response: dict[tuple[str, str], list[float]] = defaultdict(list)
    repair: dict[tuple[str, str], list[float]] = defaultdict(list)
    buckets: list[list[float]] = [[] for _ in question.edges[1:]]
    alone = 0
    for plant, at, done in question.told(MAINTENANCE_ORDER_COMPLETED.type, Completion):
        asked = by_request.get((plant, done.maintenance_request_id or "")) or by_order.get((plant, done.id))
        if asked is None:
            alone += 1
            continue
        took = max(0.0, (done.actual_start_time - asked.malfunction_start).total_seconds())
        asset = (plant, done.physical_asset_id)
        response[asset].append(took)
        repair[asset].append((done.actual_end_time - done.actual_start_time).total_seconds())
        buckets[question.bucket(at) or 0].append(took)
    every = [took for times in response.values() for took in times]
    if not every:
        return Found()
    rows: list[Row] = [
        [*asset, float(len(times)), quantile(times, 0.5), max(times), quantile(repair[asset], 0.5)]
        for asset, times in sorted(response.items(), key=lambda entry: -max(entry[1]))
    ]
    columns = [
        column("plant", "Plant"),
        column("asset", "Asset", "asset"),
        column("orders", "Orders", "count"),
        column("median", "Half begun within", "s"),
        column("longest", "Longest", "s"),
        column("repair", "Half repaired in", "s"),
    ]
    says = f"half of {said_count(len(every), 'repair')}; 90 % within {said_time(quantile(every, 0.9) or 0)}"
    left = [f"{said_count(alone, 'order')} that nobody had requested here left out."] if alone else []
    return Found(
        value=quantile(every, 0.5),
        says=says,
        series=[quantile(times, 0.5) for times in buckets],
        tables=[table("assets", "By asset", columns, rows)],
        notes=left,
    )


def spares_availability(question: Question) -> Found:
    """Part lines of maintenance orders: reserved from stock at once, or to be bought first.

    A line that was bought and then reserved was not there at once.
    """
    orders = {
        (plant, request.maintenance_order_id)
        for plant, _, request in question.told(
            MAINTENANCE_REQUEST_CREATED.type, Request, question.start - _REQUESTED_BEFORE
        )
        if request.maintenance_order_id
    }
    bought: dict[tuple[str, str, str], datetime] = {}
    for plant, at, said in question.told(
        REQUISITION_CREATED.type, Requisition, question.start - _REQUESTED_BEFORE
    ):
        if said.reason in _FOR_REPAIRS:
            bought.setdefault((plant, said.reference, said.material_definition_id), at)
    there: dict[tuple[str, str, str], datetime] = {}
    for plant, at, held in question.told(RESERVATION_CREATED.type, Reservation):
        line = (plant, held.for_reference, held.material_definition_id)
        if (plant, held.for_reference) in orders and line not in bought:
            there.setdefault(line, at)
    parts: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    buckets = [[0, 0] for _ in question.edges[1:]]
    for which, lines in enumerate((there, bought)):
        for (plant, _, material), at in lines.items():
            number = question.bucket(at)
            if number is not None:
                parts[plant, material][which] += 1
                buckets[number][which] += 1
    stocked, missing = (sum(bucket[which] for bucket in buckets) for which in (0, 1))
    if not stocked + missing:
        return Found()
    columns = [
        column("plant", "Plant"),
        column("part", "Part", "key"),
        column("there", "There at once", "count"),
        column("bought", "Had to be bought", "count"),
        column("share", "Availability", "share"),
    ]
    rows: list[Row] = [
        [*part, *row, row[0] / sum(row)]
        for part, row in sorted(parts.items(), key=lambda entry: -entry[1][1])
    ]
    return Found(
        value=stocked / (stocked + missing),
        says=f"{stocked} of {said_count(stocked + missing, 'part line')} there at once",
        series=[here / (here + away) if here + away else None for here, away in buckets],
        tables=[table("parts", "By part", columns, rows)],
    )
