"""The canonical entities, pinned: who masters each, which fields it must have and which it may have."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from msgspec import inspect

from lineshaft.contracts.examples import example_of
from lineshaft.model.entities import ENTITIES
from lineshaft.model.enumerations import Extensible
from lineshaft.model.systems import SystemKind

_ENTITIES = """
equipment                 erp              id,equipment_level,hierarchy_scope                                                                                                        parent_equipment_id,equipment_class_id,operational_location,time_zone,work_calendar_id,counter_rollover_value,max_rate,effective_start_date,effective_end_date,other_value
physical_asset            cmms             id,asset_state                                                                                                                            physical_asset_class_id,fixed_asset_id,vendor_id,serial_number,physical_location,equipment_asset_mapping,criticality
material_definition       erp              id,description,base_unit_of_measure,lot_managed,serial_managed,status                                                                     material_class_id,gtin,alternate_units,shelf_life,assembly_definition
material_lot              mes              id,material_definition_id,disposition,quantity,storage_location                                                                           status,production_date,expiration_date,supplier_lot_id,material_sub_lot,assembly_lot,other_value
operations_material_bill  plm              id,version,material_definition_id,base_quantity,operations_material_bill_item                                                             effective_start_date,effective_end_date
operations_definition     erp              id,version,material_definition_id,operations_segment                                                                                      -
work_center               erp              id,equipment_id                                                                                                                           cost_center,capacity,activity_types,planned_busy_time_source
supplier                  erp              id,name,status                                                                                                                            gln,duns,edi_qualifier,edi_id
operations_request        erp              id,operations_type,material_definition_id,quantity,start_time,end_time,request_state,hierarchy_scope,segment_requirement                  order_type,under_delivery_tolerance,over_delivery_tolerance,priority,customer_order_id,operations_schedule_id,other_value
job_order                 mes              id,operations_request_id,segment_requirement_id,equipment_id,quantity,dispatch_status                                                     work_master_id,start_time,end_time,priority,command,job_order_parameter,other_value
segment_response          mes              id,operations_request_id,segment_requirement_id,confirmation_type,posting_date,actual_start_time,actual_end_time,yield_quantity,shift_id  revision,job_response_id,setup_end_time,processing_start_time,processing_end_time,scrap_quantity,scrap_reason,rework_quantity,rework_reason,variance_reason_code,exception_code,material_actual,personnel_actual,equipment_actual,reversal_of,evidence_event_ids
material_movement         erp              id,movement_type,reference_type,material_definition_id,quantity,stock_type,posting_date,document_date                                     reference_id,reference_line,material_lot_id,material_sub_lot_id,from_location,to_location,handling_unit_id,reversal_of
stock_balance             erp              material_definition_id,storage_location,stock_type,quantity,as_of,source_sequence                                                         material_lot_id,reserved_quantity
reservation               erp              id,material_definition_id,quantity,withdrawn_quantity,required_time,for_reference,state                                                   storage_location,expires_at
purchase_requisition      erp              id,line,reason,state                                                                                                                      -
purchase_order            erp              id,supplier_id,currency,line,state                                                                                                        -
advance_ship_notice       supplier_portal  id,purpose,supplier_id,ship_to,estimated_arrival,line                                                                                     ship_time,handling_unit
maintenance_request       cmms             id,physical_asset_id,priority,trigger,description,state                                                                                   equipment_id,condition_event_id,malfunction_start
maintenance_order         cmms             id,physical_asset_id,maintenance_type,state                                                                                               completion,maintenance_request_id,start_time,end_time,part_requirement
test_result               qms              id,testable_object_id,property_measurement,evaluated_criterion_result,evaluation_date                                                     material_lot_id,operations_request_id,sample_size
nonconformance            qms              id,material_definition_id,quantity,defect_code,origin,disposition,state                                                                   material_lot_id
quality_hold              qms              id,scope,reason_code,placed_time,placed_by,state                                                                                          released_time,released_by
planned_order             aps              id,material_definition_id,quantity,start_time,end_time,plan_version,state                                                                 work_center_id
operations_capability     aps              id,equipment_id,start_time,end_time,capability_type,quantity                                                                              reason,confidence_factor,other_value
shipment                  tms              id,handling_unit_id,planned_departure,state                                                                                               gsin,carrier_scac,actual_departure,estimated_arrival,delivery_ids
downtime_record           mes              id,equipment_id,start_time,time_category,reason_code,shift_id,state,evidence_event_ids                                                    revision,end_time,duration,root_cause_equipment_id,job_order_id,maintenance_request_id
reason_code               mes              code,level,kind,erp_postable                                                                                                              parent_code,time_category,effective_start_date,effective_end_date
work_calendar             erp              id,time_zone,work_calendar_entry                                                                                                          -
batch_execution           mes              batch_id,recipe_id,recipe_version,order_id,batch_list_entry_type,status                                                                   lot_id,mode,requested_batch_size,actual_batch_size,actual_start_time,actual_end_time,actual_equipment_id,parameter,other_value
handling_unit             wms              id,content,location,state                                                                                                                 parent_id,packaging_material_id,gross_weight,label_applied_time
cost_posting              erp              id,cost_object,cost_element,amount,currency,posting_date,source_transaction_id                                                            quantity,fiscal_period,reversal_of
customer_order_promise    crm              id,sales_order_id,line,material_definition_id,quantity,requested_date,promised_date,confidence                                            reason_event_id,supplying_operations_request_id
"""  # noqa: E501
_MASTERED_ELSEWHERE = {
    ("physical_asset", "fixed_asset_id"): SystemKind.ERP,
    ("material_movement", "from_location"): SystemKind.WMS,
    ("material_movement", "to_location"): SystemKind.WMS,
    ("material_movement", "handling_unit_id"): SystemKind.WMS,
    ("stock_balance", "storage_location"): SystemKind.WMS,
    ("shipment", "handling_unit_id"): SystemKind.WMS,
    ("shipment", "actual_departure"): SystemKind.WMS,
    ("customer_order_promise", "promised_date"): SystemKind.ERP,
    ("customer_order_promise", "supplying_operations_request_id"): SystemKind.ERP,
}
_UNITS = {
    ("equipment", "counter_rollover_value"): "C62",
    ("equipment", "max_rate"): "C62/HUR",
    ("work_center", "capacity"): "HUR",
    ("operations_request", "under_delivery_tolerance"): "P1",
    ("operations_request", "over_delivery_tolerance"): "P1",
    ("operations_capability", "quantity"): "HUR",
    ("downtime_record", "duration"): "SEC",
    ("handling_unit", "gross_weight"): "KGM",
    ("BillItem", "scrap_percent"): "P1",
    ("OperationsSegment", "setup_time"): "SEC",
    ("OperationsSegment", "run_time_per_unit"): "SEC",
    ("LabourActual", "quantity"): "HUR",
    ("EquipmentActual", "quantity"): "HUR",
}


def test_masters_and_fields() -> None:
    assert [
        [
            name,
            str(entity.system_of_record),
            *(
                ",".join(
                    each.name for each in msgspec.structs.fields(entity.value) if each.required is needed
                )
                or "-"
                for needed in (True, False)
            ),
        ]
        for name, entity in ENTITIES.items()
    ] == [line.split() for line in _ENTITIES.strip().splitlines()]


def test_single_fields_have_another_master() -> None:
    assert {
        (entity.name, field): master
        for entity in ENTITIES.values()
        for field in entity.value.__struct_fields__
        if (master := entity.master_of(field)) is not entity.system_of_record
    } == _MASTERED_ELSEWHERE


def test_a_field_that_an_entity_does_not_have_is_refused() -> None:
    for entity in ENTITIES.values():
        assert set(entity.mastered_elsewhere) <= set(entity.value.__struct_fields__)
    with pytest.raises(KeyError, match="stock_balance has no field 'colour'"):
        ENTITIES["stock_balance"].master_of("colour")


def test_a_site_may_declare_another_master_only_where_that_is_usual() -> None:
    assert ENTITIES["material_lot"].alternatives == {SystemKind.ERP}
    assert not any(entity.system_of_record in entity.alternatives for entity in ENTITIES.values())


@pytest.mark.parametrize("name", ENTITIES)
def test_an_entity_is_a_value_with_an_example(name: str) -> None:
    kind = ENTITIES[name].value
    value = msgspec.convert(example_of(kind), kind)
    assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


def structs(about: inspect.Type) -> Iterator[inspect.StructType]:
    """The type, if it is one, and those inside it."""
    if isinstance(about, inspect.StructType):
        yield about
        for field in about.fields:
            yield from structs(field.type)
    for inner in inside(about):
        yield from structs(inner)


def inside(about: inspect.Type) -> list[inspect.Type]:
    return [
        *getattr(about, "types", ()),
        *(getattr(about, name) for name in ("item_type", "type") if hasattr(about, name)),
    ]


def is_open(about: inspect.Type) -> bool:
    if isinstance(about, inspect.EnumType):
        return issubclass(about.cls, Extensible)
    return any(is_open(inner) for inner in inside(about))


def test_a_word_for_other_has_its_place_beside_it() -> None:
    for entity in ENTITIES.values():
        for each in structs(inspect.type_info(entity.value)):
            has_one = any(is_open(field.type) for field in each.fields)
            assert has_one == ("other_value" in each.cls.__struct_fields__), each.cls


def test_figures_in_a_fixed_unit_say_so() -> None:
    found = {}
    for name, entity in ENTITIES.items():
        for part, schema in msgspec.json.schema(entity.value)["$defs"].items():
            owner = name if part == entity.value.__name__ else part
            for field, about in schema.get("properties", {}).items():
                for each in (about, *about.get("anyOf", ())):
                    if "x-unit" in each and each["x-unit"] != "UNECE Rec 20":
                        found[owner, field] = each["x-unit"]
    assert found == _UNITS
