"""From a broken limit to a settled maintenance order: request, parts, completion, costs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from lineshaft.contracts.catalogue import (
    MAINTENANCE_ORDER_COMPLETED,
    MAINTENANCE_ORDER_SETTLED,
    THRESHOLD_EXCEEDED,
    Erp,
    Inventory,
    Maintenance,
    Planning,
    Production,
)
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import BusinessFault
from lineshaft.core.quantity import Quantity, convert
from lineshaft.core.values import Key, Value
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.model.finance import LabourPosting
from lineshaft.model.inventory import (
    BalanceUpdate,
    ConsumptionPosting,
    MaterialAtSite,
    Release,
    Reservation,
    Withdrawal,
)
from lineshaft.model.maintenance import (
    AssetRef,
    MaintenanceRequest,
    MaintenanceTrigger,
    Observation,
    OrderCompletion,
    OrderSettlement,
    PartRequirement,
    PhysicalAsset,
    TaskState,
    TaskUpdate,
)
from lineshaft.model.procurement import PurchaseRequisition, RequisitionReason
from lineshaft.model.production import CapacitySignal, EquipmentRef, ProductionContext
from lineshaft.processes.completion import hours_of, validated
from lineshaft.processes.context import Context
from lineshaft.processes.declare import process

__all__ = ["Disposition", "MaintenanceOutcome", "corrective_maintenance"]

_COMPLETION_TIMEOUT = timedelta(days=14)
_REPLENISHMENT_TIME = timedelta(days=2)


class Disposition(StrEnum):
    JOINED = "joined"
    SETTLED = "settled"


class MaintenanceOutcome(Value, frozen=True, kw_only=True):
    disposition: Disposition
    maintenance_order_id: Key
    settlement: OrderSettlement | None = None


class _Parts(Value, frozen=True, kw_only=True):
    """What became of the repair kit: the lines with their reservations, and whether one is short."""

    lines: list[PartRequirement]
    short: bool


@process(
    name="corrective_maintenance",
    version=1,
    starts_on=THRESHOLD_EXCEEDED,
    key=lambda breach: f"{breach.physical_asset_id}/{breach.rule}/{rfc3339(breach.episode_start)}",
    uses=(Production, Maintenance, Inventory, Planning, Erp),
    waits_on=(MAINTENANCE_ORDER_COMPLETED,),
    owner="maintenance",
)
async def corrective_maintenance(ctx: Context, breach: ThresholdExceeded) -> MaintenanceOutcome:
    cmms = ctx.system(Maintenance)
    asset = await cmms.asset(AssetRef(physical_asset_id=breach.physical_asset_id))
    context = await ctx.system(Production).context(EquipmentRef(equipment_id=breach.equipment_id))

    found = await cmms.open_orders(AssetRef(physical_asset_id=asset.physical_asset_id))
    for order in found.orders:
        if await _joined(ctx, breach, order.id):
            return MaintenanceOutcome(disposition=Disposition.JOINED, maintenance_order_id=order.id)

    request = await cmms.create_request(_request(breach, asset, context))
    if request.maintenance_order_id is None:
        raise BusinessFault(
            f"the CMMS took request {request.id} but opened no order for it",
            code="no_maintenance_order",
            owner="maintenance",
            hint="screen the request in the CMMS",
        )
    order_id = request.maintenance_order_id

    parts = await _provide_parts(ctx, order_id, asset)
    await cmms.update_task(
        TaskUpdate(
            maintenance_order_id=order_id,
            state=TaskState.WAITING_FOR_PARTS if parts.short else TaskState.PARTS_RESERVED,
            note="Parts are on order" if parts.short else "Parts are reserved",
            part_requirement=parts.lines,
        )
    )
    if parts.short:
        planning, signal = ctx.system(Planning), _capacity(order_id, breach, context)
        await ctx.undoable(
            planning.constrain_capacity(signal), lambda made: planning.restore_capacity(signal)
        )

    completion = await ctx.wait_for(MAINTENANCE_ORDER_COMPLETED, order_id, _COMPLETION_TIMEOUT)
    settlement = await _settle(ctx, asset, validated(completion, parts.lines), parts)
    if parts.short:
        await ctx.system(Planning).restore_capacity(_capacity(order_id, breach, context))
    await ctx.publish(MAINTENANCE_ORDER_SETTLED, settlement)
    return MaintenanceOutcome(
        disposition=Disposition.SETTLED, maintenance_order_id=order_id, settlement=settlement
    )


async def _joined(ctx: Context, breach: ThresholdExceeded, order_id: str) -> bool:
    """Work on the asset is open already: add the finding to it, ask for nothing twice.

    False when that work was finished since it was looked for.
    """
    observation = Observation(
        maintenance_order_id=order_id,
        physical_asset_id=breach.physical_asset_id,
        rule=breach.rule,
        episode_start=breach.episode_start,
        text=_finding(breach),
    )
    try:
        await ctx.system(Maintenance).add_observation(observation)
    except BusinessFault as fault:
        if fault.code != "order_closed":
            raise
        return False
    return True


def _finding(breach: ThresholdExceeded) -> str:
    return (
        f"{breach.property} {breach.kind} limit broken: {breach.value:g} {breach.unit}"
        f" (limit {breach.limit:g}) since {rfc3339(breach.episode_start)}, rule {breach.rule}"
    )


def _request(
    breach: ThresholdExceeded, asset: PhysicalAsset, context: ProductionContext
) -> MaintenanceRequest:
    running = f"; order {context.operations_request_id} is running" if context.operations_request_id else ""
    return MaintenanceRequest(
        physical_asset_id=asset.physical_asset_id,
        equipment_id=breach.equipment_id,
        rule=breach.rule,
        episode_start=breach.episode_start,
        trigger=MaintenanceTrigger.CONDITION,
        priority=asset.criticality,
        description=_finding(breach) + running,
        malfunction_start=breach.episode_start,
    )


async def _provide_parts(ctx: Context, order_id: str, asset: PhysicalAsset) -> _Parts:
    """Reserve what is in stock; what is not, or falls below its reorder point, is requisitioned."""
    inventory, lines, short = ctx.system(Inventory), [], False
    for part in asset.repair_kit:
        stock = await inventory.availability(
            MaterialAtSite(material_definition_id=part.material_definition_id, site=ctx.plant)
        )
        unit = stock.quantity.unit
        needed = convert(part.quantity, unit)
        left = stock.quantity.value - _value(stock.reserved_quantity, unit) - needed.value
        if left >= 0:
            wish = Reservation(
                for_reference=order_id,
                line=part.line,
                material_definition_id=part.material_definition_id,
                site=ctx.plant,
                quantity=needed,
                required_time=ctx.now,
            )
            reservation = await ctx.undoable(inventory.reserve(wish), lambda made: _release(ctx, made))
            lines.append(
                PartRequirement(
                    line=part.line,
                    material_definition_id=part.material_definition_id,
                    quantity=needed,
                    reservation_id=reservation.id,
                )
            )
        else:
            short = True
            lines.append(part)
        if left < _value(stock.reorder_point, unit):
            wanted = max(_value(stock.reorder_quantity, unit), needed.value)
            await ctx.system(Erp).create_requisition(
                PurchaseRequisition(
                    reference=order_id,
                    material_definition_id=part.material_definition_id,
                    quantity=Quantity(value=wanted, unit=unit),
                    required_date=(ctx.now.astimezone(ctx.zone) + _REPLENISHMENT_TIME).date(),
                    site=ctx.plant,
                    reason=RequisitionReason.SHORTAGE if left < 0 else RequisitionReason.REORDER_POINT,
                    cost_object=asset.cost_center,
                )
            )
    return _Parts(lines=lines, short=short)


async def _release(ctx: Context, made: Reservation) -> None:
    """Free the stock again, unless its parts were withdrawn meanwhile."""
    if made.id is None:
        return
    try:
        await ctx.system(Inventory).release(Release(reservation_id=made.id))
    except BusinessFault as fault:
        if fault.code != "reservation_closed":
            raise


def _value(quantity: Quantity | None, unit: str) -> Decimal:
    return convert(quantity, unit).value if quantity else Decimal(0)


def _capacity(order_id: str, breach: ThresholdExceeded, context: ProductionContext) -> CapacitySignal:
    return CapacitySignal(
        reference=order_id,
        work_center_id=context.work_center_id,
        equipment_id=breach.equipment_id,
        reason=f"maintenance order {order_id} waits for parts",
        start_time=breach.episode_start,
        operations_request_id=context.operations_request_id,
    )


async def _settle(
    ctx: Context, asset: PhysicalAsset, completion: OrderCompletion, parts: _Parts
) -> OrderSettlement:
    """Post parts and labour in ERP, end the reservations, and bring the mirrored balances up to date."""
    erp, inventory = ctx.system(Erp), ctx.system(Inventory)
    posting_date = completion.actual_end_time.astimezone(ctx.zone).date()
    movements, costs, amounts = [], [], []
    for used in completion.material_actual:
        movement = await erp.post_consumption(
            ConsumptionPosting(
                maintenance_order_id=completion.id,
                line=used.line,
                consumption_id=used.id,
                material_definition_id=used.material_definition_id,
                quantity=used.quantity,
                site=ctx.plant,
                posting_date=posting_date,
                cost_center=asset.cost_center,
                material_lot_id=used.material_lot_id,
            )
        )
        movements.append(movement.id)
    for work in completion.personnel_actual:
        hours = hours_of(work)
        posted = await erp.post_labour_cost(
            LabourPosting(
                maintenance_order_id=completion.id,
                operation=work.operation,
                person_id=work.person_id,
                start_time=work.start_time,
                hours=hours,
                amount=(hours * work.hourly_rate).quantize(Decimal("0.01")),
                currency=work.currency,
                posting_date=posting_date,
                cost_center=asset.cost_center,
            )
        )
        costs.append(posted.id)
        amounts.append(posted.amount)
    for line in parts.lines:
        if line.reservation_id is not None:
            await inventory.withdraw(Withdrawal(reservation_id=line.reservation_id, quantity=line.quantity))
    for material in dict.fromkeys(used.material_definition_id for used in completion.material_actual):
        balance = await erp.stock_balance(MaterialAtSite(material_definition_id=material, site=ctx.plant))
        await inventory.synchronise_balance(
            BalanceUpdate(
                material_definition_id=material,
                site=ctx.plant,
                quantity=balance.quantity,
                as_of=balance.as_of,
                source_sequence=balance.source_sequence,
            )
        )
    return OrderSettlement(
        maintenance_order_id=completion.id,
        physical_asset_id=completion.physical_asset_id,
        movement_id=movements,
        cost_id=costs,
        labour_amount=sum(amounts, Decimal(0)),
        currency=completion.personnel_actual[0].currency if completion.personnel_actual else "",
    )
