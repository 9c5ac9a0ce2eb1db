"""What ERP is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.events.finance import COST_POSTED
from lineshaft.contracts.events.inventory import MOVEMENT_POSTED
from lineshaft.contracts.events.procurement import REQUISITION_CREATED
from lineshaft.contracts.events.production import CONFIRMATION_POSTED, ORDER_RELEASED
from lineshaft.model.confirmation import ConfirmationReversal, PostedConfirmation, ProductionConfirmation
from lineshaft.model.equipment import Equipment, WorkCenter
from lineshaft.model.finance import CostPosting, LabourPosting
from lineshaft.model.inventory import ConsumptionPosting, MaterialAtSite, StockBalance, StockMovement
from lineshaft.model.material import MaterialDefinition, MaterialRef
from lineshaft.model.orders import (
    OperationsRequest,
    OrderRef,
    OrdersSince,
    OrderStateChange,
    ProductionException,
    ReleasedOrders,
)
from lineshaft.model.planning import PlannedOrderRecord, WorkCenterRef
from lineshaft.model.postings import (
    BillingBlock,
    ComponentConsumption,
    CountReceipt,
    ExpectedReceipt,
    HandlingUnitReceipt,
    MovementReversal,
    ProductionLabour,
    StockAdjustment,
    StockBlock,
    StockTransfer,
)
from lineshaft.model.procurement import PurchaseRequisition
from lineshaft.model.production import CapacitySignal, EquipmentRef
from lineshaft.model.purchasing import PurchaseOrder, PurchaseOrderRef, Supplier, SupplierRef

__all__ = ["Billing", "Erp", "GoodsMovements", "MasterData", "ProductionOrders", "Purchasing"]


class Erp(Capability, name="erp", system_kind="erp"):
    @query(owner="warehouse", entity="stock_balance")
    async def stock_balance(self, request: MaterialAtSite) -> StockBalance:
        """Book stock of a material at a site."""

    @command(
        key=("reference", "material_definition_id", "site", "required_date"),
        owner="procurement",
        entity="purchase_requisition",
        emits=REQUISITION_CREATED,
        document="id",
    )
    async def create_requisition(self, request: PurchaseRequisition) -> PurchaseRequisition:
        """Ask purchasing for material."""

    @command(
        key=("maintenance_order_id", "line", "material_lot_id", "consumption_id"),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def post_consumption(self, request: ConsumptionPosting) -> StockMovement:
        """Post parts used on a maintenance order as a stock movement."""

    @command(
        key=("maintenance_order_id", "operation", "person_id", "start_time"),
        owner="finance",
        entity="cost_posting",
        emits=COST_POSTED,
        document="id",
    )
    async def post_labour_cost(self, request: LabourPosting) -> CostPosting:
        """Post labour on a maintenance order as a cost."""


class ProductionOrders(Capability, name="orders", system_kind="erp"):
    @query(owner="production", entity="operations_request")
    async def order(self, request: OrderRef) -> OperationsRequest:
        """A production order as ERP has it."""

    @query(owner="production", entity="operations_request")
    async def released(self, request: OrdersSince) -> ReleasedOrders:
        """Orders of a site that were released or changed from a moment on; by start."""

    @query(owner="production", entity="operations_request")
    async def at_work_center(self, request: WorkCenterRef) -> ReleasedOrders:
        """Released orders with an operation that is still to be done at a work centre; by start."""

    @command(
        key=("reference", "end_time"),
        order=("work_center_id",),
        owner="planning",
        entity="operations_capability",
        document="id",
    )
    async def signal_capacity(self, request: CapacitySignal) -> CapacitySignal:
        """Tell ERP that a work centre can do less; with an end_time, that it can do all again then."""

    @command(
        key=("id", "plan_version"),
        order=("id",),
        owner="planning",
        entity="operations_request",
        emits=ORDER_RELEASED,
        document="id",
    )
    async def firm_plan(self, request: PlannedOrderRecord) -> OperationsRequest:
        """Make a production order of a planned one, and release it."""

    @command(
        key=("id", "request_state", "sequence"),
        order=("id",),
        owner="production",
        entity="operations_request",
        document="id",
    )
    async def report_state(self, request: OrderStateChange) -> OrderStateChange:
        """Tell ERP how far an order is."""

    @command(
        key=("operations_request_id", "event_id"),
        owner="production",
        entity="operations_request",
        document="id",
    )
    async def raise_exception(self, request: ProductionException) -> ProductionException:
        """Tell the planner that an order will not be done as planned."""

    @command(
        key=("operations_request_id", "segment_requirement_id", "id", "revision"),
        order=("operations_request_id",),
        owner="production",
        entity="segment_response",
        emits=CONFIRMATION_POSTED,
        document="document",
    )
    async def post_confirmation(self, request: ProductionConfirmation) -> PostedConfirmation:
        """Post what an operation of an order has made: a part of it, or all."""

    @command(
        key=("original_key",),
        order=("operations_request_id",),
        owner="production",
        entity="segment_response",
        document="document",
    )
    async def reverse_confirmation(self, request: ConfirmationReversal) -> PostedConfirmation:
        """Take a posted confirmation back, with its goods movements."""

    @command(
        key=("operations_request_id", "segment_requirement_id", "person_id", "start_time"),
        owner="finance",
        entity="cost_posting",
        emits=COST_POSTED,
        document="id",
    )
    async def post_labour(self, request: ProductionLabour) -> CostPosting:
        """Post labour on a production order as a cost."""


class GoodsMovements(Capability, name="goods", system_kind="erp"):
    @command(
        key=("equipment_id", "epoch", "from_count", "to_count"),
        order=("operations_request_id",),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def receive_count(self, request: CountReceipt) -> StockMovement:
        """Post the goods receipt that an accepted count stands for."""

    @command(
        key=("operations_request_id", "handling_unit_id"),
        order=("operations_request_id",),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def receive_handling_unit(self, request: HandlingUnitReceipt) -> StockMovement:
        """Post the goods receipt of a complete handling unit."""

    @command(
        key=("operations_request_id", "line", "material_lot_id", "consumption_id"),
        order=("operations_request_id",),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def consume_component(self, request: ComponentConsumption) -> StockMovement:
        """Post a component that an order has used."""

    @command(
        key=("task_id",),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def transfer(self, request: StockTransfer) -> StockMovement:
        """Post that the warehouse has moved stock."""

    @command(
        key=("hold_id", "material_lot_id", "storage_location", "stock_type"),
        order=("material_lot_id", "storage_location"),
        owner="quality",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def block_stock(self, request: StockBlock) -> StockMovement:
        """Move stock of a lot into restricted stock, or out of it."""

    @command(
        key=(
            "reconciliation_id",
            "material_definition_id",
            "storage_location",
            "material_lot_id",
            "stock_type",
        ),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def adjust(self, request: StockAdjustment) -> StockMovement:
        """Correct book stock as a person approved it."""

    @command(
        key=("original_key",),
        owner="warehouse",
        entity="material_movement",
        emits=MOVEMENT_POSTED,
        document="id",
    )
    async def reverse(self, request: MovementReversal) -> StockMovement:
        """Take a posted movement back."""


class Purchasing(Capability, name="purchasing", system_kind="erp"):
    @query(owner="procurement", entity="purchase_order")
    async def order(self, request: PurchaseOrderRef) -> PurchaseOrder:
        """A purchase order with its lines."""

    @query(owner="procurement", entity="supplier")
    async def supplier(self, request: SupplierRef) -> Supplier:
        """The master data of a supplier."""

    @command(
        key=("supplier_id", "advance_ship_notice_id", "purpose"),
        order=("supplier_id", "advance_ship_notice_id"),
        owner="procurement",
        entity="advance_ship_notice",
        document="id",
    )
    async def expect_receipt(self, request: ExpectedReceipt) -> ExpectedReceipt:
        """Take an announced delivery for an expected receipt."""


class Billing(Capability, name="billing", system_kind="erp"):
    @command(
        key=("document_id", "hold_id", "state"),
        order=("document_id",),
        owner="finance",
        entity="shipment",
        document="id",
    )
    async def set_delivery_block(self, request: BillingBlock) -> BillingBlock:
        """Block the delivery of a sales document while a hold lasts, or free it."""

    @command(
        key=("document_id", "hold_id", "state"),
        order=("document_id",),
        owner="finance",
        entity="shipment",
        document="id",
    )
    async def set_invoice_block(self, request: BillingBlock) -> BillingBlock:
        """Block the invoice of a sales document while a hold lasts, or free it."""


class MasterData(Capability, name="master_data", system_kind="erp"):
    @query(owner="master-data", entity="material_definition")
    async def material(self, request: MaterialRef) -> MaterialDefinition:
        """The master data of a material."""

    @query(owner="master-data", entity="work_center")
    async def work_center(self, request: WorkCenterRef) -> WorkCenter:
        """A work centre with its cost centre and capacity."""

    @query(owner="master-data", entity="equipment")
    async def equipment(self, request: EquipmentRef) -> Equipment:
        """Equipment as ERP has it, down to the work centre."""
