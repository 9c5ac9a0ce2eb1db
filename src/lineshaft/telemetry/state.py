"""What telemetry has to remember across a restart, and where it is kept.

tags/…, levels/…, rates/…         names under one key, columns in their order under others: order and live
                                  values of tags, and where limits on values and on speed stand
windows/<µs>/…                    the same of all windows of one length
each/<kind>                       other rules and derived values: state of each by its key
decode/poisoned                   what decoding has to know of topics with unreadable payloads
sparkplug/cursor/<group>/<node>   where the session of an edge node stands
sparkplug/births/<group>/<node>   its metric names, aliases and datatypes
owed                              events that no message brings again, to be told after the save
positions                         the last message of each stream that is in the state above
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, TypeVar

import msgspec

from lineshaft.core.errors import PermanentFault

__all__ = ["BIRTHS", "CURSOR", "OWED", "POSITIONS", "StateStore", "read_state"]

CURSOR = "sparkplug/cursor/"
BIRTHS = "sparkplug/births/"
POSITIONS = "positions"
OWED = "owed"

T = TypeVar("T")


class StateStore(Protocol):
    """Small values by key; one pipeline owns them."""

    async def load(self) -> dict[str, bytes]:
        """Everything saved. raises TransientFault"""
        ...

    async def save(self, changed: Mapping[str, bytes], gone: Collection[str]) -> None:
        """All in one transaction, on disk when this returns: `changed` is written, `gone` is deleted, other
        keys stay as they are.

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
