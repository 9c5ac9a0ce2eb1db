"""The declared contracts, gathered: every event type and every capability of the product."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from lineshaft.contracts.capability import Capability, Operation
from lineshaft.contracts.event import EventContract
from lineshaft.contracts.events import (
    customer,
    equipment,
    finance,
    inventory,
    logistics,
    maintenance,
    masterdata,
    planning,
    platform,
    procurement,
    production,
    quality,
)
from lineshaft.contracts.events.equipment import (
    DOWNTIME_CLASSIFIED,
    DOWNTIME_ENDED,
    DOWNTIME_STARTED,
    READINGS_AGGREGATED,
    SIGNAL_LOST,
    STATE_CHANGED,
    THRESHOLD_EXCEEDED,
)
from lineshaft.contracts.events.finance import COST_POSTED
from lineshaft.contracts.events.inventory import BALANCE_CHANGED, MOVEMENT_POSTED, RESERVATION_CREATED
from lineshaft.contracts.events.maintenance import (
    MAINTENANCE_ORDER_COMPLETED,
    MAINTENANCE_ORDER_SETTLED,
    MAINTENANCE_REQUEST_CREATED,
)
from lineshaft.contracts.events.planning import CAPACITY_CONSTRAINED, CAPACITY_RESTORED
from lineshaft.contracts.events.procurement import REQUISITION_CREATED
from lineshaft.contracts.events.production import COUNT_ACCEPTED, COUNT_AGGREGATED
from lineshaft.contracts.operations import aps, cmms, crm, erp, mes, plm, qms, supplier_portal, tms, wms
from lineshaft.contracts.operations.aps import Planning
from lineshaft.contracts.operations.cmms import Maintenance
from lineshaft.contracts.operations.erp import Erp
from lineshaft.contracts.operations.mes import Production, WorkCalendar
from lineshaft.contracts.operations.wms import Inventory

__all__ = [
    "BALANCE_CHANGED",
    "CAPABILITIES",
    "CAPACITY_CONSTRAINED",
    "CAPACITY_RESTORED",
    "COST_POSTED",
    "COUNT_ACCEPTED",
    "COUNT_AGGREGATED",
    "DOWNTIME_CLASSIFIED",
    "DOWNTIME_ENDED",
    "DOWNTIME_STARTED",
    "EVENTS",
    "MAINTENANCE_ORDER_COMPLETED",
    "MAINTENANCE_ORDER_SETTLED",
    "MAINTENANCE_REQUEST_CREATED",
    "MOVEMENT_POSTED",
    "READINGS_AGGREGATED",
    "REQUISITION_CREATED",
    "RESERVATION_CREATED",
    "SIGNAL_LOST",
    "STATE_CHANGED",
    "THRESHOLD_EXCEEDED",
    "Erp",
    "Inventory",
    "Maintenance",
    "Planning",
    "Production",
    "WorkCalendar",
    "operation",
]


def _declared(*modules: ModuleType) -> list[Any]:
    return [getattr(module, name) for module in modules for name in module.__all__]


EVENTS: dict[str, EventContract[Any]] = {
    contract.type: contract
    for contract in _declared(
        production,
        equipment,
        inventory,
        maintenance,
        quality,
        planning,
        procurement,
        logistics,
        finance,
        customer,
        masterdata,
        platform,
    )
}
CAPABILITIES: dict[str, type[Capability]] = {
    capability.capability: capability
    for capability in _declared(erp, mes, cmms, wms, qms, aps, tms, plm, crm, supplier_portal)
}


def operation(name: str) -> Operation:
    """The declared operation `<capability>.<method>`; KeyError names what is missing."""
    capability, _, method = name.partition(".")
    return CAPABILITIES[capability].operations[method]
