"""The peers that this machine has, or can install."""

from __future__ import annotations

from lineshaft.app.bench.node_red import NodeRed
from lineshaft.app.bench.telemetry.installed import PythonPeer
from lineshaft.app.bench.telemetry.load import Shape
from lineshaft.app.bench.telemetry.node_red import NodeRedPeer
from lineshaft.app.bench.telemetry.peer import Peer

__all__ = ["NAMES", "found_peers"]

NAMES = ("node_red", "pathway", "mq_bridge")


def found_peers() -> dict[str, Peer | None]:
    """None, said on standard error, for one that cannot be installed.

    Pathway and mq-bridge are installed for the bench alone. mq-bridge keeps state by message, so it cannot
    tell of an episode within a batch.
    """
    node_red = NodeRed.found()
    return {
        "node_red": None if node_red is None else NodeRedPeer(node_red),
        "pathway": PythonPeer.found("pathway", "pathway", "0.33.0", frozenset({Shape.SINGLE, Shape.BATCHES})),
        "mq_bridge": PythonPeer.found("mq_bridge", "mq-bridge", "1.2.0", frozenset({Shape.SINGLE})),
    }
