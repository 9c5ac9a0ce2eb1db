"""What telemetry has to remember across a restart, and where it is kept.

limit/<rule>/<tag>                one rule on one tag: written when an episode starts, is raised or ends
seen/<topic>                      device time of the last reading taken, per tag that a rule watches
sparkplug/cursor/<group>/<node>   where the session of an edge node stands
sparkplug/births/<group>/<node>   its metric names, aliases and datatypes
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from lineshaft.core.errors import PermanentFault

__all__ = ["BIRTHS", "CURSOR", "LIMIT", "SEEN", "StateStore", "read_state"]

LIMIT = "limit/"
SEEN = "seen/"
CURSOR = "sparkplug/cursor/"
BIRTHS = "sparkplug/births/"

T = TypeVar("T")


class StateStore(Protocol):
    """Small values by key; one pipeline owns them."""

    async def load(self) -> dict[str, bytes]:
        """Everything saved. raises TransientFault"""
        ...

    async def save(self, changed: dict[str, bytes]) -> None:
        """All of `changed` in one transaction, on disk when this returns; other keys stay as they are.

        raises  TransientFault when nothing was saved
        """
        ...


def read_state(key: str, data: bytes, type: type[T]) -> T:
    """raises PermanentFault naming the key"""
    try:
        return msgspec.msgpack.decode(data, type=type)
    except msgspec.DecodeError as error:
        raise PermanentFault(
            f"saved telemetry state {key!r} cannot be read: {error}",
            hint="it was written by another version or is damaged; remove the row to start this key afresh",
        ) from error
