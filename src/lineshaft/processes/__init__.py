"""Durable processes: journal, replay, waits; and the processes that lineshaft ships."""

from lineshaft.processes.context import Approval, Context, WaitTimedOut
from lineshaft.processes.corrective_maintenance import corrective_maintenance
from lineshaft.processes.declare import process
from lineshaft.processes.definition import ProcessDefinition
from lineshaft.processes.engine import Engine

SHIPPED: dict[str, tuple[ProcessDefinition, ...]] = {corrective_maintenance.name: (corrective_maintenance,)}
"""Every version that instances may still be under, by name."""

__all__ = ["SHIPPED", "Approval", "Context", "Engine", "ProcessDefinition", "WaitTimedOut", "process"]
