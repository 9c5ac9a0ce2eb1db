"""The one door into every system."""

from lineshaft.calls.door import Door
from lineshaft.calls.limits import BreakerState
from lineshaft.calls.pausing import apply_pauses, follow_pauses
from lineshaft.calls.system import System
from lineshaft.core.call_policy import CallPolicy, Window

__all__ = ["BreakerState", "CallPolicy", "Door", "System", "Window", "apply_pauses", "follow_pauses"]
