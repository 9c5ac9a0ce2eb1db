"""The console's exception screens and their API, on a real store, as three people ask for them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.app.console_part import console_part
from lineshaft.app.exceptions_api import exception_routes
from lineshaft.app.node_routes import trace_route
from lineshaft.app.pages import page_routes
from lineshaft.console import Changes
from lineshaft.core.access import ALL, Caller
from lineshaft.core.exceptions import Chosen
from lineshaft.core.values import ExceptionRecord
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.policies import Policies
from lineshaft.ledger import Reads
from lineshaft.store import Store
from tests.console.factory import PLANT, systems, values
from tests.gateway.asking import Accounts, Reply, ask
from tests.ledger.exceptions_at_work import Bench, parked

__all__ = ["Tower", "refused"]

PEOPLE = {"anna": "Anna Berg", "ben": ""}
READS = frozenset({"read:console", "read:exceptions"})
DECIDES = READS | {"decide:exceptions", "read:trace", "read:contracts", "read:audit"}


class Tower:
    """For anna, who decides at NSP; ben, who only looks, at NSP and LYON; and chief, who sees all."""

    def __init__(self, store: Store, policies: Policies | None = None) -> None:
        self.bench = Bench(store)
        pages = console_part(
            store,
            msgspec.structs.replace(PLANT, name="NSP"),
            systems,
            values,
            Changes(),
            None,
            self.bench.clock,
            workbench=self.bench.work,
            people=lambda: PEOPLE,
        )
        self.pages = {page.name: page for page in pages}
        zone = ZoneInfo(PLANT.time_zone)
        routes = [
            *page_routes(pages),
            *exception_routes(self.bench.work, lambda: PEOPLE, zone=zone),
            trace_route(Reads(store)),
        ]
        callers = [
            Caller(name="user:anna", account="anna", permissions=DECIDES, plants=frozenset({"NSP"})),
            Caller(name="user:ben", account="ben", permissions=READS, plants=frozenset({"LYON", "NSP"})),
            Caller(name="user:chief", account="chief", permissions=DECIDES, plants=frozenset({ALL})),
        ]
        self._gateway = make_gateway(routes, Accounts(*callers), plant="NSP", policies=policies)

    async def reply(self, target: str, who: str = "anna", body: Mapping[str, Any] | None = None) -> Reply:
        key = {"Authorization": f"Bearer {who}"}
        return await ask(self._gateway, "GET" if body is None else "POST", target, body, key)

    async def page(self, target: str = "/exceptions", who: str = "anna") -> str:
        answer = await self.reply(target, who)
        assert answer.status == 200, answer.body
        return html.unescape(answer.body.decode())

    async def report(self, *records: ExceptionRecord) -> list[str]:
        await self.bench.desk.report(records)
        return [row["exception_id"] for row in await self.bench.work.listing(Chosen(state=""), 1000)]


def refused(number: int, **changes: Any) -> ExceptionRecord:
    facts = {"source": f"process repair PUMP-{number}", "cause": f"unknown material M-{number}"}
    return parked(f"p{number}", **facts | changes)
