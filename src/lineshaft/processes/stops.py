"""What ends the run of a process function from outside. None of it is for process code to catch."""

from __future__ import annotations

from lineshaft.core.errors import LineshaftError

__all__ = ["Park", "Stopped", "Suspend", "Unrecorded", "Unwind"]


class Stopped(BaseException):
    """Base of these: not an Exception, so that `except Exception` in a process lets it through."""


class Suspend(Stopped):
    """The instance is rows only from here on."""


class Park(Stopped):
    """A person has to decide. step: the path of the step that could not be done."""

    def __init__(self, fault: LineshaftError, step: str = "") -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.step = step


class Unrecorded(Stopped):
    """The journal cannot be written: it is no fault of its step."""

    def __init__(self, fault: LineshaftError) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Unwind(Stopped):
    """Someone wants an end: `abort` runs the undos, `cancel` none, `terminate` has ended it."""

    def __init__(self, wanted: str, reason: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.reason = reason
