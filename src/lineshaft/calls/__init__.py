"""The one door into every system."""

from lineshaft.calls.door import Door
from lineshaft.calls.limits import BreakerState
from lineshaft.calls.system import CallPolicy, System

__all__ = ["BreakerState", "CallPolicy", "Door", "System"]
