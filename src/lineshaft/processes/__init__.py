"""Durable processes: journal, replay, waits; and the processes that lineshaft ships."""

from lineshaft.processes.context import Approval, Context, WaitTimedOut
from lineshaft.processes.corrective_maintenance import corrective_maintenance
from lineshaft.processes.counts import accept_count
from lineshaft.processes.declare import process
from lineshaft.processes.definition import ProcessDefinition
from lineshaft.processes.downtime import classify_downtime
from lineshaft.processes.engine import Engine

SHIPPED: dict[str, tuple[ProcessDefinition, ...]] = {
    definition.name: (definition,) for definition in (corrective_maintenance, classify_downtime, accept_count)
}
"""Every version that instances may still be under, by name."""

__all__ = ["SHIPPED", "Approval", "Context", "Engine", "ProcessDefinition", "WaitTimedOut", "process"]
