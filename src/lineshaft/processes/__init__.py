"""Durable processes: journal, replay, waits; and the processes that lineshaft ships."""

from lineshaft.processes.context import Context, WaitTimedOut
from lineshaft.processes.corrective_maintenance import corrective_maintenance
from lineshaft.processes.definition import ProcessDefinition, process
from lineshaft.processes.engine import Engine

SHIPPED: dict[str, ProcessDefinition] = {corrective_maintenance.name: corrective_maintenance}

__all__ = ["SHIPPED", "Context", "Engine", "ProcessDefinition", "WaitTimedOut", "process"]
