"""How a call that is in the ledger would be sent to its system today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from lineshaft.calls.system import System
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import SaysAsSent, WireMessage

__all__ = ["sent_form"]


def sent_form(systems: Sequence[System]) -> Callable[[str, str, bytes, str], WireMessage | str]:
    """From name of the system, operation, request and idempotency key: the message, or why there is none."""
    by_name = {system.name: system for system in systems}

    def form(name: str, operation: str, request: bytes, key: str) -> WireMessage | str:
        system = by_name.get(name)
        if system is None:
            return f"{name} is not connected to this node."
        if operation not in system.operations:
            return f"{name} does not offer {operation} any more."
        if not callable(getattr(system.connector, "as_sent", None)):
            return f"{name} speaks a protocol of its own; its connector keeps no message that could be shown."
        try:
            asked = system.operations[operation].request_schema.decode(request)
            return cast("SaysAsSent", system.connector).as_sent(operation, asked, key)
        except LineshaftError as fault:
            return fault.message

    return form
