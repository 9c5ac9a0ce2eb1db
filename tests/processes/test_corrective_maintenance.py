"""From a broken limit to a settled order, against systems that keep their state in dictionaries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lineshaft.contracts.catalogue import MAINTENANCE_ORDER_COMPLETED, MAINTENANCE_ORDER_SETTLED
from lineshaft.core.errors import BusinessFault, TransientFault
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Event, Value
from lineshaft.model.finance import CostPosting
from lineshaft.model.inventory import StockBalance, StockMovement
from lineshaft.model.maintenance import (
    MaintenanceOrder,
    MaintenanceOrderState,
    MaterialActual,
    OpenOrders,
    OrderCompletion,
    OrderSettlement,
    PhysicalAsset,
    TaskState,
)
from lineshaft.model.procurement import RequisitionReason
from lineshaft.model.production import ProductionContext
from lineshaft.processes import SHIPPED, corrective_maintenance
from lineshaft.processes.corrective_maintenance import Disposition, MaintenanceOutcome
from lineshaft.store import Store
from lineshaft.store.schema import exceptions, outbox
from tests.clocks import ManualClock
from tests.facts import ASSET, AT, EQUIPMENT, KIT, completion, pieces, requirement
from tests.rows import rows

from .plant import Answers, House, started_by


@dataclass
class Plant:
    """What the systems of the plant say; changed by a test before the story begins."""

    stock: int = 12
    reserved: int = 0
    reorder_point: Quantity | None = field(default_factory=lambda: pieces(4))
    reorder_quantity: Quantity | None = field(default_factory=lambda: pieces(20))
    order_id: str | None = "MO-1"
    open_orders: list[MaintenanceOrder] = field(default_factory=list)
    kit: list[Any] = field(default_factory=lambda: [requirement(count=2)])

    def answers(self) -> Answers:
        def filled(**fields: object) -> Any:
            return lambda request: msgspec.structs.replace(request, **fields)

        def balance(request: Any) -> StockBalance:
            return StockBalance(
                material_definition_id=request.material_definition_id,
                site=request.site,
                quantity=pieces(self.stock),
                as_of=AT,
                source_sequence="42",
                reserved_quantity=pieces(self.reserved),
                reorder_point=self.reorder_point,
                reorder_quantity=self.reorder_quantity,
            )

        asset = PhysicalAsset(
            physical_asset_id=ASSET,
            equipment_id=EQUIPMENT,
            description="Pump",
            criticality=1,
            cost_center="FILLING",
            repair_kit=self.kit,
        )
        context = ProductionContext(
            equipment_id=EQUIPMENT, work_center_id="LINE-2", operations_request_id="PO-9"
        )
        return Answers(
            {
                "maintenance.asset": lambda request: asset,
                "production.context": lambda request: context,
                "maintenance.open_orders": lambda request: OpenOrders(orders=self.open_orders),
                "maintenance.create_request": filled(id="MR-1", maintenance_order_id=self.order_id),
                "maintenance.add_observation": filled(id="O-1"),
                "maintenance.update_task": filled(),
                "inventory.availability": balance,
                "inventory.reserve": lambda request: msgspec.structs.replace(
                    request, id=f"RS-{request.line}"
                ),
                "inventory.withdraw": filled(),
                "inventory.release": filled(),
                "inventory.synchronise_balance": filled(),
                "planning.constrain_capacity": filled(id="CP-1"),
                "planning.restore_capacity": filled(id="CP-2"),
                "erp.stock_balance": balance,
                "erp.create_requisition": filled(id="PR-1"),
                "erp.post_consumption": lambda request: StockMovement(
                    id=f"MV-{request.consumption_id}",
                    reference=request.maintenance_order_id,
                    material_definition_id=request.material_definition_id,
                    quantity=request.quantity,
                    posting_date=request.posting_date,
                ),
                "erp.post_labour_cost": lambda request: CostPosting(
                    id=f"CO-{request.person_id}",
                    cost_object=request.cost_center,
                    cost_element="labour",
                    amount=request.amount,
                    currency=request.currency,
                    posting_date=request.posting_date,
                    source_transaction_id=request.maintenance_order_id,
                ),
            }
        )


@dataclass
class Story:
    house: House
    answers: Answers

    async def breach(self) -> None:
        await self.house.engine.handle(started_by("low-pressure"))

    async def complete(self, completed: OrderCompletion | None = None, identity: str = "1") -> None:
        event = MAINTENANCE_ORDER_COMPLETED.make(
            completed or completion(), plant="NSP", source="/nsp/cmms", identity=(identity,), time=AT
        )
        await self.house.engine.handle(event)

    async def abort(self) -> None:
        process_id = (await self.house.instance())["process_id"]
        await self.house.actions.abort(process_id, by="kim", reason="the sensor was wrong")

    @property
    def done(self) -> list[str]:
        return [operation for operation, _ in self.answers.effects]

    def request(self, operation: str) -> Any:
        (found,) = [request for name, request in self.answers.effects if name == operation]
        return found

    async def outcome(self) -> MaintenanceOutcome:
        return msgspec.json.decode((await self.house.instance())["result"], type=MaintenanceOutcome)


@pytest_asyncio.fixture
async def tell(store: Store) -> Any:
    """A story with the given plant; its engine runs until the test ends."""
    entered: list[Any] = []

    async def begin(plant: Plant) -> Story:
        answers = plant.answers()
        clock = ManualClock(at=AT + timedelta(hours=5), tick_s=0.001)
        house = House(store, [corrective_maintenance], answers, clock)
        running = house.running()
        entered.append(running)
        await running.__aenter__()
        return Story(house, answers)

    yield begin
    for running in entered:
        await running.__aexit__(None, None, None)


async def test_with_stock_the_parts_are_reserved_and_the_order_is_settled(tell: Any, store: Store) -> None:
    story = await tell(Plant())
    await story.breach()
    await story.house.in_state("waiting")
    assert story.done == ["maintenance.create_request", "inventory.reserve", "maintenance.update_task"]
    request = story.request("maintenance.create_request")
    assert "order PO-9 is running" in request.description
    task = story.request("maintenance.update_task")
    assert task.state is TaskState.PARTS_RESERVED
    assert [line.reservation_id for line in task.part_requirement] == ["RS-1"]

    await story.complete()
    await story.house.in_state("completed")
    assert story.done[3:] == [
        "erp.post_consumption",
        "erp.post_labour_cost",
        "inventory.withdraw",
        "inventory.synchronise_balance",
    ]
    labour = story.request("erp.post_labour_cost")
    assert (labour.hours, labour.amount, labour.posting_date) == (
        Decimal("1.5000"),
        Decimal("127.50"),
        date(2026, 3, 2),
    )
    assert story.request("inventory.withdraw").reservation_id == "RS-1"
    assert story.request("inventory.synchronise_balance").source_sequence == "42"
    settlement = OrderSettlement(
        maintenance_order_id="MO-1",
        physical_asset_id=ASSET,
        movement_id=["MV-C-1"],
        cost_id=["CO-P-77"],
        labour_amount=Decimal("127.50"),
        currency="EUR",
    )
    assert await story.outcome() == MaintenanceOutcome(
        disposition=Disposition.SETTLED, maintenance_order_id="MO-1", settlement=settlement
    )
    (row,) = await rows(store, outbox)
    event = msgspec.json.decode(row["event"], type=Event)
    assert MAINTENANCE_ORDER_SETTLED.decode(event) == settlement
    assert event.correlationid == started_by("low-pressure").id


async def test_without_stock_it_is_requisitioned_and_capacity_is_constrained_until_the_end(tell: Any) -> None:
    story = await tell(Plant(stock=1))
    await story.breach()
    await story.house.in_state("waiting")
    assert story.done == [
        "maintenance.create_request",
        "erp.create_requisition",
        "maintenance.update_task",
        "planning.constrain_capacity",
    ]
    requisition = story.request("erp.create_requisition")
    assert requisition.reason is RequisitionReason.SHORTAGE
    assert (requisition.quantity, requisition.reference) == (pieces(20), "MO-1")
    assert requisition.required_date == date(2026, 3, 4)
    assert story.request("maintenance.update_task").state is TaskState.WAITING_FOR_PARTS

    await story.complete()
    await story.house.in_state("completed")
    assert "inventory.withdraw" not in story.done  # nothing was reserved
    assert story.done[-1] == "planning.restore_capacity"
    constrained = story.request("planning.constrain_capacity")
    assert story.request("planning.restore_capacity") == constrained


async def test_between_it_is_reserved_and_replenished(tell: Any) -> None:
    story = await tell(Plant(stock=5))
    await story.breach()
    await story.house.in_state("waiting")
    assert story.done == [
        "maintenance.create_request",
        "inventory.reserve",
        "erp.create_requisition",
        "maintenance.update_task",
    ]
    assert story.request("erp.create_requisition").reason is RequisitionReason.REORDER_POINT
    assert story.request("maintenance.update_task").state is TaskState.PARTS_RESERVED


@pytest.mark.parametrize(
    ("plant", "reserved", "requisitioned"),
    [
        (Plant(stock=6), True, None),  # exactly the reorder point is left
        (Plant(stock=2, reorder_point=None, reorder_quantity=None), True, None),
        (Plant(stock=1, reorder_point=None, reorder_quantity=None), False, 2),
        (Plant(stock=12, reserved=11), False, 20),  # promised to others
        (Plant(stock=12, reserved=8), True, 20),
        (Plant(stock=1, reorder_quantity=pieces(1)), False, 2),  # never less than is needed
        (Plant(stock=5, reorder_point=pieces(4, "H87"), reorder_quantity=pieces(9, "H87")), True, 9),
    ],
)
async def test_the_thresholds(plant: Plant, reserved: bool, requisitioned: int | None, tell: Any) -> None:
    story = await tell(plant)
    await story.breach()
    await story.house.in_state("waiting")
    assert ("inventory.reserve" in story.done) == reserved
    assert ("erp.create_requisition" in story.done) == (requisitioned is not None)
    if requisitioned is not None:
        assert story.request("erp.create_requisition").quantity == pieces(requisitioned)


async def test_a_reorder_point_in_a_unit_that_does_not_fit_is_no_number_to_compare(tell: Any) -> None:
    story = await tell(Plant(reorder_point=pieces(4, "KGM")))
    await story.breach()
    await story.house.in_state("parked")
    assert "cannot become" in (await story.house.instance())["cause"]


async def test_every_part_of_the_kit_is_provided_for(tell: Any) -> None:
    story = await tell(Plant(kit=[requirement(1, "A", 2), requirement(2, "B", 20)]))
    await story.breach()
    await story.house.in_state("waiting")
    task = story.request("maintenance.update_task")
    assert [(line.material_definition_id, line.reservation_id) for line in task.part_requirement] == [
        ("A", "RS-1"),
        ("B", None),
    ]
    assert task.state is TaskState.WAITING_FOR_PARTS
    used = [
        MaterialActual(id=f"C-{name}", line=number, material_definition_id=name, quantity=pieces(1))
        for number, name in enumerate("AB", start=1)
    ]
    await story.complete(completion(material_actual=used))
    await story.house.in_state("completed")
    assert story.done.count("erp.post_consumption") == 2
    assert story.done.count("inventory.withdraw") == 1
    assert story.done.count("inventory.synchronise_balance") == 2


async def test_an_asset_without_a_kit_needs_nothing(tell: Any) -> None:
    story = await tell(Plant(kit=[]))
    await story.breach()
    await story.house.in_state("waiting")
    await story.complete(completion(material_actual=[], personnel_actual=[]))
    await story.house.in_state("completed")
    settlement = (await story.outcome()).settlement
    assert settlement is not None
    assert (settlement.movement_id, settlement.cost_id, settlement.labour_amount) == ([], [], 0)


async def test_where_work_is_open_the_finding_joins_it(tell: Any) -> None:
    order = MaintenanceOrder(
        id="MO-0", physical_asset_id=ASSET, description="x", state=MaintenanceOrderState.RUNNING
    )
    story = await tell(Plant(open_orders=[order]))
    await story.breach()
    await story.house.in_state("completed")
    assert story.done == ["maintenance.add_observation"]
    observation = story.request("maintenance.add_observation")
    assert observation.maintenance_order_id == "MO-0"
    assert observation.text == (
        "pressure low limit broken: 1.8 BAR (limit 2.2) since 2026-03-02T06:00:00.000000Z, rule low-pressure"
    )
    assert (await story.outcome()).disposition is Disposition.JOINED


async def test_work_that_was_finished_meanwhile_is_asked_for_anew(tell: Any) -> None:
    order = MaintenanceOrder(
        id="MO-0", physical_asset_id=ASSET, description="x", state=MaintenanceOrderState.RUNNING
    )
    story = await tell(Plant(open_orders=[order]))
    closed = BusinessFault("work order MO-0 is DONE", code="order_closed", owner="maintenance")
    story.answers.faults["maintenance.add_observation"] = [closed]
    await story.breach()
    await story.house.in_state("waiting")
    assert story.done[0] == "maintenance.create_request"
    assert "maintenance.add_observation" not in story.done


async def test_a_finding_that_is_refused_for_another_reason_goes_to_its_owner(tell: Any) -> None:
    order = MaintenanceOrder(
        id="MO-0", physical_asset_id=ASSET, description="x", state=MaintenanceOrderState.RUNNING
    )
    story = await tell(Plant(open_orders=[order]))
    refused = BusinessFault("no such rule", code="invalid", owner="maintenance")
    story.answers.faults["maintenance.add_observation"] = [refused]
    await story.breach()
    await story.house.in_state("parked")
    assert story.done == []


async def test_a_request_that_became_no_order_goes_to_maintenance(tell: Any) -> None:
    story = await tell(Plant(order_id=None))
    await story.breach()
    await story.house.in_state("parked")
    instance = await story.house.instance()
    assert instance["owner"] == "maintenance"
    assert "opened no order" in instance["cause"]


async def test_a_wrong_completion_is_parked_with_all_findings_and_posts_nothing(
    tell: Any, store: Store
) -> None:
    story = await tell(Plant())
    await story.breach()
    await story.house.in_state("waiting")
    wrong = completion(
        actual_end_time=AT + timedelta(hours=1),
        material_actual=[
            MaterialActual(id="C-1", line=1, material_definition_id=KIT, quantity=pieces(3)),
            MaterialActual(id="C-2", line=1, material_definition_id="OTHER", quantity=pieces(1)),
        ],
    )
    await story.complete(wrong)
    await story.house.in_state("parked")
    assert not [name for name in story.done if name.startswith("erp.")]
    (row,) = await rows(store, exceptions)
    assert (row["kind"], row["owner"]) == ("business_fault", "maintenance")
    for said in ("outside the order's actual times", "3 used, 2 planned", "OTHER was not planned"):
        assert said in row["cause"]


async def test_a_completion_told_twice_or_of_another_order_settles_once(tell: Any) -> None:
    story = await tell(Plant())
    await story.complete(completion("MO-2"), "other")
    await story.complete()  # the technician was faster than the process
    await story.breach()
    await story.house.in_state("completed")
    await story.complete()
    await story.complete(identity="2")
    assert story.done.count("erp.post_consumption") == 1


async def test_two_weeks_without_a_completion_go_to_maintenance(tell: Any) -> None:
    story = await tell(Plant())
    await story.breach()
    await story.house.in_state("waiting")
    story.house.pass_time(13 * 86_400)
    story.house.pass_time(86_401)
    await story.house.in_state("parked")
    assert "no maintenance.order.completed.v1 for MO-1" in (await story.house.instance())["cause"]


@pytest.mark.parametrize(
    "operation", ["maintenance.asset", "maintenance.create_request", "inventory.reserve"]
)
async def test_a_system_that_is_away_is_waited_for(operation: str, tell: Any) -> None:
    story = await tell(Plant())
    story.answers.faults[operation] = [TransientFault("away")]
    await story.breach()
    await story.house.in_state("retrying")
    story.house.pass_time(60)
    await story.house.in_state("waiting")
    assert story.done == ["maintenance.create_request", "inventory.reserve", "maintenance.update_task"]


async def test_a_closed_period_parks_with_finance_after_what_was_posted(tell: Any, store: Store) -> None:
    story = await tell(Plant())
    story.answers.faults["erp.post_labour_cost"] = [
        BusinessFault("period 02/2026 is closed", code="closed_period", owner="finance")
    ]
    await story.breach()
    await story.complete()
    await story.house.in_state("parked")
    assert (await story.house.instance())["owner"] == "finance"
    assert story.done[-1] == "erp.post_consumption"


async def test_an_abort_while_parts_are_short_frees_planning_and_what_was_reserved(tell: Any) -> None:
    story = await tell(Plant(kit=[requirement(1, "A", 2), requirement(2, "B", 20)]))
    await story.breach()
    await story.house.in_state("waiting")
    before = len(story.done)
    await story.abort()
    await story.house.in_state("aborted")
    assert story.done[before:] == ["planning.restore_capacity", "inventory.release"]
    assert story.request("planning.restore_capacity") == story.request("planning.constrain_capacity")
    assert story.request("inventory.release").reservation_id == "RS-1"


async def test_an_abort_after_capacity_was_restored_does_not_restore_it_again(tell: Any) -> None:
    story = await tell(Plant(stock=1))
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def held(command: Any) -> None:
        if command.operation == "planning.restore_capacity":
            reached.set()
            await go_on.wait()

    story.answers.before = held
    await story.breach()
    await story.complete()
    await reached.wait()
    await story.abort()
    go_on.set()
    await story.house.in_state("aborted")
    asked = [command.operation for command in story.answers.commands]
    assert asked.count("planning.restore_capacity") == 2  # by the process, and by the undo
    assert story.done.count("planning.restore_capacity") == 1


@pytest.mark.parametrize(
    ("code", "then"), [("reservation_closed", "aborted"), ("unknown_reservation", "parked")]
)
async def test_a_reservation_that_cannot_be_released_is_its_owners_unless_it_has_ended(
    code: str, then: str, tell: Any
) -> None:
    story = await tell(Plant())
    refused = BusinessFault("no", code=code, owner="warehouse")
    story.answers.faults["inventory.release"] = [refused]
    await story.breach()
    await story.house.in_state("waiting")
    await story.abort()
    await story.house.in_state(then)
    assert "inventory.release" not in story.done


def test_it_is_shipped_and_asks_only_for_what_it_declares() -> None:
    assert SHIPPED["corrective_maintenance"] == (corrective_maintenance,)
    asked = set(Plant().answers().replies)
    assert asked <= corrective_maintenance.operations.keys()
    assert corrective_maintenance.actor == "process:corrective_maintenance"
    assert isinstance(completion(), Value)
