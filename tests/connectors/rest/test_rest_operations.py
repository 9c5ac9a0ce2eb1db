"""Every mapped operation against its system: what we get, and what the system then holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest
from msgspec.structs import replace
from rest_facts import (
    START,
    call,
    capacity_signal,
    maintenance_request,
    pieces,
    reservation,
    settings,
)

from lineshaft.connectors.rest import RestConnector
from lineshaft.contracts.capability import bind
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.errors import BusinessFault, ConfigError
from lineshaft.core.ports import HealthState
from lineshaft.core.quantity import Quantity
from lineshaft.model.counting import CountRef, OperationsRequestState
from lineshaft.model.downtime import StopReason, StopRef
from lineshaft.model.inventory import BalanceUpdate, MaterialAtSite, Release, ReservationState, Withdrawal
from lineshaft.model.maintenance import (
    AssetPeriod,
    AssetRef,
    MaintenanceOrderState,
    Observation,
    PartRequirement,
    RequestState,
    TaskState,
    TaskUpdate,
)
from lineshaft.model.production import EquipmentRef

KIT = PartRequirement(line=1, material_definition_id="SEAL-KIT-01", quantity=pieces(1))


@pytest.mark.parametrize("name", ["cmms", "inventory", "mes", "planning"])
def test_a_shipped_mapping_binds_every_operation_of_its_capabilities(name: str) -> None:
    connector = RestConnector(settings(name, "http://127.0.0.1:1"))
    bound = bind(connector, CAPABILITIES)
    commands = {operation.name for operation in bound.values() if operation.is_command}
    assert bound
    assert set(connector.manifest.reads_back) == commands


class TestMaintenance:
    async def test_asset(self, cmms) -> None:
        _, connector = cmms
        asset = await connector.asset(call(), AssetRef(physical_asset_id="FIL-01"))
        assert (asset.equipment_id, asset.criticality, asset.cost_center) == ("FILLER-01", 2, "CC-4100")
        assert asset.repair_kit == [KIT]

    async def test_an_unknown_asset_is_a_business_fault_with_its_owner(self, cmms) -> None:
        _, connector = cmms
        with pytest.raises(BusinessFault, match="FIL-99") as refused:
            await connector.asset(call(), AssetRef(physical_asset_id="FIL-99"))
        assert (refused.value.code, refused.value.owner) == ("unknown_asset", "master-data")

    async def test_a_request_opens_an_order_that_carries_the_key(self, cmms) -> None:
        system, connector = cmms
        reply = await connector.create_request(call("key-7"), maintenance_request())
        assert (reply.id, reply.maintenance_order_id) == ("WR-1001", "WO-2001")
        assert reply.state is RequestState.CONVERTED
        assert reply.rule == "filler-pressure-high"
        (row,) = system.effect_rows()["work_requests"]
        assert (row["priority"], row["origin"], row["external_ref"]) == ("2-HIGH", "CBM", "key-7")
        found = await connector.find_create_request(call("key-7"), maintenance_request())
        assert found == reply
        assert await connector.find_create_request(call("key-8"), maintenance_request()) is None

    async def test_a_priority_without_a_counterpart_is_refused_before_it_is_sent(self, cmms) -> None:
        system, connector = cmms
        with pytest.raises(
            BusinessFault, match=r"cmms.yaml:\d+: .*map 'priority' does not have 9"
        ) as refused:
            await connector.create_request(call(), maintenance_request(priority=9))
        assert refused.value.code == "mapping_error"
        assert system.effect_counts()["work_requests"] == 0

    async def test_open_orders(self, cmms) -> None:
        _, connector = cmms
        reference = AssetRef(physical_asset_id="FIL-01")
        assert (await connector.open_orders(call(), reference)).orders == []
        await connector.create_request(call(), maintenance_request())
        (order,) = (await connector.open_orders(call(), reference)).orders
        assert (order.id, order.state) == ("WO-2001", MaintenanceOrderState.RELEASED)
        assert order.maintenance_request_id == "WR-1001"

    async def test_planned_work_of_a_period(self, cmms) -> None:
        system, connector = cmms
        hour = timedelta(hours=1)
        day = AssetPeriod(physical_asset_id="FIL-01", start_time=START, end_time=START + 8 * hour)
        assert (await connector.planned_work(call(), day)).orders == []
        inside = system.plans.plan("FIL-01", "seals", "2026-03-02T09:00:00+02:00", "2026-03-02T08:00:00Z")
        system.plans.plan("FIL-01", "ends as it begins", "2026-03-02T05:00:00Z", "2026-03-02T06:00:00Z")
        system.plans.plan("CAP-01", "of another", "2026-03-02T07:00:00Z", "2026-03-02T08:00:00Z")
        again = system.plans.plan("FIL-01", "again", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z")
        found = (await connector.planned_work(call(), day)).orders
        assert [order.id for order in found] == [inside["planNo"], again["planNo"]]
        assert (found[0].start_time, found[0].end_time) == (START + hour, START + 2 * hour)
        system.plans.cancel(again["planNo"])
        assert len((await connector.planned_work(call(), day)).orders) == 1
        with pytest.raises(BusinessFault) as refused:
            await connector.planned_work(call(), replace(day, physical_asset_id="FIL-99"))
        assert refused.value.code == "unknown_asset"

    async def test_an_observation_is_a_note_on_the_order(self, cmms) -> None:
        system, connector = cmms
        await connector.create_request(call("a"), maintenance_request())
        observation = Observation(
            maintenance_order_id="WO-2001",
            physical_asset_id="FIL-01",
            rule="filler-pressure-high",
            episode_start=START,
            text="again, 4.9 bar",
        )
        reply = await connector.add_observation(call("b"), observation)
        assert reply.id == "N-1"
        assert system.effect_rows()["notes"][0]["text"] == "again, 4.9 bar"
        assert await connector.find_add_observation(call("b"), observation) == reply
        assert await connector.find_add_observation(call("c"), observation) is None
        lost = replace(observation, maintenance_order_id="WO-1")
        with pytest.raises(BusinessFault) as refused:
            await connector.add_observation(call("d"), lost)
        assert refused.value.code == "unknown_order"

    async def test_a_task_update_tells_the_reservation(self, cmms) -> None:
        system, connector = cmms
        await connector.create_request(call("a"), maintenance_request())
        update = TaskUpdate(
            maintenance_order_id="WO-2001",
            state=TaskState.PARTS_RESERVED,
            note="1 seal kit reserved",
            part_requirement=[replace(KIT, reservation_id="AL-5001")],
        )
        assert await connector.update_task(call("b"), update) == update
        assert await connector.find_update_task(call("b"), update) == update
        assert await connector.find_update_task(call("c"), update) is None
        (row,) = system.effect_rows()["task_updates"]
        assert '"reservationRef":"AL-5001"' in row["part_lines"]
        (order,) = (await connector.open_orders(call(), AssetRef(physical_asset_id="FIL-01"))).orders
        assert order.state is MaintenanceOrderState.READY


class TestInventory:
    async def test_availability(self, inventory) -> None:
        _, connector = inventory
        balance = await connector.availability(
            call(), MaterialAtSite(material_definition_id="SEAL-KIT-01", site="leipzig")
        )
        assert (balance.quantity, balance.reserved_quantity) == (pieces(24), pieces(0))
        assert (balance.reorder_point, balance.reorder_quantity) == (pieces(4), pieces(20))
        assert balance.site == "leipzig"

    async def test_a_unit_of_the_system_comes_back_as_ours(self, inventory) -> None:
        _, connector = inventory
        grease = MaterialAtSite(material_definition_id="GREASE-FG", site="leipzig")
        assert (await connector.availability(call(), grease)).quantity == Quantity(
            value=Decimal(10), unit="KGM"
        )

    @pytest.mark.parametrize(
        ("material", "site", "code"),
        [("NONE", "leipzig", "unknown_material"), ("SEAL-KIT-01", "mars", "mapping_error")],
    )
    async def test_unknown_material_or_site(self, inventory, material: str, site: str, code: str) -> None:
        _, connector = inventory
        with pytest.raises(BusinessFault) as refused:
            await connector.availability(call(), MaterialAtSite(material_definition_id=material, site=site))
        assert refused.value.code == code

    async def test_reserve_and_withdraw(self, inventory) -> None:
        system, connector = inventory
        kept = await connector.reserve(call("r"), reservation())
        assert (kept.id, kept.state) == ("AL-5001", ReservationState.OPEN)
        assert await connector.find_reserve(call("r"), reservation()) == kept
        assert await connector.find_reserve(call("other"), reservation()) is None
        where = MaterialAtSite(material_definition_id="SEAL-KIT-01", site="leipzig")
        assert (await connector.availability(call(), where)).reserved_quantity == pieces(1)

        withdrawal = Withdrawal(reservation_id="AL-5001", quantity=pieces(1))
        done = await connector.withdraw(call("w"), withdrawal)
        assert done == withdrawal
        assert await connector.find_withdraw(call("w"), withdrawal) == done
        assert await connector.find_withdraw(call("x"), withdrawal) is None
        balance = await connector.availability(call(), where)
        assert (balance.quantity, balance.reserved_quantity) == (pieces(24), pieces(0))
        with pytest.raises(BusinessFault) as refused:
            await connector.withdraw(call("x"), withdrawal)
        assert refused.value.code == "reservation_closed"
        assert system.effect_counts() == {"allocations": 1, "picks": 1, "releases": 0, "ledger_updates": 0}

    async def test_a_reservation_that_is_released_promises_nothing(self, inventory) -> None:
        system, connector = inventory
        await connector.reserve(call("r"), reservation())
        release = Release(reservation_id="AL-5001")
        assert await connector.find_release(call("f"), release) is None
        assert await connector.release(call("f"), release) == release
        assert await connector.find_release(call("f"), release) == release
        where = MaterialAtSite(material_definition_id="SEAL-KIT-01", site="leipzig")
        balance = await connector.availability(call(), where)
        assert (balance.quantity, balance.reserved_quantity) == (pieces(24), pieces(0))
        kept = await connector.find_reserve(call("r"), reservation())
        assert kept.state is ReservationState.CANCELLED
        with pytest.raises(BusinessFault) as refused:
            await connector.release(call("x"), release)
        assert (refused.value.code, refused.value.owner) == ("reservation_closed", "warehouse")
        assert system.effect_counts()["releases"] == 1

    async def test_more_than_there_is(self, inventory) -> None:
        system, connector = inventory
        with pytest.raises(BusinessFault, match="24 EA free") as refused:
            await connector.reserve(call(), reservation(quantity=pieces(25)))
        assert (refused.value.code, refused.value.owner) == ("insufficient_stock", "warehouse")
        assert system.effect_counts()["allocations"] == 0

    async def test_a_balance_follows_the_newest_source_sequence(self, inventory) -> None:
        _, connector = inventory

        def update(quantity: int, sequence: str) -> BalanceUpdate:
            return BalanceUpdate(
                material_definition_id="SEAL-KIT-01",
                site="leipzig",
                quantity=pieces(quantity),
                as_of=START,
                source_sequence=sequence,
            )

        newer, older = update(23, "0000000010"), update(99, "0000000009")
        assert await connector.synchronise_balance(call("n"), newer) == newer
        assert await connector.synchronise_balance(call("o"), older) == older
        assert await connector.find_synchronise_balance(call("n"), newer) == newer
        assert await connector.find_synchronise_balance(call("p"), newer) is None
        where = MaterialAtSite(material_definition_id="SEAL-KIT-01", site="leipzig")
        balance = await connector.availability(call(), where)
        assert (balance.quantity, balance.source_sequence) == (pieces(23), "0000000010")


class TestProduction:
    async def test_context_of_the_running_job(self, mes) -> None:
        _, connector = mes
        context = await connector.context(call(), EquipmentRef(equipment_id="FILLER-01"))
        assert context.work_center_id == "BTL-L1"
        assert (context.operations_request_id, context.job_order_id) == ("PO-4711", "JOB-4711-10")
        assert context.material_definition_id == "WATER-05"
        assert context.planned_quantity == pieces(120_000)
        assert context.good_quantity.value >= 31_200
        assert context.due_time - datetime.now(UTC) > timedelta(hours=4)

    async def test_the_reason_of_a_stop_is_the_operators_before_the_machines(self, mes) -> None:
        system, connector = mes
        stop = StopRef(
            equipment_id="FILLER-01",
            start_time=START,
            end_time=START + timedelta(minutes=9),
            reason_code="MECH-JAM",
        )
        given = StopReason(equipment_id="FILLER-01", code="MECH-JAM", leaf=True, erp_postable=True)
        assert await connector.stop_reason(call(), stop) == given
        nothing = StopReason(equipment_id="FILLER-01")
        assert await connector.stop_reason(call(), replace(stop, reason_code="")) == nothing
        assert await connector.stop_reason(call(), replace(stop, reason_code="BUILDER-77")) == nothing
        group = await connector.stop_reason(call(), replace(stop, reason_code="MECH"))
        assert (group.code, group.leaf, group.erp_postable) == ("MECH", False, False)
        entered = {"from": START.isoformat(), "until": stop.end_time.isoformat(), "code": "CLEAN"}
        path = f"{system.url}/mes/machines/FILLER-01/stop-reason"
        async with aiohttp.ClientSession() as session:
            async with session.post(path, json=entered) as answer:
                assert answer.status == 204
            async with session.post(path, json=entered | {"code": "X"}) as answer:
                assert answer.status == 422
            async with session.post(path, json=entered | {"from": "noon"}) as answer:
                assert answer.status == 400
        clean = StopReason(equipment_id="FILLER-01", code="CLEAN", leaf=True, erp_postable=False)
        assert await connector.stop_reason(call(), stop) == clean
        later = replace(stop, start_time=stop.end_time, end_time=stop.end_time + timedelta(minutes=9))
        assert await connector.stop_reason(call(), later) == given

    async def test_what_was_made_in_a_window(self, mes) -> None:
        system, connector = mes
        begun = datetime.fromisoformat(system.database.rows("SELECT * FROM jobs")[0]["started_at"])
        window = CountRef(
            equipment_id="FILLER-01",
            property="count",
            start_time=begun + timedelta(minutes=1),
            end_time=begun + timedelta(minutes=2),
        )
        made = await connector.counted(call(), window)
        assert (made.is_count_point, made.order.request_state) == (True, OperationsRequestState.RUNNING)
        assert (made.order.good_quantity, made.order.cumulative_quantity) == (pieces(360), pieces(31_920))
        assert (made.order.operations_request_id, made.order.operations_segment_id) == ("PO-4711", "10")
        assert (made.order.lot_managed, made.order.material_lot_id) == (True, "LOT-4711")
        assert (made.order.over_delivery_tolerance, made.order.on_hold) == (Decimal(5), False)
        with system.database.transaction():
            system.database.execute("UPDATE jobs SET blocked = 1, status = 'PAUSED', lot = NULL")
        held = (await connector.counted(call(), window)).order
        assert (held.on_hold, held.material_lot_id) == (True, None)
        assert held.request_state is OperationsRequestState.HELD
        assert not (await connector.counted(call(), replace(window, equipment_id="CAPPER-01"))).is_count_point
        with system.database.transaction():
            system.database.execute("UPDATE jobs SET running = 0")
        assert (await connector.counted(call(), window)).order is None

    async def test_an_idle_line_has_no_job(self, mes) -> None:
        system, connector = mes
        with system.database.transaction():
            system.database.execute("UPDATE jobs SET running = 0")
        context = await connector.context(call(), EquipmentRef(equipment_id="FILLER-01"))
        assert context.work_center_id == "BTL-L1"
        assert context.job_order_id is None
        assert context.planned_quantity is None

    async def test_unknown_equipment(self, mes) -> None:
        _, connector = mes
        with pytest.raises(BusinessFault) as refused:
            await connector.context(call(), EquipmentRef(equipment_id="FILLER 99?"))
        assert refused.value.code == "unknown_equipment"


class TestPlanning:
    async def test_constrained_and_restored(self, planning) -> None:
        system, connector = planning
        signal = capacity_signal()
        constrained = await connector.constrain_capacity(call("c"), signal)
        restored = await connector.restore_capacity(call("r"), signal)
        assert (constrained.id, restored.id) == ("CN-7001", "CN-7002")
        assert await connector.find_constrain_capacity(call("c"), signal) == constrained
        assert await connector.find_restore_capacity(call("r"), signal) == restored
        assert await connector.find_restore_capacity(call("x"), signal) is None
        rows = system.effect_rows()["capacity_notices"]
        assert [row["kind"] for row in rows] == ["REDUCED", "FULL"]
        assert rows[0]["affected_order"] == "PO-4711"

    async def test_unknown_work_center(self, planning) -> None:
        _, connector = planning
        with pytest.raises(BusinessFault, match="BTL-L9") as refused:
            await connector.constrain_capacity(call(), capacity_signal(work_center_id="BTL-L9"))
        assert (refused.value.code, refused.value.owner) == ("unknown_work_center", "master-data")


async def test_health(cmms) -> None:
    system, connector = cmms
    assert (await connector.health()).state is HealthState.ACTIVE
    fault = system.faults.add("outage", times=1)
    assert (await connector.health()).state is HealthState.DEGRADED
    assert fault.times == 1
    await system.stop()
    health = await connector.health()
    assert health.state is HealthState.DEGRADED
    assert "not sent" in health.detail


def test_settings_never_show_a_secret() -> None:
    shown = repr(settings("cmms", "http://127.0.0.1", bearer="top-secret"))
    assert "secret" not in shown


def test_wrong_settings_are_reported_all_at_once() -> None:
    wrong = replace(settings("cmms", "ftp://host", bearer="x", user="y", max_answer_bytes=0), name="")
    with pytest.raises(ConfigError) as refused:
        RestConnector(wrong)
    assert len(refused.value.findings) == 4
