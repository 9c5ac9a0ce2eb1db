"""Where a running node is found."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["NodeAddress", "node_runs", "read_address"]


class NodeAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Written to `<data>/node.json` when the node is up: where to find it."""

    pid: int
    console: str
    mqtt: str
    nats: str


def read_address(path: Path) -> NodeAddress:
    """raises  OSError, msgspec.MsgspecError where no node has been up"""
    return msgspec.json.decode(path.read_bytes(), type=NodeAddress)


def node_runs(data_dir: Path) -> bool:
    """Whether the node that was up last on this folder, on this machine, still is."""
    try:
        os.kill(read_address(data_dir / "node.json").pid, 0)
    except PermissionError:  # it is somebody else's
        return True
    except (OSError, OverflowError, msgspec.MsgspecError):
        return False
    return True
