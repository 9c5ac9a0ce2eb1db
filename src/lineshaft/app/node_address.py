"""Where a running node is found."""

from __future__ import annotations

from pathlib import Path

import msgspec

__all__ = ["NodeAddress", "read_address"]


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Written to `<data>/node.json` when the node is up: where to find it."""

    pid: int
    console: str
    mqtt: str
    nats: str


def read_address(path: Path) -> NodeAddress:
    """raises  OSError, msgspec.MsgspecError where no node has been up"""
    return msgspec.json.decode(path.read_bytes(), type=NodeAddress)
