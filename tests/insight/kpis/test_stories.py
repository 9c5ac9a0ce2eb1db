"""Figures that are made of several events of one story, on both databases."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.ledger import Desk
from lineshaft.ledger.audit import Audit, AuditEntry
from lineshaft.store import Store
from lineshaft.store.schema import exceptions
from tests.clocks import ManualClock
from tests.insight.kpis.evening import AT, Evening, confirmed, hour
from tests.ledger.projections.plant_events import told


@pytest.fixture
def evening(store: Store) -> Evening:
    return Evening(store)


def answered(kind: str, id: str, at: float) -> Event:
    facts: dict[str, Any] = {"id": id, "revision": 1}
    return told(f"production.confirmation.{kind}", at * 3600, **facts)


async def test_confirmations_that_erp_answers_too_late_or_not_yet(evening: Evening) -> None:
    await evening.hears(
        *(confirmed(0, at, "10", id=f"C-{at}") for at in (1, 2, 3, 4, 7.999)),
        answered("posted", "C-1", 1.01),
        answered("posted", "C-2", 2.5),
        answered("rejected", "C-3", 3.01),
    )
    figure = await evening.figure("delayed_confirmations")
    assert (figure.value, figure.is_met) == (2, False)
    assert figure.says == "of 5 confirmations; 1 still waiting, the longest for 4 h 00 min"
    assert figure.tables[0].rows == [["leipzig", 5, 1, 1, 14_400]]
    assert [(row[2], row[5]) for row in figure.tables[1].rows] == [
        ("C-4", "waiting"),
        ("C-2", "answered late"),
    ]
    assert [point.value for point in figure.series] == [0, 0, 1, 0, 1, 0, 0, 0]


async def test_maintenance_comes_from_the_malfunction_to_the_begin_of_work(evening: Evening) -> None:
    for number, (broken, begun) in enumerate(((1, 2), (2, 5))):
        asset: dict[str, Any] = {"physical_asset_id": f"PUMP-{number}"}
        await evening.hears(
            told(
                "maintenance.request.created",
                broken * 3600 + 60,
                id=f"R-{number}",
                maintenance_order_id=f"MO-{number}",
                malfunction_start=hour(broken),
                **asset,
            ),
            told(
                "maintenance.order.completed",
                6 * 3600,
                id=f"MO-{number}",
                maintenance_request_id=f"R-{number}" if number else None,
                actual_start_time=hour(begun),
                actual_end_time=hour(begun + 0.5),
                **asset,
            ),
        )
    alone: dict[str, Any] = {"id": "MO-9", "maintenance_request_id": None}
    await evening.hears(told("maintenance.order.completed", 6 * 3600 + 1, **alone))
    figure = await evening.figure("maintenance_response")
    assert (figure.value, figure.says) == (3_600, "half of 2 repairs; 90 % within 3 h 00 min")
    assert figure.tables[0].rows[0] == ["leipzig", "PUMP-1", 1, 10_800, 10_800, 1_800]
    assert figure.notes == ["1 order that nobody had requested here left out."]


async def test_spares_that_were_there_at_once(evening: Evening) -> None:
    def reserved(at: float, part: str, order: str = "MO-1") -> Event:
        facts = {"for_reference": order, "material_definition_id": part, "id": f"{order}-{part}"}
        return told("inventory.reservation.created", at * 3600, **facts)

    bought = {"reference": "MO-1", "material_definition_id": "SEAL-KIT"}
    await evening.hears(
        told("maintenance.request.created", 60, maintenance_order_id="MO-1"),
        reserved(1, "BEARING"),
        told("procurement.requisition.created", 3600, reason="shortage", **bought),
        told("procurement.requisition.created", 3600, reference="R-2", reason="reorder_point"),
        reserved(5, "SEAL-KIT"),  # when it had come
        reserved(2, "LABELS", order="PO-1"),
    )
    figure = await evening.figure("spares_availability")
    assert (figure.value, figure.says) == (0.5, "1 of 2 part lines there at once")
    assert figure.tables[0].rows == [["leipzig", "SEAL-KIT", 0, 1, 0], ["leipzig", "BEARING", 1, 0, 1]]


async def test_stock_is_as_accurate_as_the_last_comparison_found_it(evening: Evening) -> None:
    assert (await evening.figure("stock_accuracy")).says == (
        "Not measured yet: needs events inventory.balance.reconciled in the event log"
    )
    systems = {"left": "erp", "right": "wms"}
    await evening.hears(
        told("inventory.balance.reconciled", 3600, compared=100, different=9, **systems),
        told("inventory.balance.reconciled", 7200, compared=100, different=1, **systems),
    )
    evening.clock.advance(11)
    figure = await evening.figure("stock_accuracy")
    assert (figure.value, figure.is_met, figure.says) == (0.99, True, "1 of 100 balances differ")
    assert [point.value for point in figure.series[:3]] == [None, 0.91, 0.99]


async def test_exceptions_are_resolved_by_desk_and_people_decide(evening: Evening, store: Store) -> None:
    clock = ManualClock(AT)
    desk, audit = Desk(store, clock), Audit("node", clock)
    for number, hours in enumerate((1, 3)):
        record = ExceptionRecord(
            kind=ExceptionKind.BUSINESS_FAULT,
            plant="leipzig",
            source="erp",
            owner="warehouse",
            cause=f"{number}",
            ref=f"r{number}",
        )
        await desk.report([record])

        def close(connection: Any, ref: str = f"r{number}", closed: str = hour(hours)) -> str:
            connection.execute(
                exceptions.update().where(exceptions.c.ref == ref).values(state="resolved", closed_at=closed)
            )
            found = exceptions.select().where(exceptions.c.ref == ref)
            return str(connection.execute(found).one().exception_id)

        subject = await store.write(close)
        for action in ("exception.fixed", "exception.redriven"):
            clock.advance(300)
            entry = AuditEntry(actor="dana", action=action, subject=subject)
            await store.write(partial(audit.append, entries=[entry]))
    figure = await evening.figure("time_to_resolve")
    assert (figure.value, figure.is_met) == (3600, True)
    assert figure.tables[0].rows == [["warehouse", "leipzig", 2, 3_600, 10_200, 10_200]]
    effort = await evening.figure("reconciliation_effort")
    assert (effort.value, effort.says) == (4, "decisions on 2 things, 10 min from first to last decision")
    assert effort.tables[1].rows == [["dana", 4, 600]]
    assert (await evening.figure("reconciliation_effort", plants=frozenset({"linz"}))).value == 0
