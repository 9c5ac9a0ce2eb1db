"""The filler as a Sparkplug B edge node, by pysparkplug: an implementation that shares no code with ours."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

from pysparkplug import (
    Client,
    ClientOptions,
    DataType,
    Device,
    EdgeNode,
    Message,
    MessageType,
    Metric,
    MQTTError,
    NCmd,
)

from estate.machines.behaviour import FillerBehaviour
from estate.machines.ticker import Ticker
from estate.plant import PLANT, machine

__all__ = ["DEVICE", "EDGE_NODE", "GROUP", "SparkplugFiller"]

GROUP, EDGE_NODE, DEVICE = PLANT, "btl-l1", "filler-01"
REBIRTH = "Node Control/Rebirth"
RETRY_S = 0.5
KEPT = 10_000
OPTIONS = ClientOptions(reconnection_delay_min=1, reconnection_delay_max=5)


class SparkplugFiller:
    """NBIRTH, DBIRTH and DDATA of `leipzig/btl-l1/filler-01` with all that FillerBehaviour tells.

    births     DBIRTH messages so far: one per connection and rebirth command
    published  readings sent so far

    Sparkplug publishes at QoS 0. Readings made while the connection is known to be gone are kept, up to
    10,000, and follow the next birth with is_historical set; what was written into a dying connection is
    lost, as with real edge nodes. A rebirth command is answered by a new connection.
    """

    def __init__(
        self, *, host: str, port: int, username: str = "", password: str = "", interval_s: float = 1.0
    ) -> None:
        self.behaviour = FillerBehaviour(machine("FILLER-01"))
        self.births = 0
        self.published = 0
        self._address = (host, port)
        self._credentials = (username or None, password or None)
        self._born = threading.Event()
        self._rebirth = threading.Event()
        self._kept: deque[list[Metric]] = deque(maxlen=KEPT)
        self._node: EdgeNode | None = None
        self._ticker = Ticker("sparkplug filler", interval_s, self._publish_values)

    @property
    def kept(self) -> int:
        """Readings that wait for a connection."""
        return len(self._kept)

    def start(self) -> None:
        """Returns at once; connects and publishes from its own threads, also when the broker comes later."""
        self._ticker.start()

    def stop(self) -> None:
        """Says NDEATH and leaves."""
        self._ticker.stop()
        self._leave()

    def breach(self) -> None:
        self.behaviour.breach()

    def recover(self) -> None:
        self.behaviour.recover()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _publish_values(self, elapsed_s: float) -> None:
        values = self.behaviour.values(elapsed_s)
        now = time.time_ns() // 1_000_000
        if self._rebirth.is_set():
            self._rebirth.clear()
            self._leave()
        if self._node is None and not self._connect(now, values):
            self._kept.append(_metrics(now, values, historical=True))
            self._ticker.pause(RETRY_S)
            return
        node = self._node
        if node is None or not self._born.wait(RETRY_S):
            self._kept.append(_metrics(now, values, historical=True))
            return
        try:
            while self._kept:
                node.update_device(DEVICE, self._kept[0])
                self._kept.popleft()
                self.published += 1
            node.update_device(DEVICE, _metrics(now, values))
            self.published += 1
        except MQTTError:
            self._born.clear()
            self._kept.append(_metrics(now, values, historical=True))

    def _connect(self, now: int, values: dict[str, float]) -> bool:
        host, port = self._address
        username, password = self._credentials
        client = _WatchedClient(self, username, password)
        control = Metric(timestamp=now, name=REBIRTH, datatype=DataType.BOOLEAN, value=False)
        node = EdgeNode(GROUP, EDGE_NODE, [control], client, cmd_callback=self._commanded)
        node.register(Device(DEVICE, _metrics(now, values)))
        try:
            node.connect(host, port=port)
        except OSError:
            return False
        self._node = node
        return True

    def _commanded(self, _: EdgeNode, message: Message) -> None:
        """From the network thread, which must not disconnect itself."""
        command = message.payload
        if isinstance(command, NCmd) and any(m.name == REBIRTH and m.value for m in command.metrics):
            self._rebirth.set()

    def _leave(self) -> None:
        node, self._node = self._node, None
        self._born.clear()
        if node is not None:
            try:
                node.disconnect()
            except MQTTError:
                return

    def was_born(self) -> None:
        """From the network thread."""
        self.births += 1
        self._born.set()


class _WatchedClient(Client):
    """Tells when the device's birth is out: data must not overtake it."""

    def __init__(self, owner: SparkplugFiller, username: str | None, password: str | None) -> None:
        super().__init__(username=username, password=password, client_options=OPTIONS)
        self._owner = owner

    def publish(self, message: Message, *, include_dtypes: bool = False) -> None:
        super().publish(message, include_dtypes=include_dtypes)
        if message.topic.message_type is MessageType.DBIRTH:
            self._owner.was_born()


def _metrics(now_ms: int, values: dict[str, float], *, historical: bool = False) -> list[Metric]:
    return [
        Metric(timestamp=now_ms, name=name, datatype=DataType.DOUBLE, value=value, is_historical=historical)
        for name, value in values.items()
    ]
