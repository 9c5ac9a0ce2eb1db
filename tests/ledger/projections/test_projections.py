"""From events to what consumers read, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Event
from lineshaft.ledger.projections import Projections, status_of
from lineshaft.store import Store
from tests.ledger.projections.plant_events import AT, PROJECTED, Plant, pieces, told

ORDER = "PO-40017"


@pytest.fixture
def plant(store: Store) -> Plant:
    return Plant(store)


def confirmed(at_s: float, id: str, made: str, **changes: Any) -> Event:
    nothing = dict.fromkeys(("scrap_quantity", "scrap_reason", "rework_quantity", "rework_reason"))
    made_of = {"id": id, "operations_request_id": ORDER, "yield_quantity": pieces(made)}
    return told("production.confirmation.recorded", at_s, **(nothing | made_of | changes))


def an_order(at_s: float = 0.0, **changes: Any) -> Event:
    return told("production.order.released", at_s, id=ORDER, quantity=pieces("100"), **changes)


def units(value: str) -> Quantity:
    return Quantity(value=Decimal(value), unit="C62")


async def test_an_order_from_release_to_close(plant: Plant) -> None:
    await plant.hears(an_order(0, start_time="2026-03-02T06:00:00Z", end_time="2026-03-02T06:05:00Z"))
    order = await plant.reads.order(ORDER, None, "leipzig")
    assert order is not None
    assert (order.request_state, order.quantity, order.yield_quantity) == (
        "Released",
        units("100"),
        units("0"),
    )
    assert (order.is_late, order.delay_s, order.behind_s) == (True, 300.0, 0.0)  # it is 06:10
    job = {"id": "J-1", "operations_request_id": ORDER, "start_time": "2026-03-02T06:00:00Z"}
    await plant.hears(
        told("production.job.started", 20, **job, dispatch_status="Running", end_time=None),
        confirmed(30, "C-1", "60", confirmation_type="partial"),
        confirmed(40, "C-2", "30.5", scrap_quantity=pieces("2"), confirmation_type="final"),
        confirmed(40, "C-2", "30.5", scrap_quantity=pieces("2"), confirmation_type="final"),
        told("production.confirmation.posted", 45, id="C-1", operations_request_id=ORDER, document="D-1"),
        told(
            "production.confirmation.rejected",
            46,
            id="C-2",
            operations_request_id=ORDER,
            code="closed_period",
        ),
    )
    order = await plant.reads.order(ORDER, None, "leipzig")
    assert order is not None
    assert (order.request_state, order.yield_quantity) == ("Running", units("90.5"))
    assert (order.scrap_quantity, order.rework_quantity) == (units("2"), None)
    assert [(each.id, each.state, each.document, each.code) for each in order.confirmation] == [
        ("C-1", "posted", "D-1", None),
        ("C-2", "rejected", None, "closed_period"),
    ]
    assert [job.dispatch_status for job in order.job_order] == ["Running"]
    await plant.hears(
        told(
            "production.confirmation.reversed", 50, id="R-1", operations_request_id=ORDER, reversal_of="C-1"
        ),
        told(
            "production.job.completed",
            55,
            **job,
            dispatch_status="Completed",
            end_time="2026-03-02T06:04:00Z",
        ),
    )
    order = await plant.reads.order(ORDER, None, "leipzig")
    assert order is not None
    assert (order.request_state, order.yield_quantity) == ("Completed", units("30.5"))
    assert (order.is_late, order.delay_s) == (True, 900.0)  # the final confirmation ends at 06:20
    assert order.last_event is not None
    assert order.as_of == AT + timedelta(seconds=55)
    await plant.hears(told("production.order.closed", 60, id=ORDER, request_state="Closed", reason_code=None))
    found, more = await plant.reads.orders(None, state="Closed", limit=10)
    assert [order.id for order in found] == [ORDER]
    assert more == ()


async def test_a_count_that_is_corrected_counts_once(plant: Plant) -> None:
    window = {"operations_request_id": ORDER, "start_time": "2026-03-02T06:00:00Z"}
    await plant.hears(
        told("production.count.accepted", 2, **window, revision=1, quantity=pieces("7")),
        told("production.count.accepted", 1, **window, revision=0, quantity=pieces("9")),
    )
    order = await plant.reads.order(ORDER, None, "")
    assert order is not None
    assert order.accepted_quantity == units("7")
    assert order.request_state == "Running"


async def test_an_asset_by_either_id_with_what_stands_open(plant: Plant) -> None:
    both = {"equipment_id": "FILLER-2", "physical_asset_id": "PUMP-7"}
    stop = {"rule": "stops", "start_time": "2026-03-02T06:00:00Z"}
    await plant.hears(
        told("equipment.downtime.ended", 30, **both, **stop),
        told("equipment.downtime.started", 10, **both, **stop),
        told("equipment.downtime.started", 40, **both, rule="stops", start_time="2026-03-02T06:00:20Z"),
        told("equipment.alarm.raised", 41, equipment_id="FILLER-2", physical_asset_id=None, alarm_id="A-1"),
        told("equipment.state.changed", 42, **both, state=2),
        told("maintenance.request.created", 43, **both, id="MR-1", maintenance_order_id="MO-1", state="new"),
    )
    by_asset = await plant.reads.asset("PUMP-7", None, "")
    by_equipment = await plant.reads.asset("FILLER-2", None, "")
    for asset in (by_asset, by_equipment):
        assert asset is not None
        assert (asset.equipment_id, asset.physical_asset_id) == ("FILLER-2", "PUMP-7")
        assert [stop.start_time for stop in asset.downtime] == [AT + timedelta(seconds=20)]
        assert [alarm.alarm_id for alarm in asset.alarm] == ["A-1"]
        assert asset.state is not None
        assert asset.state.state == 2
        assert [order.id for order in asset.maintenance_order] == ["MO-1"]
        assert [request.id for request in asset.maintenance_request] == ["MR-1"]
    await plant.hears(
        told(
            "maintenance.order.completed",
            50,
            id="MO-1",
            physical_asset_id="PUMP-7",
            maintenance_request_id="MR-1",
        )
    )
    by_equipment = await plant.reads.asset("FILLER-2", None, "")
    assert by_equipment is not None
    assert by_equipment.maintenance_order == []
    assert by_equipment.maintenance_request == []


async def test_events_of_an_asset_come_once_each_by_time_and_in_pages(plant: Plant) -> None:
    both = {"equipment_id": "FILLER-2", "physical_asset_id": "PUMP-7"}
    await plant.hears(*[told("equipment.state.changed", at_s, **both) for at_s in (3, 1, 2, 0, 4)])
    await plant.hears(told("maintenance.order.completed", 5, id="MO-1", physical_asset_id="PUMP-7"))
    seen, after = [], ()
    while True:
        page = await plant.reads.asset_events("FILLER-2", None, after=after, limit=2)
        assert page is not None
        found, after = page
        seen += [(event.time - AT).total_seconds() for event in found]
        if not after:
            break
    assert seen == [0, 1, 2, 3, 4, 5]
    since = await plant.reads.asset_events("PUMP-7", None, since="2026-03-02T06:00:04.000000Z", limit=9)
    assert since is not None
    assert [event.type for event in since[0]] == [
        "equipment.state.changed.v1",
        "maintenance.order.completed.v1",
    ]
    assert since[0][0].data["equipment_id"] == "FILLER-2"
    assert await plant.reads.asset_events("PUMP-8", None, limit=2) is None
    assert await plant.projections.forget_events("2026-03-02T06:00:02.000000Z") == 4
    page = await plant.reads.asset_events("FILLER-2", None, limit=9)
    assert page is not None
    assert len(page[0]) == 4


def balance(at_s: float, sequence: str, made: str, **changes: Any) -> Event:
    nothing = dict.fromkeys(("reserved_quantity", "stock_type", "storage_location", "material_lot_id"))
    about = {"material_definition_id": "SEAL-KIT", "site": "leipzig", "source_sequence": sequence}
    return told("inventory.balance.changed", at_s, **(nothing | about | {"quantity": pieces(made)} | changes))


async def test_stock_is_the_newest_balance_less_what_is_promised_and_held(plant: Plant) -> None:
    promised = {"id": "R-1", "material_definition_id": "SEAL-KIT", "state": "open", "quantity": pieces("4")}
    await plant.hears(
        balance(2, "10", "50", material_lot_id="L-1", stock_type="UnRestricted"),
        balance(3, "9", "70", material_lot_id="L-1", stock_type="UnRestricted"),  # older, though told later
        balance(4, "11", "20", material_lot_id="L-2", stock_type="UnRestricted"),
        balance(5, "12", "5", material_lot_id="L-2", stock_type="Restricted"),
        told("inventory.reservation.created", 6, **promised, site="leipzig"),
    )
    (level,), more = await plant.reads.stock(None, material="SEAL-KIT", limit=10)
    assert more == ()
    assert (level.quantity, level.reserved_quantity) == (units("75"), units("4"))
    assert (level.blocked_quantity, level.available_quantity) == (units("5"), units("66"))
    scope = {"material_lot_id": "L-2", "handling_unit_id": None, "operations_request_id": None}
    held = {"id": "H-1", "scope": scope, "state": "active", "released_time": None, "released_by": None}
    await plant.hears(told("quality.hold.placed", 7, **held))
    (level,), _ = await plant.reads.stock(None, site="leipzig", limit=10)
    assert level.lots_on_hold == ["L-2"]
    assert (level.blocked_quantity, level.available_quantity) == (units("25"), units("46"))
    released = {"id": "R-1", "material_definition_id": "SEAL-KIT", "state": "cancelled"}
    await plant.hears(told("inventory.reservation.released", 8, **released))
    (level,), _ = await plant.reads.stock(None, limit=10)
    assert level.reserved_quantity == units("0")


async def test_a_lot_is_held_until_every_hold_is_released(plant: Plant) -> None:
    scope = {"material_lot_id": "L-1", "handling_unit_id": None, "operations_request_id": None}
    placed = {"scope": scope, "state": "active", "released_time": None, "released_by": None}
    over = {"scope": scope, "state": "released"}
    result = {"material_lot_id": "L-1", "evaluated_criterion_result": "accepted"}
    await plant.hears(
        told("quality.hold.released", 9, id="H-1", **over),
        told("quality.hold.placed", 1, id="H-1", **placed),
        told("quality.hold.placed", 2, id="H-2", **placed),
        told("quality.inspection.completed", 3, id="I-1", **result),
    )
    lot = await plant.reads.lot("L-1", None, "")
    assert lot is not None
    assert lot.state == "held"
    await plant.hears(told("quality.hold.released", 10, id="H-2", **over))
    lot = await plant.reads.lot("L-1", None, "")
    assert lot is not None
    assert lot.state == "accepted"
    found, _ = await plant.reads.outcomes(None, kind="hold", lot="L-1", limit=10)
    assert [(outcome.id, outcome.state) for outcome in found] == [("H-1", "released"), ("H-2", "released")]
    found, _ = await plant.reads.outcomes(None, state="completed", limit=10)
    assert [outcome.kind for outcome in found] == ["inspection"]


async def test_rows_of_other_plants_do_not_exist(plant: Plant) -> None:
    await plant.hears(an_order(0), told("production.order.released", 0, id="PO-2", plant="porto"))
    assert await plant.reads.order("PO-2", {"leipzig"}, "leipzig") is None
    assert await plant.reads.order("PO-2", set(), "leipzig") is None
    assert await plant.reads.order("PO-2", {"porto"}, "leipzig") is not None
    for plants, ids in (({"porto"}, ["PO-2"]), ({"leipzig", "porto"}, [ORDER, "PO-2"]), (set(), [])):
        found, _ = await plant.reads.orders(plants, limit=10)
        assert [order.id for order in found] == ids


async def test_pages_hold_every_row_once(plant: Plant) -> None:
    ids = {f"PO-{number}" for number in range(7)}
    await plant.hears(*[told("production.order.released", 0, id=id) for id in ids])
    seen, after = [], ()
    while True:
        found, after = await plant.reads.orders(None, after=after, limit=3)
        seen += [order.id for order in found]
        if not after:
            break
    assert seen == sorted(ids)


def a_day() -> list[Event]:
    """Every projected event, some of one thing and some of others."""
    found = [told(kind.removesuffix(".v1"), at_s) for at_s in range(3) for kind in PROJECTED]
    random.Random(7).shuffle(found)
    return found


async def test_made_anew_from_the_event_log_the_rows_are_the_same(plant: Plant) -> None:
    day = a_day()
    for start in range(0, len(day), 10):
        await plant.hears(*day[start : start + 10])
    before = await plant.everything()
    assert all(before[name] for name in before)
    assert await plant.projections.rebuild() == len({event.id for event in day})
    assert await plant.everything() == before
    await plant.projections.rebuild(keep=True)
    await plant.hears(*day)
    assert await plant.everything() == before


async def test_batches_at_the_same_time_and_again_lose_nothing(plant: Plant) -> None:
    day = a_day()
    await plant.hears(*day)
    before = await plant.everything()
    await plant.projections.rebuild()
    other = Projections(plant.store, EVENTS, plant.clock)

    async def in_parts(projections: Projections, events: Sequence[Event]) -> None:
        for start in range(0, len(events), 7):
            await projections.apply(events[start : start + 7])

    await asyncio.gather(in_parts(plant.projections, day), in_parts(other, day[::-1]), other.rebuild())
    assert await plant.everything() == before


async def test_what_was_recorded_and_not_applied_is_told_and_caught_up(plant: Plant) -> None:
    await plant.hears(an_order(0))
    await plant.log.record([confirmed(1, "C-1", "5")])
    plant.clock.advance(30)
    await plant.log.record([confirmed(2, "C-2", "5")])
    plant.clock.advance(12)
    status = await status_of(plant.store, plant.clock)
    # recorded in the same moment as what was applied, the first one cannot be told from it
    assert (status.behind_events, status.behind_s) == (1, 12.0)
    assert status.rows["order_status"] == 1
    assert await plant.reads.behind_s() == 12.0
    assert await plant.projections.catch_up() == 3
    plant.clock.advance(2)
    order = await plant.reads.order(ORDER, None, "")
    assert order is not None
    assert (order.yield_quantity, order.behind_s) == (units("10"), 0.0)


async def test_a_payload_that_breaks_its_contract_changes_nothing(plant: Plant) -> None:
    broken = msgspec.structs.replace(an_order(0), data=b'{"id": 7}')
    unknown = msgspec.structs.replace(an_order(0), id="other", type="production.order.lost.v1")
    await plant.hears(broken, unknown, msgspec.structs.replace(an_order(0), id="x", data=b"no json"))
    assert (await plant.reads.orders(None, limit=5))[0] == []
    assert (await status_of(plant.store, plant.clock)).behind_events == 0


@pytest.mark.parametrize("id", ["nul\0in it", "x" * 300, "\u2028 it's"])
async def test_odd_keys_are_kept_as_a_column_holds_them(id: str, plant: Plant) -> None:
    await plant.hears(told("production.job.dispatched", 0, operations_request_id=id[:200], id="J-1"))
    (order,), _ = await plant.reads.orders(None, limit=5)
    assert order.id == id[:200].replace("\0", "\ufffd")
