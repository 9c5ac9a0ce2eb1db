"""Enumerations of B2MML and BatchML V0700. Each ends in `Other`: its owner may use words of its own.

A value with such a field has a member `other_value`: by field, the word that `Other` stands for. A reader
takes a word that it does not know for `Other`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

__all__ = [
    "AssemblyRelationship",
    "AssemblyType",
    "BatchListEntryType",
    "BatchMode",
    "BatchStatus",
    "CapabilityType",
    "Dependency",
    "DispatchStatus",
    "Disposition",
    "EquipmentLevel",
    "Extensible",
    "JobOrderCommand",
    "MaterialUse",
    "OperationsRequestState",
    "OperationsType",
    "ParameterType",
]


class Extensible(StrEnum):
    """An enumeration with a member OTHER, which any unknown word becomes."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls["OTHER"] if isinstance(value, str) else None


class EquipmentLevel(Extensible):
    ENTERPRISE = "Enterprise"
    SITE = "Site"
    AREA = "Area"
    WORK_CENTER = "WorkCenter"
    WORK_UNIT = "WorkUnit"
    PRODUCTION_LINE = "ProductionLine"
    WORK_CELL = "WorkCell"
    PROCESS_CELL = "ProcessCell"
    UNIT = "Unit"
    PRODUCTION_UNIT = "ProductionUnit"
    STORAGE_ZONE = "StorageZone"
    STORAGE_UNIT = "StorageUnit"
    EQUIPMENT_MODULE = "EquipmentModule"
    CONTROL_MODULE = "ControlModule"
    OTHER = "Other"


class Disposition(Extensible):
    UNRESTRICTED = "UnRestricted"
    RESTRICTED = "Restricted"
    IN_PROCESS = "In-Process"
    PLANNED = "Planned"
    CLOSED = "Closed"
    OTHER = "Other"


class OperationsType(Extensible):
    PRODUCTION = "Production"
    MAINTENANCE = "Maintenance"
    QUALITY = "Quality"
    INVENTORY = "Inventory"
    MIXED = "Mixed"
    OTHER = "Other"


class OperationsRequestState(Extensible):
    RELEASED = "Released"
    FORECAST = "Forecast"
    WAITING = "Waiting"
    READY = "Ready"
    RUNNING = "Running"
    HELD = "Held"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    ABORTED = "Aborted"
    CLOSED = "Closed"
    OTHER = "Other"


class JobOrderCommand(Extensible):
    START = "Start"
    STOP = "Stop"
    HOLD = "Hold"
    RESTART = "Restart"
    ABORT = "Abort"
    RESET = "Reset"
    PAUSE = "Pause"
    RESUME = "Resume"
    OTHER = "Other"


class DispatchStatus(Extensible):
    DISPATCHED = "Dispatched"
    WAITING = "Waiting"
    PENDING = "Pending"
    CANCELLED = "Cancelled"
    READY = "Ready"
    RUNNING = "Running"
    COMPLETED = "Completed"
    ABORTED = "Aborted"
    HELD = "Held"
    SUSPENDED = "Suspended"
    CLOSED = "Closed"
    OTHER = "Other"


class MaterialUse(Extensible):
    PRODUCED = "Produced"
    CONSUMED = "Consumed"
    CONSUMABLE = "Consumable"
    BY_PRODUCT_PRODUCED = "By-product Produced"
    CO_PRODUCT_PRODUCED = "Co-product Produced"
    YIELD_PRODUCED = "Yield Produced"
    MATERIAL_CONSUMED = "Material Consumed"
    MATERIAL_PRODUCED = "Material Produced"
    DESTRUCTIVE_SAMPLE = "Destructive Sample"
    RETURNED_SAMPLE = "Returned Sample"
    RETAINED_SAMPLE = "Retained Sample"
    INVENTORIED = "Inventoried"
    OTHER = "Other"


class CapabilityType(Extensible):
    UNATTAINABLE = "Unattainable"
    USED = "Used"
    UNUSED = "Unused"
    TOTAL = "Total"
    COMMITTED = "Committed"
    AVAILABLE = "Available"
    OTHER = "Other"


class AssemblyType(Extensible):
    PHYSICAL = "Physical"
    LOGICAL = "Logical"
    OTHER = "Other"


class AssemblyRelationship(Extensible):
    PERMANENT = "Permanent"
    TRANSIENT = "Transient"
    OTHER = "Other"


class Dependency(Extensible):
    AFTER_END = "AfterEnd"
    NOT_FOLLOW = "NotFollow"
    POSSIBLE_PARALLEL = "PossibleParallel"
    NOT_IN_PARALLEL = "NotInParallel"
    AT_START = "AtStart"
    AFTER_START = "AfterStart"
    NO_LATER_AFTER_START = "NoLaterAfterStart"
    NO_EARLIER_AFTER_START = "NoEarlierAfterStart"
    NO_LATER_AFTER_END = "NoLaterAfterEnd"
    NO_EARLIER_AFTER_END = "NoEarlierAfterEnd"
    OTHER = "Other"


class BatchListEntryType(Extensible):
    BATCH = "Batch"
    CAMPAIGN = "Campaign"
    UNIT_PROCEDURE = "UnitProcedure"
    OPERATION = "Operation"
    PHASE = "Phase"
    OTHER = "Other"


class BatchStatus(Extensible):
    RUNNING = "Running"
    IDLE = "Idle"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    HOLDING = "Holding"
    HELD = "Held"
    RESTARTING = "Restarting"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    COMPLETE = "Complete"
    OTHER = "Other"


class BatchMode(Extensible):
    AUTOMATIC = "Automatic"
    SEMI_AUTOMATIC = "SemiAutomatic"
    MANUAL = "Manual"
    OTHER = "Other"


class ParameterType(Extensible):
    PROCESS_PARAMETER = "ProcessParameter"
    PROCESS_INPUT = "ProcessInput"
    PROCESS_OUTPUT = "ProcessOutput"
    OTHER = "Other"
