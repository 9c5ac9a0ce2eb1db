"""The canonical entities: what each is in the standards, and which kind of system masters it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineshaft.core.values import Value
from lineshaft.model.batch import BatchExecution
from lineshaft.model.calendar import WorkCalendarRecord
from lineshaft.model.confirmation import ProductionConfirmation
from lineshaft.model.customer import CustomerOrderPromise
from lineshaft.model.downtime import DowntimeRecord, ReasonCode
from lineshaft.model.equipment import Equipment, PhysicalAssetRecord, WorkCenter
from lineshaft.model.finance import CostPosting
from lineshaft.model.logistics import HandlingUnit, Shipment
from lineshaft.model.material import (
    MaterialDefinition,
    MaterialLot,
    OperationsDefinition,
    OperationsMaterialBill,
)
from lineshaft.model.orders import JobOrder, OperationsRequest
from lineshaft.model.planning import OperationsCapability, PlannedOrderRecord
from lineshaft.model.purchasing import AdvanceShipNotice, PurchaseOrder, PurchaseRequisitionRecord, Supplier
from lineshaft.model.quality import Nonconformance, QualityHold, TestResult
from lineshaft.model.stock import MaterialMovement, ReservationRecord, StockBalanceRecord
from lineshaft.model.systems import SystemKind
from lineshaft.model.work import MaintenanceOrderRecord, MaintenanceRequestRecord

__all__ = ["ENTITIES", "Entity"]


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """name              snake_case
    term              in the standards
    system_of_record  the kind of system that masters its fields, but those in `mastered_elsewhere`
    alternatives      kinds that a site may declare in its place
    """

    name: str
    value: type[Value]
    term: str
    system_of_record: SystemKind
    mastered_elsewhere: Mapping[str, SystemKind] = {}
    alternatives: frozenset[SystemKind] = frozenset()

    def master_of(self, field: str) -> SystemKind:
        """raises KeyError for a field that the entity does not have"""
        if field not in self.value.__struct_fields__:
            raise KeyError(f"{self.name} has no field {field!r}")
        return self.mastered_elsewhere.get(field, self.system_of_record)


def _entity(
    name: str,
    value: type[Value],
    term: str,
    system_of_record: SystemKind,
    *alternatives: SystemKind,
    **mastered_elsewhere: SystemKind,
) -> Entity:
    return Entity(
        name=name,
        value=value,
        term=term,
        system_of_record=system_of_record,
        mastered_elsewhere=mastered_elsewhere,
        alternatives=frozenset(alternatives),
    )


_K = SystemKind

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        _entity("equipment", Equipment, "B2MML Equipment", _K.ERP, _K.CMMS, _K.MES),
        _entity(
            "physical_asset",
            PhysicalAssetRecord,
            "B2MML PhysicalAsset, EquipmentAssetMapping",
            _K.CMMS,
            fixed_asset_id=_K.ERP,
        ),
        _entity(
            "material_definition", MaterialDefinition, "B2MML MaterialDefinition; GS1 GTIN", _K.ERP, _K.PLM
        ),
        _entity("material_lot", MaterialLot, "B2MML MaterialLot, MaterialSubLot", _K.MES, _K.ERP),
        _entity(
            "operations_material_bill", OperationsMaterialBill, "B2MML OperationsMaterialBill", _K.PLM, _K.ERP
        ),
        _entity(
            "operations_definition",
            OperationsDefinition,
            "B2MML OperationsDefinition, OperationsSegment",
            _K.ERP,
            _K.PLM,
        ),
        _entity(
            "work_center", WorkCenter, "B2MML Equipment at level WorkCenter, OperationsCapability", _K.ERP
        ),
        _entity("supplier", Supplier, "OAGIS SupplierParty; GS1 GLN; X12 N1*SU", _K.ERP),
        _entity("operations_request", OperationsRequest, "B2MML OperationsRequest", _K.ERP),
        _entity("job_order", JobOrder, "B2MML JobOrder; OPC UA ISA95JobOrder", _K.MES),
        _entity("segment_response", ProductionConfirmation, "B2MML SegmentResponse", _K.MES),
        _entity(
            "material_movement",
            MaterialMovement,
            "B2MML OpMaterialActual, OperationsType Inventory",
            _K.ERP,
            from_location=_K.WMS,
            to_location=_K.WMS,
            handling_unit_id=_K.WMS,
        ),
        _entity(
            "stock_balance", StockBalanceRecord, "OAGIS InventoryBalance", _K.ERP, storage_location=_K.WMS
        ),
        _entity("reservation", ReservationRecord, "B2MML MaterialRequirement", _K.ERP, _K.WMS),
        _entity("purchase_requisition", PurchaseRequisitionRecord, "OAGIS Requisition", _K.ERP),
        _entity("purchase_order", PurchaseOrder, "OAGIS PurchaseOrder; X12 850; EDIFACT ORDERS", _K.ERP),
        _entity("advance_ship_notice", AdvanceShipNotice, "X12 856; EDIFACT DESADV", _K.SUPPLIER_PORTAL),
        _entity(
            "maintenance_request",
            MaintenanceRequestRecord,
            "B2MML OperationsRequest, OperationsType Maintenance",
            _K.CMMS,
        ),
        _entity(
            "maintenance_order",
            MaintenanceOrderRecord,
            "B2MML OperationsRequest and OperationsResponse, OperationsType Maintenance",
            _K.CMMS,
        ),
        _entity("test_result", TestResult, "B2MML TestResult, OperationsTest", _K.QMS),
        _entity("nonconformance", Nonconformance, "ISO 9000 nonconformity", _K.QMS),
        _entity("quality_hold", QualityHold, "B2MML Disposition Restricted", _K.QMS),
        _entity(
            "planned_order", PlannedOrderRecord, "B2MML OperationsRequest, RequestState Forecast", _K.APS
        ),
        _entity("operations_capability", OperationsCapability, "B2MML OperationsCapability", _K.APS, _K.MES),
        _entity(
            "shipment",
            Shipment,
            "EPCIS ObjectEvent; X12 856; OAGIS Shipment",
            _K.TMS,
            handling_unit_id=_K.WMS,
            actual_departure=_K.WMS,
        ),
        _entity("downtime_record", DowntimeRecord, "OPC 30060 DowntimeLog; B2MML OperationsEvent", _K.MES),
        _entity("reason_code", ReasonCode, "PackML StopReason", _K.MES),
        _entity("work_calendar", WorkCalendarRecord, "B2MML WorkCalendar, WorkCalendarEntry", _K.ERP, _K.MES),
        _entity("batch_execution", BatchExecution, "BatchML BatchListEntry", _K.MES),
        _entity("handling_unit", HandlingUnit, "GS1 SSCC; EPCIS AggregationEvent", _K.WMS),
        _entity(
            "cost_posting", CostPosting, "B2MML SegmentResponse PostingDate; OAGIS CostingActivity", _K.ERP
        ),
        _entity(
            "customer_order_promise",
            CustomerOrderPromise,
            "OAGIS SalesOrder, Promise",
            _K.CRM,
            promised_date=_K.ERP,
            supplying_operations_request_id=_K.ERP,
        ),
    )
}
"""The kind of system named first masters it; those after it may, where a site says so."""
