"""The catalogue, pinned: a change here is a change of a published contract."""

from __future__ import annotations

import jsonschema_rs
import pytest

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.event import EventContract
from lineshaft.contracts.examples import example, example_of
from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.values import Value
from lineshaft.model.entities import ENTITIES
from lineshaft.model.systems import SystemKind

OPERATIONS = [each for capability in CAPABILITIES.values() for each in capability.operations.values()]
_EVENTS = """
production.batch.completed.v1              BatchExecution           operational    batch_id                                                                  =                       production         60     batch_execution         mes
production.batch.state_changed.v1          BatchExecution           operational    batch_id                                                                  =                       production         5      batch_execution         mes
production.confirmation.posted.v1          PostedConfirmation       transactional  operations_request_id                                                     =                       production         60     segment_response        mes
production.confirmation.recorded.v1        ProductionConfirmation   transactional  operations_request_id                                                     =                       production         60     segment_response        mes
production.confirmation.rejected.v1        RejectedConfirmation     transactional  operations_request_id                                                     =                       production         60     segment_response        mes
production.confirmation.reversed.v1        ProductionConfirmation   transactional  operations_request_id                                                     =                       production         60     segment_response        mes
production.count.accepted.v1               AcceptedCount            transactional  equipment_id                                                              operations_request_id   production         60     segment_response        mes
production.count.aggregated.v1             CountAggregate           operational    equipment_id                                                              =                       production         60     segment_response        iot
production.job.completed.v1                JobOrder                 operational    id                                                                        =                       production         5      job_order               mes
production.job.dispatched.v1               JobOrder                 operational    id                                                                        =                       production         5      job_order               mes
production.job.started.v1                  JobOrder                 operational    id                                                                        =                       production         5      job_order               mes
production.order.cancelled.v1              OrderStateChange         transactional  id                                                                        =                       production         30     operations_request      erp
production.order.changed.v1                OperationsRequest        transactional  id                                                                        =                       production         30     operations_request      erp
production.order.closed.v1                 OrderStateChange         transactional  id                                                                        =                       production         300    operations_request      erp
production.order.held.v1                   OrderStateChange         transactional  id                                                                        =                       production         30     operations_request      erp
production.order.released.v1               OperationsRequest        transactional  id                                                                        =                       production         30     operations_request      erp
equipment.alarm.cleared.v1                 Alarm                    operational    equipment_id                                                              =                       plant-engineering  5      equipment               iot
equipment.alarm.raised.v1                  Alarm                    operational    equipment_id                                                              =                       plant-engineering  5      equipment               iot
equipment.downtime.classified.v1           ClassifiedStop           transactional  equipment_id                                                              =                       production         60     downtime_record         mes
equipment.downtime.ended.v1                Downtime                 operational    equipment_id                                                              =                       production         5      downtime_record         mes
equipment.downtime.started.v1              Downtime                 operational    equipment_id                                                              =                       production         5      downtime_record         mes
equipment.kpi.calculated.v1                KeyFigure                analytical     equipment_id                                                              =                       production         3600   equipment               platform
equipment.performance.degraded.v1          PerformanceDegradation   operational    equipment_id                                                              =                       production         60     equipment               iot
equipment.readings.aggregated.v1           ReadingsAggregate        analytical     equipment_id                                                              tag                     plant-engineering  60     equipment               iot
equipment.signal.lost.v1                   SignalLoss               operational    equipment_id                                                              =                       plant-engineering  60     physical_asset          iot
equipment.state.changed.v1                 StateChange              operational    equipment_id                                                              =                       plant-engineering  5      equipment               iot
equipment.condition.threshold_exceeded.v1  ThresholdExceeded        operational    equipment_id                                                              =                       plant-engineering  5      physical_asset          iot
inventory.balance.changed.v1               BalanceUpdate            operational    material_definition_id                                                    =                       warehouse          60     stock_balance           erp
inventory.balance.reconciled.v1            BalanceReconciliation    analytical     site                                                                      =                       warehouse          86400  stock_balance           erp
inventory.material.consumed.v1             MaterialMovement         transactional  material_definition_id+from_location                                      material_definition_id  warehouse          60     material_movement       erp
inventory.material.received.v1             MaterialMovement         transactional  material_definition_id+to_location                                        material_definition_id  warehouse          60     material_movement       erp
inventory.material.transferred.v1          MaterialMovement         transactional  material_definition_id+from_location                                      material_definition_id  warehouse          60     material_movement       erp
inventory.movement.posted.v1               StockMovement            transactional  id                                                                        material_definition_id  warehouse          60     material_movement       erp
inventory.movement.rejected.v1             RejectedMovement         transactional  material_definition_id+storage_location                                   material_definition_id  warehouse          60     material_movement       erp
inventory.reservation.created.v1           Reservation              transactional  id                                                                        material_definition_id  warehouse          30     reservation             erp
inventory.reservation.released.v1          ReservationRecord        transactional  id                                                                        material_definition_id  warehouse          60     reservation             erp
inventory.stock.fell_below_threshold.v1    StockShortfall           operational    material_definition_id+storage_location                                   material_definition_id  warehouse          60     stock_balance           erp
maintenance.order.completed.v1             OrderCompletion          transactional  id                                                                        physical_asset_id       maintenance        60     maintenance_order       cmms
maintenance.order.released.v1              MaintenanceOrderRecord   transactional  id                                                                        physical_asset_id       maintenance        60     maintenance_order       cmms
maintenance.order.settled.v1               OrderSettlement          transactional  maintenance_order_id                                                      physical_asset_id       maintenance        60     maintenance_order       cmms
maintenance.request.created.v1             MaintenanceRequest       transactional  id                                                                        physical_asset_id       maintenance        30     maintenance_request     cmms
quality.hold.placed.v1                     QualityHold              transactional  scope.material_lot_id|scope.handling_unit_id|scope.operations_request_id  =                       quality            5      quality_hold            qms
quality.hold.released.v1                   QualityHold              transactional  scope.material_lot_id|scope.handling_unit_id|scope.operations_request_id  =                       quality            30     quality_hold            qms
quality.inspection.completed.v1            TestResult               transactional  material_lot_id|testable_object_id                                        =                       quality            60     test_result             qms
quality.inspection.requested.v1            InspectionRequest        transactional  material_lot_id|testable_object_id                                        =                       quality            60     test_result             qms
quality.nonconformance.dispositioned.v1    Nonconformance           transactional  material_lot_id|id                                                        =                       quality            60     nonconformance          qms
quality.nonconformance.raised.v1           Nonconformance           transactional  material_lot_id|id                                                        =                       quality            60     nonconformance          qms
planning.capacity.constrained.v1           CapacitySignal           operational    work_center_id                                                            =                       planning           30     operations_capability   aps
planning.capacity.restored.v1              CapacitySignal           operational    work_center_id                                                            =                       planning           30     operations_capability   aps
planning.order.firmed.v1                   PlannedOrderRecord       transactional  id                                                                        =                       planning           300    planned_order           aps
planning.order.proposed.v1                 PlannedOrderRecord       transactional  id                                                                        =                       planning           300    planned_order           aps
planning.schedule.published.v1             Schedule                 operational    work_center_id                                                            =                       planning           60     planned_order           aps
procurement.asn.received.v1                AdvanceShipNotice        transactional  id                                                                        =                       procurement        60     advance_ship_notice     supplier_portal
procurement.order.issued.v1                PurchaseOrder            transactional  id                                                                        =                       procurement        300    purchase_order          erp
procurement.requisition.created.v1         PurchaseRequisition      transactional  id                                                                        =                       procurement        60     purchase_requisition    erp
logistics.handling_unit.completed.v1       HandlingUnit             transactional  id                                                                        =                       logistics          5      handling_unit           wms
logistics.handling_unit.staged.v1          HandlingUnit             transactional  id                                                                        =                       logistics          30     handling_unit           wms
logistics.shipment.arrived.v1              Shipment                 transactional  id                                                                        =                       logistics          300    shipment                tms
logistics.shipment.blocked.v1              Shipment                 transactional  id                                                                        =                       logistics          5      shipment                tms
logistics.shipment.departed.v1             Shipment                 transactional  id                                                                        =                       logistics          60     shipment                tms
logistics.shipment.ready.v1                Shipment                 transactional  id                                                                        =                       logistics          30     shipment                tms
finance.cost.posted.v1                     CostPosting              transactional  id                                                                        cost_object             finance            60     cost_posting            erp
customer.promise.changed.v1                CustomerOrderPromise     transactional  sales_order_id+line                                                       =                       sales              60     customer_order_promise  crm
masterdata.equipment.changed.v1            Equipment                operational    id                                                                        =                       master-data        300    equipment               erp
masterdata.material.changed.v1             MaterialDefinition       operational    id                                                                        =                       master-data        300    material_definition     erp
masterdata.routing.changed.v1              OperationsDefinition     operational    material_definition_id                                                    =                       master-data        300    operations_definition   erp
platform.contract.violated.v1              ContractBreach           analytical     contract                                                                  =                       integration        300    -                       -
platform.transaction.dead_lettered.v1      DeadLetteredTransaction  operational    original_key                                                              =                       integration        60     -                       -
"""  # noqa: E501
_OPERATIONS = """
billing.set_delivery_block             erp              finance      shipment                  tms              document_id,hold_id,state                                                             document_id                                             -
billing.set_invoice_block              erp              finance      shipment                  tms              document_id,hold_id,state                                                             document_id                                             -
erp.stock_balance                      erp              warehouse    stock_balance             erp              -                                                                                     -                                                       -
erp.create_requisition                 erp              procurement  purchase_requisition      erp              reference,material_definition_id,site,required_date                                   -                                                       procurement.requisition.created.v1
erp.post_consumption                   erp              warehouse    material_movement         erp              maintenance_order_id,line,material_lot_id,consumption_id                              -                                                       inventory.movement.posted.v1
erp.post_labour_cost                   erp              finance      cost_posting              erp              maintenance_order_id,operation,person_id,start_time                                   -                                                       finance.cost.posted.v1
goods.receive_count                    erp              warehouse    material_movement         erp              equipment_id,epoch,from_count,to_count                                                operations_request_id                                   inventory.movement.posted.v1
goods.receive_handling_unit            erp              warehouse    material_movement         erp              operations_request_id,handling_unit_id                                                operations_request_id                                   inventory.movement.posted.v1
goods.consume_component                erp              warehouse    material_movement         erp              operations_request_id,line,material_lot_id,consumption_id                             operations_request_id                                   inventory.movement.posted.v1
goods.transfer                         erp              warehouse    material_movement         erp              task_id                                                                               -                                                       inventory.movement.posted.v1
goods.block_stock                      erp              quality      material_movement         erp              hold_id,material_lot_id,storage_location,stock_type                                   material_lot_id,storage_location                        inventory.movement.posted.v1
goods.adjust                           erp              warehouse    material_movement         erp              reconciliation_id,material_definition_id,storage_location,material_lot_id,stock_type  -                                                       inventory.movement.posted.v1
goods.reverse                          erp              warehouse    material_movement         erp              original_key                                                                          -                                                       inventory.movement.posted.v1
master_data.material                   erp              master-data  material_definition       erp              -                                                                                     -                                                       -
master_data.work_center                erp              master-data  work_center               erp              -                                                                                     -                                                       -
master_data.equipment                  erp              master-data  equipment                 erp              -                                                                                     -                                                       -
orders.order                           erp              production   operations_request        erp              -                                                                                     -                                                       -
orders.released                        erp              production   operations_request        erp              -                                                                                     -                                                       -
orders.at_work_center                  erp              production   operations_request        erp              -                                                                                     -                                                       -
orders.signal_capacity                 erp              planning     operations_capability     aps              reference,end_time                                                                    work_center_id                                          -
orders.firm_plan                       erp              planning     operations_request        erp              id,plan_version                                                                       id                                                      production.order.released.v1
orders.report_state                    erp              production   operations_request        erp              id,request_state,sequence                                                             id                                                      -
orders.raise_exception                 erp              production   operations_request        erp              operations_request_id,event_id                                                        -                                                       -
orders.post_confirmation               erp              production   segment_response          mes              operations_request_id,segment_requirement_id,id,revision                              operations_request_id                                   production.confirmation.posted.v1
orders.reverse_confirmation            erp              production   segment_response          mes              original_key                                                                          operations_request_id                                   -
orders.post_labour                     erp              finance      cost_posting              erp              operations_request_id,segment_requirement_id,person_id,start_time                     -                                                       finance.cost.posted.v1
purchasing.order                       erp              procurement  purchase_order            erp              -                                                                                     -                                                       -
purchasing.supplier                    erp              procurement  supplier                  erp              -                                                                                     -                                                       -
purchasing.expect_receipt              erp              procurement  advance_ship_notice       supplier_portal  supplier_id,advance_ship_notice_id,purpose                                            supplier_id,advance_ship_notice_id                      -
dispatching.job                        mes              production   job_order                 mes              -                                                                                     -                                                       -
dispatching.dispatch_order             mes              production   job_order                 mes              operations_request_id,revision                                                        operations_request_id                                   -
dispatching.change_job                 mes              production   job_order                 mes              job_order_id,command,event_id                                                         job_order_id                                            -
execution.batch                        mes              production   batch_execution           mes              -                                                                                     -                                                       -
execution.record_confirmation          mes              production   segment_response          mes              operations_request_id,segment_requirement_id,id,revision                              operations_request_id                                   production.confirmation.recorded.v1
execution.record_downtime              mes              production   downtime_record           mes              equipment_id,start_time,revision                                                      equipment_id                                            -
production.context                     mes              production   job_order                 mes              -                                                                                     -                                                       -
production.stop_reason                 mes              production   reason_code               mes              -                                                                                     -                                                       -
production.counted                     mes              production   segment_response          mes              -                                                                                     -                                                       -
calendar.entries                       mes              production   work_calendar             erp              -                                                                                     -                                                       -
asset_register.synchronise_asset       cmms             maintenance  physical_asset            cmms             physical_asset_id,source_sequence                                                     physical_asset_id                                       -
asset_register.synchronise_location    cmms             maintenance  equipment                 erp              equipment_id,source_sequence                                                          equipment_id                                            -
asset_register.synchronise_spare_part  cmms             maintenance  material_definition       erp              material_definition_id,source_sequence                                                material_definition_id                                  -
maintenance.asset                      cmms             maintenance  physical_asset            cmms             -                                                                                     -                                                       -
maintenance.open_orders                cmms             maintenance  maintenance_order         cmms             -                                                                                     -                                                       -
maintenance.planned_work               cmms             maintenance  maintenance_order         cmms             -                                                                                     -                                                       -
maintenance.create_request             cmms             maintenance  maintenance_request       cmms             physical_asset_id,rule,episode_start                                                  -                                                       maintenance.request.created.v1
maintenance.add_observation            cmms             maintenance  maintenance_order         cmms             maintenance_order_id,rule,episode_start                                               -                                                       -
maintenance.update_task                cmms             maintenance  maintenance_order         cmms             maintenance_order_id,state                                                            maintenance_order_id                                    -
inventory.availability                 wms              warehouse    stock_balance             erp              -                                                                                     -                                                       -
inventory.reserve                      wms              warehouse    reservation               erp              for_reference,line                                                                    -                                                       inventory.reservation.created.v1
inventory.withdraw                     wms              warehouse    reservation               erp              reservation_id                                                                        -                                                       -
inventory.release                      wms              warehouse    reservation               erp              reservation_id                                                                        -                                                       -
inventory.synchronise_balance          wms              warehouse    stock_balance             erp              material_definition_id,site,source_sequence                                           material_definition_id,site                             inventory.balance.changed.v1
warehouse.handling_unit                wms              logistics    handling_unit             wms              -                                                                                     -                                                       -
warehouse.create_transfer_task         wms              warehouse    material_movement         erp              reference,line                                                                        -                                                       -
warehouse.stage_handling_unit          wms              logistics    handling_unit             wms              handling_unit_id,shipment_id                                                          handling_unit_id                                        logistics.handling_unit.staged.v1
warehouse.set_stock_hold               wms              quality      quality_hold              qms              hold_id,material_lot_id,handling_unit_id,state                                        hold_id                                                 -
warehouse.prepare_receipt              wms              warehouse    advance_ship_notice       supplier_portal  supplier_id,advance_ship_notice_id,purpose                                            supplier_id,advance_ship_notice_id                      -
quality.result                         qms              quality      test_result               qms              -                                                                                     -                                                       -
quality.request_inspection             qms              quality      test_result               qms              testable_object_id,inspection_plan_id,trigger,trigger_reference                       testable_object_id                                      quality.inspection.requested.v1
quality.raise_nonconformance           qms              quality      nonconformance            qms              event_id,defect_code                                                                  -                                                       quality.nonconformance.raised.v1
quality.disposition                    qms              quality      nonconformance            qms              nonconformance_id,disposition                                                         nonconformance_id                                       quality.nonconformance.dispositioned.v1
quality.place_hold                     qms              quality      quality_hold              qms              material_lot_id,handling_unit_id,operations_request_id,reference                      material_lot_id,handling_unit_id,operations_request_id  quality.hold.placed.v1
quality.release_hold                   qms              quality      quality_hold              qms              hold_id                                                                               -                                                       quality.hold.released.v1
planning.constrain_capacity            aps              planning     operations_capability     aps              reference                                                                             reference                                               planning.capacity.constrained.v1
planning.restore_capacity              aps              planning     operations_capability     aps              reference                                                                             reference                                               planning.capacity.restored.v1
scheduling.schedule                    aps              planning     planned_order             aps              -                                                                                     -                                                       -
scheduling.plan_demand                 aps              planning     planned_order             aps              reference,line,revision                                                               reference,line                                          -
scheduling.reschedule                  aps              planning     planned_order             aps              work_center_id,event_id                                                               work_center_id                                          planning.schedule.published.v1
scheduling.note_firmed                 aps              planning     planned_order             aps              planned_order_id,operations_request_id                                                planned_order_id                                        -
transport.shipment                     tms              logistics    shipment                  tms              -                                                                                     -                                                       -
transport.recalculate                  tms              logistics    shipment                  tms              shipment_id,event_id                                                                  shipment_id                                             -
transport.mark_ready                   tms              logistics    shipment                  tms              shipment_id                                                                           shipment_id                                             logistics.shipment.ready.v1
transport.block                        tms              quality      shipment                  tms              shipment_id,hold_id                                                                   shipment_id                                             logistics.shipment.blocked.v1
transport.unblock                      tms              quality      shipment                  tms              shipment_id,hold_id                                                                   shipment_id                                             -
product_data.material                  plm              engineering  material_definition       erp              -                                                                                     -                                                       -
product_data.bill                      plm              engineering  operations_material_bill  plm              -                                                                                     -                                                       -
product_data.routing                   plm              engineering  operations_definition     erp              -                                                                                     -                                                       -
customer_orders.promise                crm              sales        customer_order_promise    crm              -                                                                                     -                                                       -
customer_orders.change_promise         crm              sales        customer_order_promise    crm              sales_order_id,line,reason_event_id                                                   sales_order_id,line                                     customer.promise.changed.v1
suppliers.notice                       supplier_portal  procurement  advance_ship_notice       supplier_portal  -                                                                                     -                                                       -
suppliers.acknowledge_notice           supplier_portal  procurement  advance_ship_notice       supplier_portal  supplier_id,advance_ship_notice_id,purpose                                            supplier_id,advance_ship_notice_id                      -
suppliers.raise_claim                  supplier_portal  quality      nonconformance            qms              nonconformance_id                                                                     -                                                       -
"""  # noqa: E501


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def test_events() -> None:
    assert [
        [
            e.type,
            e.data.__name__,
            str(e.eventclass),
            e.key,
            "=" if e.order_by == e.key else e.order_by,
            e.owner,
            f"{e.sla_s:g}",
            e.entity or "-",
            str(e.system_of_record or "-"),
        ]
        for e in EVENTS.values()
    ] == lines(_EVENTS)


def test_operations() -> None:
    assert [
        [
            o.name,
            o.system_kind,
            o.owner,
            o.entity,
            o.system_of_record,
            ",".join(o.key) or "-",
            ",".join(o.order) or "-",
            o.emits.type if o.emits else "-",
        ]
        for o in OPERATIONS
    ] == lines(_OPERATIONS)


def test_a_published_name_is_its_key() -> None:
    assert all(contract.type == name for name, contract in EVENTS.items())
    assert all(capability.capability == name for name, capability in CAPABILITIES.items())


def test_each_kind_of_business_system_is_asked_for_something() -> None:
    """Machines and analytics are not asked, and lineshaft asks itself for nothing."""
    asked = {capability.system_kind for capability in CAPABILITIES.values()}
    assert asked == set(SystemKind) - {SystemKind.IOT, SystemKind.ANALYTICS, SystemKind.PLATFORM}


def test_each_event_has_a_teller_and_somebody_who_listens() -> None:
    assert all(contract.producers and contract.consumers for contract in EVENTS.values())


def test_each_operation_is_about_a_canonical_entity() -> None:
    assert {each.entity for each in OPERATIONS} <= set(ENTITIES)


def holds(schema: PayloadSchema[Value], document: object) -> None:
    """For a writer, and for a reader."""
    jsonschema_rs.meta.validate(schema.document)
    writers = jsonschema_rs.Draft202012Validator(schema.document, validate_formats=True)
    assert [error.message for error in writers.iter_errors(document)] == []
    assert isinstance(schema.convert(document), schema.type)


@pytest.mark.parametrize("contract", EVENTS.values(), ids=EVENTS)
def test_the_example_of_an_event_holds_and_has_a_key(contract: EventContract[Value]) -> None:
    holds(contract.schema, example(contract))
    data = contract.schema.convert(example(contract))
    for key in (contract.subject(data), contract.partition(data)):
        assert "None" not in key
        assert "-" not in key.split("+")
    assert example(contract) == example(contract)


@pytest.mark.parametrize("each", OPERATIONS, ids=repr)
def test_the_examples_of_an_operation_hold(each: Operation) -> None:
    holds(each.request_schema, example(each))
    holds(each.reply_schema, example_of(each.reply))
    if each.is_command:
        request, reply = (
            each.request_schema.convert(example(each)),
            each.reply_schema.convert(example_of(each.reply)),
        )
        assert each.document_number(reply)
        assert each.idempotency_key(request, "here")
        assert not getattr(request, each.document, None) or each.document in {*each.key, *required(each)}


def required(each: Operation) -> list[str]:
    members: list[str] = each.request_schema.document["$defs"][each.request.__name__]["required"]
    return members
