"""Node-RED: MQTT in, one function node, MQTT out, QoS 0."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lineshaft.app.bench.node_red import NodeRed
from lineshaft.app.bench.telemetry.load import LIMIT, RELEASE, Shape
from lineshaft.app.bench.telemetry.peer import INPUT, PeerSide
from lineshaft.backbone import Backbone

__all__ = ["NodeRedPeer"]

_HERE = Path(__file__).parent


class NodeRedPeer:
    """Implements `peer.Peer`."""

    name = "node_red"

    def __init__(self, installed: NodeRed) -> None:
        self._installed = installed
        self.version = installed.version

    def has_state(self, shape: Shape) -> bool:
        return True

    @asynccontextmanager
    async def running(self, backbone: Backbone, shape: Shape, *, stateful: bool) -> AsyncIterator[PeerSide]:
        with tempfile.TemporaryDirectory(prefix="lineshaft-bench-") as folder:
            flow = Path(folder) / "flow.json"
            flow.write_text(json.dumps(_flow("stateful" if stateful else "stateless")))
            async with self._installed.program(Path(folder), flow, {}, backbone) as process:
                side = PeerSide(self.name, process, backbone.connection)
                await side.begin(shape)
                yield side


def _flow(function: str) -> list[dict[str, object]]:
    code = (_HERE / f"node_red_{function}.js").read_text()
    code = code.replace("LIMIT", str(LIMIT)).replace("RELEASE", str(RELEASE))
    broker = {"type": "mqtt-broker", "broker": "${BENCH_MQTT_HOST}", "port": "${BENCH_MQTT_PORT}"}
    node: dict[str, object] = {"z": "bench", "broker": "nats", "qos": "0"}
    return [
        {"id": "bench", "type": "tab", "label": "limits and windows"},
        {"id": "nats", **broker, "protocolVersion": "4", "keepalive": "60", "cleansession": True},
        {"id": "in", "type": "mqtt in", **node, "topic": f"{INPUT}/#", "datatype": "json", "wires": [["f"]]},
        {"id": "f", "type": "function", "z": "bench", "outputs": 1, "func": code, "wires": [["out"]]},
        {"id": "out", "type": "mqtt out", **node, "topic": "", "retain": "false", "wires": []},
    ]
