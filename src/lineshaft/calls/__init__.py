"""The one door into every system."""

from lineshaft.calls.door import Door
from lineshaft.calls.limits import BreakerState
from lineshaft.calls.maintenance import Window
from lineshaft.calls.pausing import apply_pauses, follow_pauses
from lineshaft.calls.system import CallPolicy, System

__all__ = ["BreakerState", "CallPolicy", "Door", "System", "Window", "apply_pauses", "follow_pauses"]
