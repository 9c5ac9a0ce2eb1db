"""The KPIs, as they are declared."""

from __future__ import annotations

from lineshaft.contracts.kpis import Better
from lineshaft.insight.kpis import flow, maintenance, orders, people, production, stock
from lineshaft.insight.kpis.declare import Kpi

__all__ = ["KPIS"]

FLOW, SERVICE, PRODUCTION = "Flow", "Quality of service", "Production"
MAINTENANCE, STOCK = "Maintenance", "Stock and money"

KPIS = (
    Kpi(
        id="synchronisation_latency",
        title="Synchronised in time",
        group=FLOW,
        unit="share",
        better=Better.HIGHER,
        definition="Of the workflows and postings that came to an end, the share within their service level.",
        formula="in time ÷ done",
        source="Service levels of event contracts and settings; rollups of processes and calls",
        needs="workflows or postings that have a service level and ended in the period",
        measure=flow.synchronisation,
        target=flow.OBJECTIVE,
    ),
    Kpi(
        id="failed_workflows",
        title="Failed workflows",
        group=FLOW,
        unit="share",
        better=Better.LOWER,
        definition="Of the workflows that ended or parked, the share that parked for a person, was aborted "
        "or terminated. One that parks and is completed later counts as completed then.",
        formula="(parked + aborted + terminated) ÷ (completed + parked + aborted + terminated)",
        source="Rollups of processes",
        needs="workflows that ended in the period",
        measure=flow.failed_workflows,
        target=0.02,
    ),
    Kpi(
        id="backlog",
        title="Backlog",
        group=FLOW,
        unit="count",
        better=Better.LOWER,
        definition="What waits now: workflows parked for a person, postings that are tried again or whose "
        "outcome is unknown, and open exceptions.",
        formula="parked + unsettled + open",
        source="Tables processes, calls and exceptions",
        needs="nothing but the ledger",
        measure=flow.backlog,
    ),
    Kpi(
        id="delayed_confirmations",
        title="Delayed order confirmations",
        group=FLOW,
        unit="count",
        better=Better.LOWER,
        definition="Confirmations that the MES recorded in the period and that ERP answered later than their "
        "service level, or has not answered by now.",
        formula="late + still waiting beyond the service level",
        source="Events production.confirmation.recorded, .posted and .rejected",
        needs="events production.confirmation.recorded",
        measure=orders.delayed_confirmations,
        target=0,
    ),
    Kpi(
        id="failed_receipts",
        title="Failed goods receipts",
        group=FLOW,
        unit="count",
        better=Better.LOWER,
        definition="Goods receipts that ERP refused, that failed, or whose outcome is not known, by what "
        "came of each last.",
        formula="rejected + failed + unknown",
        source=f"Rollups of the operations {' and '.join(orders.RECEIPTS)}",
        needs=f"postings by {' or '.join(orders.RECEIPTS)}",
        measure=orders.failed_receipts,
        target=0,
    ),
    Kpi(
        id="slo_burn",
        title="Error budget used",
        group=SERVICE,
        unit="share",
        better=Better.LOWER,
        definition="The error budget is the share that may be late. A burn rate of 1 uses all of it over the "
        "period, 2 in half of it. Shown is the process or posting that used most.",
        formula=f"(late ÷ done) ÷ (1 − {flow.OBJECTIVE:g})",
        source="Rollups of processes and calls; Google SRE Workbook, Alerting on SLOs",
        needs="workflows or postings that have a service level and ended in the period",
        measure=flow.slo_burn,
        target=1,
    ),
    Kpi(
        id="time_to_resolve",
        title="Time to resolve",
        group=SERVICE,
        unit="s",
        better=Better.LOWER,
        definition="From when an exception was first seen until it was closed, resolved or discarded: the "
        "median of those closed in the period.",
        formula="median(closed − first seen)",
        source="Table exceptions",
        needs="exceptions that were closed in the period",
        measure=people.time_to_resolve,
        target=4 * 3600,
    ),
    Kpi(
        id="reconciliation_effort",
        title="Reconciliation effort",
        group=SERVICE,
        unit="count",
        better=Better.LOWER,
        definition="Decisions of people on exceptions, workflows and calls: corrections, redrives, discards, "
        "retries, skips, approvals and refusals.",
        formula="number of decisions; time between the first and the last on the same thing",
        source="Table audit",
        needs="nothing but the audit",
        measure=people.reconciliation_effort,
    ),
    Kpi(
        id="oee",
        title="OEE",
        group=PRODUCTION,
        unit="share",
        better=Better.HIGHER,
        definition="Overall equipment effectiveness: what good parts should have taken, of the time in which "
        "the equipment was to work.",
        formula="availability (APT ÷ PBT) × effectiveness (PRI · PQ ÷ APT) × quality (GQ ÷ PQ)",
        source="ISO 22400-2. PBT: work calendar; APT: PackML state Execute; PQ, GQ: confirmations; PRI: "
        "routing, else the dispatched job",
        needs="events equipment.state.changed or equipment.downtime.ended, production.confirmation.recorded, "
        "and masterdata.routing.changed or production.job.dispatched",
        measure=production.oee,
        target=0.6,
    ),
    Kpi(
        id="unplanned_downtime",
        title="Unplanned downtime",
        group=PRODUCTION,
        unit="s",
        better=Better.LOWER,
        definition="Stops within planned time that last longer than a minor stop, and that neither upstream "
        "nor a plan explains; of all equipment together.",
        formula="Σ downtime within planned busy time",
        source="ISO 22400-2 ADOT; events equipment.downtime.ended and .classified",
        needs="events equipment.downtime.ended or equipment.state.changed",
        measure=production.unplanned_downtime,
    ),
    Kpi(
        id="unresolved_downtime",
        title="Unresolved downtime",
        group=PRODUCTION,
        unit="count",
        better=Better.LOWER,
        definition="Equipment that stands still now, for longer than a minor stop.",
        formula="number of stops that have begun and not ended",
        source="Projection asset_status, from equipment.downtime.started and .ended",
        needs="events equipment.downtime.started or equipment.state.changed",
        measure=production.unresolved_downtime,
        target=0,
    ),
    Kpi(
        id="maintenance_response",
        title="Maintenance response",
        group=MAINTENANCE,
        unit="s",
        better=Better.LOWER,
        definition="From the malfunction until work on the order began: the median of the orders that were "
        "completed in the period.",
        formula="median(actual start − start of the malfunction)",
        source="Events maintenance.request.created and maintenance.order.completed",
        needs="events maintenance.request.created, and maintenance.order.completed of the same request",
        measure=maintenance.maintenance_response,
        target=2 * 3600,
    ),
    Kpi(
        id="spares_availability",
        title="Spares availability",
        group=MAINTENANCE,
        unit="share",
        better=Better.HIGHER,
        definition="Of the part lines that maintenance orders needed, the share that was reserved from stock "
        "at once; the others had to be bought first.",
        formula="reserved at once ÷ (reserved at once + requisitioned)",
        source="Events maintenance.request.created, inventory.reservation.created, "
        "procurement.requisition.created",
        needs="events inventory.reservation.created or procurement.requisition.created of maintenance orders",
        measure=maintenance.spares_availability,
        target=0.95,
    ),
    Kpi(
        id="stock_accuracy",
        title="Stock accuracy",
        group=STOCK,
        unit="share",
        better=Better.HIGHER,
        definition="Of the balances that were compared between two systems, the share that agrees; by the "
        "last comparison of each site in the period.",
        formula="(compared − different) ÷ compared",
        source="Event inventory.balance.reconciled",
        needs="events inventory.balance.reconciled in the event log",
        measure=stock.stock_accuracy,
        target=0.98,
    ),
    Kpi(
        id="valuation_at_risk",
        title="Value at risk",
        group=STOCK,
        unit="count",
        better=Better.LOWER,
        definition="What is to be posted in ERP and is not: tried again, outcome unknown, or refused and "
        "still to be decided. In money where every amount is of one currency, else the number of postings.",
        formula="Σ amount of unposted calls; quantities beside it",
        source="Tables calls and exceptions",
        needs="nothing but the ledger",
        measure=stock.valuation_at_risk,
    ),
)
