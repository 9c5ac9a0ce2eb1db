"""The catalogue, pinned: a change here is a change of a published contract."""

from __future__ import annotations

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS

_EVENTS = """
equipment.condition.threshold_exceeded.v1  ThresholdExceeded    operational    equipment_id            equipment_id            plant-engineering  5
equipment.signal.lost.v1                   SignalLoss           operational    equipment_id            equipment_id            plant-engineering  60
equipment.state.changed.v1                 StateChange          operational    equipment_id            equipment_id            plant-engineering  5
equipment.downtime.started.v1              Downtime             operational    equipment_id            equipment_id            production         5
equipment.downtime.ended.v1                Downtime             operational    equipment_id            equipment_id            production         5
equipment.downtime.classified.v1           ClassifiedStop       transactional  equipment_id            equipment_id            production         60
production.count.aggregated.v1             CountAggregate       operational    equipment_id            equipment_id            production         60
production.count.accepted.v1               AcceptedCount        transactional  equipment_id            operations_request_id   production         60
equipment.readings.aggregated.v1           ReadingsAggregate    analytical     equipment_id            tag                     plant-engineering  60
maintenance.request.created.v1             MaintenanceRequest   transactional  id                      physical_asset_id       maintenance        30
maintenance.order.completed.v1             OrderCompletion      transactional  id                      physical_asset_id       maintenance        60
maintenance.order.settled.v1               OrderSettlement      transactional  maintenance_order_id    physical_asset_id       maintenance        60
inventory.reservation.created.v1           Reservation          transactional  id                      material_definition_id  warehouse          30
inventory.balance.changed.v1               BalanceUpdate        operational    material_definition_id  material_definition_id  warehouse          60
inventory.movement.posted.v1               StockMovement        transactional  id                      material_definition_id  warehouse          60
procurement.requisition.created.v1         PurchaseRequisition  transactional  id                      id                      procurement        60
planning.capacity.constrained.v1           CapacitySignal       operational    work_center_id          work_center_id          planning           30
planning.capacity.restored.v1              CapacitySignal       operational    work_center_id          work_center_id          planning           30
finance.cost.posted.v1                     CostPosting          transactional  id                      cost_object             finance            60
"""  # noqa: E501
_OPERATIONS = """
production.context             production   -                                                             -
production.stop_reason         production   -                                                             -
production.counted             production   -                                                             -
calendar.entries               production   -                                                             -
maintenance.asset              maintenance  -                                                             -
maintenance.open_orders        maintenance  -                                                             -
maintenance.planned_work       maintenance  -                                                             -
maintenance.create_request     maintenance  physical_asset_id,rule,episode_start                          maintenance.request.created.v1
maintenance.add_observation    maintenance  maintenance_order_id,rule,episode_start                       -
maintenance.update_task        maintenance  maintenance_order_id,state                                    -
inventory.availability         warehouse    -                                                             -
inventory.reserve              warehouse    for_reference,line                                            inventory.reservation.created.v1
inventory.withdraw             warehouse    reservation_id                                                -
inventory.release              warehouse    reservation_id                                                -
inventory.synchronise_balance  warehouse    material_definition_id,site,source_sequence                   inventory.balance.changed.v1
planning.constrain_capacity    planning     reference                                                     planning.capacity.constrained.v1
planning.restore_capacity      planning     reference                                                     planning.capacity.restored.v1
erp.stock_balance              warehouse    -                                                             -
erp.create_requisition         procurement  reference,material_definition_id,site,required_date           procurement.requisition.created.v1
erp.post_consumption           warehouse    maintenance_order_id,line,material_lot_id,consumption_id      inventory.movement.posted.v1
erp.post_labour_cost           finance      maintenance_order_id,operation,person_id,start_time           finance.cost.posted.v1
"""  # noqa: E501


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def test_events() -> None:
    assert [
        [e.type, e.data.__name__, str(e.eventclass), e.key, e.order_by, e.owner, f"{e.sla_s:g}"]
        for e in EVENTS.values()
    ] == lines(_EVENTS)


def test_operations() -> None:
    assert [
        [o.name, o.owner, ",".join(o.key) or "-", o.emits.type if o.emits else "-"]
        for capability in CAPABILITIES.values()
        for o in capability.operations.values()
    ] == lines(_OPERATIONS)


def test_a_published_name_is_its_key() -> None:
    assert all(contract.type == name for name, contract in EVENTS.items())
    assert all(capability.capability == name for name, capability in CAPABILITIES.items())
