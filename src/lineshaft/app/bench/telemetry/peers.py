"""The peers that this machine has, or can install."""

from __future__ import annotations

from lineshaft.app.bench.node_red import NodeRed
from lineshaft.app.bench.telemetry.installed import PythonPeer
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.node_red import NodeRedPeer
from lineshaft.app.bench.telemetry.peer import Peer

__all__ = ["NAMES", "found_peer"]

NAMES = ("node_red", "pathway", "mq_bridge")


def found_peer(name: str) -> Peer | None:
    """Installed for the bench alone at the first time; None, said on standard error, where it cannot be."""
    match name:
        case "node_red":
            node_red = NodeRed.found()
            return None if node_red is None else NodeRedPeer(node_red)
        case "pathway":
            return PythonPeer.found(name, "pathway", "0.33.0", frozenset({Shape.SINGLE, Shape.BATCHES}))
        case _:
            # it keeps state by message, so it cannot tell of an episode within a batch
            return PythonPeer.found(name, "mq-bridge", "1.2.0", frozenset({Shape.SINGLE}))
