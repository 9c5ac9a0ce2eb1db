"""What the simulated systems share: an HTTP server on 127.0.0.1, a database file, faults and effects.

Besides its business API each system answers

    POST   /_faults   {"kind": …, "times": n | null, "seconds": s | null, "path": regex | null}
    GET    /_faults   the faults still waiting
    DELETE /_faults   none any more
    GET    /_effects  {"counts": {<effect>: n}, "rows": {<effect>: [<row>, …]}, "state": {…}}: every
                      business effect so far, and what else the system knows
    GET    /_ping     {"system": <name>}; never hit by faults
    GET    /health    likewise; hit by an outage only, and not counted in its `times`
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from estate.systems.database import Database, Row
from estate.systems.faults import Fault, FaultBoard, FaultyApp
from estate.systems.refusal import Refusal, answer_refusal
from lineshaft.backbone.server_state import free_port

__all__ = ["SimulatedSystem"]

HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)


class SimulatedSystem(ABC):
    """One system: `async with CmmsSystem(data_dir, port=0) as cmms: cmms.url`.

    data_dir  holds `<name>.sqlite`; a later start on the same folder goes on with the same data
    port      0 for a free one; kept over stop() and start()
    """

    name: ClassVar[str]
    schema: ClassVar[str]
    effects: ClassVar[Sequence[str]]
    state: ClassVar[Sequence[str]] = ()

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        self.data_dir = data_dir
        self.port = port
        self.faults = FaultBoard()
        self.tasks: list[asyncio.Task[None]] = []
        self._database: Database | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def database(self) -> Database:
        """raises RuntimeError before start"""
        if self._database is None:
            raise RuntimeError(f"{self.name} is not running; start it first")
        return self._database

    @abstractmethod
    def routes(self) -> list[Route]:
        """The business API."""

    @abstractmethod
    def seed(self) -> None:
        """Fill an empty database with the example plant; runs in a transaction."""

    def opened(self) -> None:  # noqa: B027 - optional
        """Called when the database is open, before seed(): a place to build what works on it."""

    def seeded(self) -> bool:
        return self.database.row("SELECT 1 FROM counter WHERE prefix = 'seeded'") is not None

    async def started(self) -> None:  # noqa: B027 - optional
        """Called when the server listens: a place to start background tasks (append them to `tasks`)."""

    async def start(self) -> None:
        self._database = Database(self.data_dir / f"{self.name}.sqlite", self.schema)
        self.opened()
        if not self.seeded():
            with self.database.transaction():
                self.seed()
                self.database.number("seeded", 1)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = self.port or free_port(HOST)
        listener.bind((HOST, self.port))
        app = Starlette(
            routes=[*self.routes(), *self._own_routes()],
            exception_handlers={Refusal: answer_refusal},
        )
        config = uvicorn.Config(
            FaultyApp(app, self.faults, self._cut),
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
            timeout_keep_alive=30,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(
            self._server.serve(sockets=[listener]), name=f"{self.name} server"
        )
        await self._server.listening.wait()
        await self.started()

    async def stop(self) -> None:
        """Close at once, like a crash between two requests: open requests get no answer, data stays."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            for listener in self._server.servers:
                listener.close()
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
            await self._serving
            self._server = None
        if self._database is not None:
            self._database.close()
            self._database = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def effect_rows(self) -> dict[str, list[Row]]:
        """Every business effect so far: table → rows, oldest first."""
        return self._tables(self.effects)

    def effect_counts(self) -> dict[str, int]:
        return {table: len(rows) for table, rows in self.effect_rows().items()}

    def _tables(self, names: Sequence[str]) -> dict[str, list[Row]]:
        return {name: self.database.rows(f"SELECT * FROM {name} ORDER BY rowid") for name in names}  # noqa: S608

    def _own_routes(self) -> list[Route]:
        async def add_fault(request: Request) -> Response:
            try:
                fault = msgspec.json.decode(await request.body(), type=Fault)
            except msgspec.DecodeError as error:
                return JSONResponse({"detail": str(error)}, 422)
            self.faults.add(**msgspec.structs.asdict(fault))
            return JSONResponse(msgspec.to_builtins(fault), 201)

        async def faults(_: Request) -> Response:
            return JSONResponse(msgspec.to_builtins(self.faults.waiting()))

        async def clear_faults(_: Request) -> Response:
            self.faults.clear()
            return Response(status_code=204)

        async def effects(_: Request) -> Response:
            return JSONResponse(
                {
                    "counts": self.effect_counts(),
                    "rows": self.effect_rows(),
                    "state": self._tables(self.state),
                }
            )

        async def ping(_: Request) -> Response:
            return JSONResponse({"system": self.name})

        return [
            Route("/_faults", add_fault, methods=["POST"]),
            Route("/_faults", faults, methods=["GET"]),
            Route("/_faults", clear_faults, methods=["DELETE"]),
            Route("/_effects", effects),
            Route("/_ping", ping),
            Route("/health", ping),
        ]

    def _cut(self, scope: Scope, reset: bool) -> None:
        """Close the connection on which a request came, without an answer."""
        server = self._server
        connections: set[Any] = set() if server is None else server.server_state.connections
        for connection in list(connections):
            if connection.client == scope["client"]:
                if reset:
                    peer = connection.transport.get_extra_info("socket")
                    with contextlib.suppress(OSError):
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.transport.abort()
                connection.cycle.disconnected = True


class _Server(uvicorn.Server):
    """A uvicorn server in somebody else's event loop: it tells when it listens and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
