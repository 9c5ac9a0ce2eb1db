"""A server in this process, a line to it that can be cut, and a sink that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import msgspec
from asyncua import Server, ua

from lineshaft.backbone.server_state import free_port
from lineshaft.connectors.opcua.source import OpcUaSource
from lineshaft.core.errors import TransientFault

URI = "http://example.org/line1"


class Got(NamedTuple):
    metric: str
    time: float
    value: float | None
    quality: str


class Sink:
    """A RawSink. refuses: how many of the next puts it does not take."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.refuses = 0

    async def put(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise TransientFault("the backbone is away")
        self.messages += messages

    @property
    def readings(self) -> list[Got]:
        return [
            Got(*row)
            for _, payload in self.messages
            for columns in [msgspec.json.decode(payload)]
            for row in zip(*(columns[name] for name in Got._fields), strict=True)
        ]

    def of(self, metric: str) -> list[tuple[float | None, str]]:
        return [(got.value, got.quality) for got in self.readings if got.metric == metric]


class Line:
    """The way to a server: `cut` closes it, `silent` keeps it open and lets nothing through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: set[asyncio.StreamWriter] = set()
        self._through = asyncio.Event()
        self._through.set()
        self.port = free_port()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Line]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            self._through.set()
            self.cut()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def silent(self, is_silent: bool = True) -> None:
        self._through.clear() if is_silent else self._through.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError):
            other_reader, other = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(other)
            await asyncio.gather(self._pass(reader, other), self._pass(other_reader, writer))
            self._open.discard(other)
        self._open.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._through.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


class Plant:
    """A running server with a few variables of http://example.org/line1."""

    def __init__(self, server: Server, port: int, index: int) -> None:
        self.server = server
        self.port = port
        self.index = index

    @property
    def url(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/line1"

    async def write(self, name: str, value: Any, status: int = 0, **more: Any) -> None:
        node = self.server.get_node(ua.NodeId(name, self.index))
        variant = value if isinstance(value, ua.Variant) else ua.Variant(value, await kind_of(node))
        await node.write_value(ua.DataValue(variant, ua.StatusCode(ua.UInt32(status)), **more))


async def kind_of(node: Any) -> ua.VariantType:
    kind: ua.VariantType = await node.read_data_type_as_variant_type()
    return kind


@asynccontextmanager
async def running(source: OpcUaSource, sink: Sink) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(source.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
