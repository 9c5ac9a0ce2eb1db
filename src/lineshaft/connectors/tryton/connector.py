"""The capability `erp` on Tryton: one method per operation, and a look-up by key for each command."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from lineshaft.connectors.tryton import documents
from lineshaft.connectors.tryton.client import Posted, TrytonClient
from lineshaft.connectors.tryton.settings import TrytonSettings
from lineshaft.core.errors import BusinessFault, LineshaftError, PermanentFault
from lineshaft.core.ports import CallContext, Health, HealthState, Manifest
from lineshaft.core.values import Value
from lineshaft.model.finance import CostPosting, LabourPosting
from lineshaft.model.inventory import ConsumptionPosting, MaterialAtSite, StockBalance, StockMovement
from lineshaft.model.procurement import PurchaseRequisition, RequisitionState

__all__ = ["TrytonConnector"]

HEALTH_DEADLINE_S = 3.0
NO_HEADERS: Mapping[str, str] = {}


class TrytonConnector:
    """Writes only through `lineshaft.posting`, so a command under a known key never takes effect twice."""

    manifest = Manifest(
        name="tryton",
        title="Tryton 8.2",
        capabilities=["erp"],
        reads_back=["erp.create_requisition", "erp.post_consumption", "erp.post_labour_cost"],
    )

    def __init__(self, settings: TrytonSettings) -> None:
        self._settings = settings
        self._client = TrytonClient(settings)

    async def start(self) -> None:
        await self._client.start()

    async def close(self) -> None:
        await self._client.close()

    async def health(self) -> Health:
        """One authenticated read, answered within three seconds."""
        call = CallContext(
            call_id="health",
            operation="health",
            idempotency_key="",
            deadline_s=HEALTH_DEADLINE_S,
            headers=NO_HEADERS,
        )
        started = time.perf_counter()
        try:
            await self._client.ping(call)
        except PermanentFault as fault:
            return Health(state=HealthState.DEGRADED, detail=str(fault), latency_ms=_ms_since(started))
        except LineshaftError as fault:
            return Health(state=HealthState.STOPPED, detail=str(fault), latency_ms=_ms_since(started))
        return Health(state=HealthState.ACTIVE, latency_ms=_ms_since(started))

    async def stock_balance(self, call: CallContext, request: MaterialAtSite) -> StockBalance:
        location = documents.storage_of(self._settings, request.site)
        balance = await self._client.balance(call, request.material_definition_id, location)
        return StockBalance(
            material_definition_id=request.material_definition_id,
            site=request.site,
            quantity=documents.quantity_of(balance.quantity, balance.unit),
            as_of=balance.as_of,
            source_sequence=f"{balance.sequence:012d}",
        )

    async def create_requisition(
        self, call: CallContext, request: PurchaseRequisition
    ) -> PurchaseRequisition:
        document = documents.requisition(self._settings, call.idempotency_key, request)
        return _requisition(request, await self._client.post(call, document))

    async def find_create_requisition(
        self, call: CallContext, request: PurchaseRequisition
    ) -> PurchaseRequisition | None:
        posted = await self._find(call, request)
        return _requisition(request, posted) if posted else None

    async def post_consumption(self, call: CallContext, request: ConsumptionPosting) -> StockMovement:
        document = documents.consumption(self._settings, call.idempotency_key, request)
        return _movement(request, await self._client.post(call, document))

    async def find_post_consumption(
        self, call: CallContext, request: ConsumptionPosting
    ) -> StockMovement | None:
        posted = await self._find(call, request)
        return _movement(request, posted) if posted else None

    async def post_labour_cost(self, call: CallContext, request: LabourPosting) -> CostPosting:
        document = documents.labour_cost(self._settings, call.idempotency_key, request)
        return self._cost(call, request, await self._client.post(call, document))

    async def find_post_labour_cost(self, call: CallContext, request: LabourPosting) -> CostPosting | None:
        posted = await self._find(call, request)
        return self._cost(call, request, posted) if posted else None

    async def _find(self, call: CallContext, request: Value) -> Posted | None:
        """raises BusinessFault(key_conflict) when the key was used for another payload"""
        posted = await self._client.find(call, call.idempotency_key)
        if posted and posted.fingerprint != documents.fingerprint_of(request):
            raise BusinessFault(
                f"key {call.idempotency_key} was used for another payload, see {posted.record}",
                code="key_conflict",
            )
        return posted

    def _cost(self, call: CallContext, request: LabourPosting, posted: Posted) -> CostPosting:
        return CostPosting(
            id=posted.number,
            cost_object=request.maintenance_order_id,
            cost_element=self._settings.labour_account,
            amount=request.amount,
            currency=request.currency,
            posting_date=request.posting_date,
            source_transaction_id=call.idempotency_key,
        )


def _requisition(request: PurchaseRequisition, posted: Posted) -> PurchaseRequisition:
    return msgspec.structs.replace(request, id=posted.number, state=RequisitionState.APPROVED)


def _movement(request: ConsumptionPosting, posted: Posted) -> StockMovement:
    return StockMovement(
        id=posted.number,
        reference=request.maintenance_order_id,
        material_definition_id=request.material_definition_id,
        quantity=request.quantity,
        posting_date=request.posting_date,
    )


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
