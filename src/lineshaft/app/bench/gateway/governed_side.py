"""The governed side, as a child process: the gateway of a node with its store, outbox and backbone.

On each line of its standard input it says where it is, or what was kept; it ends with it. The first line
names the database.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import structlog
from sqlalchemy import Table, func, select

from lineshaft.app.long_lived import keep_what_is_loaded
from lineshaft.app.quick_loop import quick_loop
from lineshaft.app.web import WebServer
from lineshaft.backbone import Backbone, stream_of
from lineshaft.console import LoginPages, PlantView
from lineshaft.contracts.catalogue import BALANCE_CHANGED, EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.core.credentials import Credential, CredentialKind
from lineshaft.gateway.events.events_in import EventsIn, events_in_route
from lineshaft.gateway.identity import make_access, make_secret, read_access, stored
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.ledger import Audit
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions
from lineshaft.ledger.intake import Intake
from lineshaft.ledger.requests import Quotas, RequestClaims, RequestLog
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import api_requests, outbox, request_claims

__all__: list[str] = []

_PLANT = "leipzig"
_DRAIN_S = 30.0
_ACCESS = """
roles:
  stock: {may: ["publish:inventory.*"]}
accounts:
  inventory:
    roles: [stock]
    plants: [leipzig]
    system: inventory
    limits: {rate_per_s: 100000, burst: 100000, quota_per_day: 1000000000}
"""


async def _serve() -> None:
    lines = await _lines()
    database = msgspec.json.decode(await lines.readline())["database"]
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lineshaft-bench-")))
        store = Store.open(database)
        stack.push_async_callback(store.close)
        backbone = await Backbone.start(None, folder / "nats", mqtt_port=0)
        stack.push_async_callback(backbone.stop)
        web = WebServer("127.0.0.1", 0, has_access=True)
        stack.callback(web.close)
        (folder / "access.yaml").write_text(_ACCESS)
        audit, leaving, log = Audit("bench", clock), Outbox(store), RequestLog(store)
        credentials = StoredCredentials(store, audit, clock)
        access = make_access(
            read_access(folder / "access.yaml", ["inventory"]),
            credentials=credentials,
            sessions=StoredSessions(store, audit, clock),
            pages=LoginPages(PlantView(name=_PLANT, title=_PLANT, time_zone="UTC", enterprise="bench")),
            keys_file=folder / "keys.json",
            url=web.url,
            tls=False,
            clock=clock,
        )
        quotas = Quotas(store, clock, "bench")
        events = EventsIn(
            Intake(store, clock), EVENTS, clock, enterprise="bench", plant=_PLANT, taken=leaving.wake
        )
        gateway = make_gateway(
            [events_in_route(events)],
            access.authenticator,
            plant=_PLANT,
            policies=access.directory,
            claims=RequestClaims(store, clock),
            log=log,
            quotas=quotas,
            clock=clock,
        )
        runs = [
            asyncio.create_task(run)
            for run in (
                web.run(gateway),
                leaving.run(backbone.publisher),
                log.run(),
                quotas.run(),
                access.run(),
            )
        ]
        keep_what_is_loaded()
        key = await _key(credentials, clock)
        print(msgspec.json.encode({"url": web.url, "key": key}).decode(), flush=True)
        while await lines.readline():
            print(msgspec.json.encode(await _kept(store, backbone)).decode(), flush=True)
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


async def _key(credentials: StoredCredentials, clock: SystemClock) -> str:
    key_id, text = make_secret(CredentialKind.KEY)
    credential = Credential(
        credential_id=key_id,
        kind=CredentialKind.KEY,
        account="inventory",
        hash=stored(text),
        created_at=clock.now(),
    )
    await credentials.add(credential, by="bench")
    return text


async def _kept(store: Store, backbone: Backbone) -> dict[str, Any]:
    """Rows and messages, once nothing waits in the outbox any more.

    raises  TimeoutError when the outbox does not empty
    """

    def rows(table: Table) -> Any:
        return lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()

    async with asyncio.timeout(_DRAIN_S):
        while await store.read(rows(outbox)):  # noqa: ASYNC110 - what it waits for is in the database
            await asyncio.sleep(0.05)
    stream = await backbone.connection.api(f"STREAM.INFO.{stream_of(BALANCE_CHANGED.eventclass)}")
    return {
        "claims": await store.read(rows(request_claims)),
        "calls": await store.read(rows(api_requests)),
        "on_backbone": stream["state"]["messages"],
    }


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    sys.setswitchinterval(0.0002)  # as a node
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with asyncio.Runner(loop_factory=quick_loop()) as runner:
        runner.run(_serve())
