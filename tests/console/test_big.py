"""With 10,000 processes, 1 M events and 200 plants every page comes in less than 300 ms.

What proves it on any machine is the work that a page asks of the database: no plan walks through a large
table, and the steps of all statements of a page stay below what 300 ms allow. The time itself is told, and
held against the limit with patience for machines that have other things to do.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from filelock import FileLock

from lineshaft.app.console_part import console_part
from lineshaft.app.console_processes import ConsoleProcesses
from lineshaft.app.pages import page_routes
from lineshaft.app.service_levels import levels_of
from lineshaft.app.settings import Settings
from lineshaft.app.steering import make_steering
from lineshaft.console import Changes, PlantView
from lineshaft.core.access import ALL, Caller
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.insight.kpis import KpiReads
from lineshaft.ledger import Audit
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.ledger.registry import ContractBook
from lineshaft.processes import SHIPPED
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.console.at_work import AtWork, pauses_of
from tests.console.big import NOW, build_big
from tests.console.factory import systems, values
from tests.console.watched import Asked, Watch, full_scans
from tests.gateway.asking import Accounts, Reply, ask
from tests.ledger.exceptions_at_work import Bench

pytestmark = pytest.mark.timeout(900)  # the first one builds the database, and others may wait for it

LIMIT_MS = 300
_STEPS = 500_000
"""Of SQLite's virtual machine, of which it does some ten million a second and core."""
_DEEP = 12
_ROUNDS = 3
"""In which a page may show that it comes at once: in any one of them, this machine may have paused."""
BIG = frozenset(
    ("events", "business_keys", "calls", "processes", "process_steps", "exceptions", "audit", "activity")
) | {"asset_events"}
_PROCESS = "00000000-0000-4000-8000-000000004000"
_EXCEPTION = "10000000-0000-4000-8000-000000010000"
PAGES = (
    "/",
    "/?over=24h",
    "/?over=7d",
    "/?q=plant-1",
    "/?plant=plant-007",
    "/late?call=erp.post_consumption",
    "/late?event=production.count.aggregated.v1",
    "/trace",
    "/trace?key=PO-110100",
    "/trace?key=ASSET-001-01",
    "/keys?key=PO-11",
    "/processes",
    *(f"/processes?state={state}" for state in ("open", "finished", "parked", "waiting", "aborted")),
    "/processes?type=held_lot",
    "/processes?type=held_lot&state=parked&plant=plant-007",
    "/processes?owner=finance",
    "/processes?key=ASSET-001",
    "/processes?key=nothing",
    "/processes?waiting_for=maintenance.order.completed.v1",
    "/processes?plant=plant-007",
    "/processes?since=2026-11-12&until=2026-11-13",
    "/processes?late=yes",
    f"/process?id={_PROCESS}",
    "/exceptions",
    "/exceptions?view=rows",
    *(f"/exceptions?state={state}" for state in ("all", "resolved", "discarded")),
    "/exceptions?owner=finance",
    "/exceptions?plant=plant-007",
    "/exceptions?kind=unknown_tag&view=rows",
    "/exceptions?source=erp.post_consumption",
    "/exceptions?assignee=me",
    "/exceptions?cause=unknown+material&view=rows",
    "/exceptions?state=all&cause=nothing+like+it",
    *(f"/exceptions?state=resolved&{text}" for text in ("cause=nothing", "source=nothing", "owner=nobody")),
    "/exceptions?since=2026-11-12&until=2026-11-13&state=all",
    f"/exception?id={_EXCEPTION}",
    "/plants",
    "/plants?only=trouble",
    "/plants?q=ASSET-007",
    "/plants?plant=plant-007",
    "/asset?id=ASSET-001-01",
    "/asset?id=ASSET-001-01&span=week",
    "/systems",
    "/system?name=tryton",
    "/authority",
    "/catalogue",
    "/catalogue?contract=production.count.aggregated.v1",
    "/audit",
    "/audit?actor=jo",
    "/audit?action=process.retry",
    "/audit?action=exception.*",
    "/audit?actor=nobody",
    "/audit?subject=exception:4001",
    "/audit?from=2026-11-12&to=2026-11-13",
    "/kpis?kpi=oee",  # last: figures that take long are computed beside the pages
    "/kpis?plant=plant-007",
    "/kpis",
    "/kpis?period=30d",
)
PAGED = (
    "/processes",
    "/exceptions?view=rows",
    "/exceptions?state=all",
    "/exceptions?state=resolved&cause=M-19",
    "/audit",
    "/audit?actor=jo",
    "/plants",
)
_PLANT = PlantView(name="plant-001", title="Plant 001", enterprise="Group", time_zone="Europe/Berlin")


class BigConsole:
    """Asked by one who sees every plant, or by one who sees two of them. file: of a database that is one."""

    def __init__(self, store: Store, file: Path = Path()) -> None:
        clock = ManualClock(NOW)
        audit = Audit("node", clock)
        settings = Settings(enterprise="group", plant="plant-001", time_zone="Europe/Berlin")
        definitions = SHIPPED["corrective_maintenance"]
        levels = levels_of(settings, definitions)
        steering = make_steering(store, definitions, audit, clock, zone=ZoneInfo("Europe/Berlin"))
        pages = console_part(
            store,
            _PLANT,
            systems,
            values,
            Changes(),
            ContractBook(store, audit, clock),
            clock,
            levels=levels,
            processes=ConsoleProcesses(steering, levels.processes),
            kpis=KpiReads(store, levels, clock, zone=settings.zone, site="plant-001"),
            workbench=Bench(store).work,
            work=AtWork(store, pauses_of(store, clock), clock),
            verifier=Verifier(store, audit, clock),
        )
        reads = frozenset({"read:*"})
        self._gateway = make_gateway(
            page_routes(pages),
            Accounts(
                Caller(name="user:all", account="all", permissions=reads, plants=frozenset({ALL})),
                Caller(
                    name="user:some",
                    account="some",
                    permissions=reads,
                    plants=frozenset({"plant-001", "plant-007"}),
                ),
            ),
            plant="plant-001",
        )
        self.file = file
        self.watch = Watch(store)

    async def get(self, target: str, who: str) -> Reply:
        answer = await ask(self._gateway, "GET", target, headers={"Authorization": f"Bearer {who}"})
        assert answer.status == 200, f"{target}: {answer.status} {answer.body[:300]!r}"
        return answer


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Path]:
    """Built by the worker that needs it first, and gone with the last: it is large."""
    folder, worker = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        folder = folder.parent
    file, user = folder / "big.db", folder / f"big.{worker}.user"
    with FileLock(folder / "big.lock"):
        user.touch()
        if not file.exists():
            draft = file.with_suffix(".draft")
            build_big(migrated_sqlite, draft)
            draft.rename(file)
    yield file
    with FileLock(folder / "big.lock"):
        user.unlink()
        if not [*folder.glob("big.*.user")]:
            for left in folder.glob("big.db*"):
                left.unlink()


@pytest_asyncio.fixture
async def console(big_file: Path) -> AsyncIterator[BigConsole]:
    store = Store.open(f"sqlite:///{big_file}")
    yield BigConsole(store, big_file)
    await store.close()


@pytest.mark.parametrize("who", ["all", "some"])
async def test_every_page_asks_little_and_comes_at_once(who: str, console: BigConsole) -> None:
    found, wrong = [], []
    for target in PAGES:
        await _look(target, who, console, found, wrong)
    print("\n".join(found))
    assert not wrong, "\n".join(wrong)


async def test_a_page_deep_in_a_list_is_as_quick_as_the_first(console: BigConsole) -> None:
    found: list[str] = []
    wrong: list[str] = []
    for first in PAGED:
        target = first
        for _ in range(_DEEP):
            body = (await console.get(target, "all")).body.decode()
            following = re.search(r'<a href="([^"]+)" rel="next"', body)
            if following is None:
                break
            target = f"/{html.unescape(following[1]).removeprefix('./')}"
        assert "after=" in target, f"{first} has no second page"
        await _look(target, "all", console, found, wrong)
    print("\n".join(found))
    assert not wrong, "\n".join(wrong)


def test_the_watch_finds_what_walks_through_a_table(big_file: Path) -> None:
    """The checker is checked."""
    plans = {
        "SELECT count(*) FROM events AS e WHERE e.data = ?": True,
        "SELECT count(*) FROM events WHERE recorded_at > ?": False,
        "SELECT * FROM events ORDER BY recorded_at DESC LIMIT ?": False,
        "SELECT * FROM events ORDER BY data LIMIT ?": True,
        "SELECT count(*) FROM processes WHERE finished_at = '' AND cause = ?": False,
    }
    for statement, is_bad in plans.items():
        assert bool(full_scans(big_file, Asked(statement, ("1",)), BIG)) is is_bad, statement


async def _look(target: str, who: str, console: BigConsole, found: list[str], wrong: list[str]) -> None:
    """Ask for a page until its median is known; what it costs, and what is wrong with that."""
    with console.watch.during():
        await console.get(target, who)
        asked, steps = list(console.watch.asked), console.watch.steps
    for _ in range(_ROUNDS):
        times = []
        for _ in range(3 if who == "all" else 1):
            started = time.perf_counter()
            await console.get(target, who)
            times.append((time.perf_counter() - started) * 1000)
        took = median(times)
        patience = 1 + os.getloadavg()[0] / (os.cpu_count() or 1)
        if took <= LIMIT_MS * patience:
            break
    found.append(f"{took:7.1f} ms {steps // 1000:7d} k steps {len(asked):4d} statements  {who} {target}")
    if steps > _STEPS:
        wrong.append(f"{target} for {who}: {steps} steps of the database")
    if took > LIMIT_MS * patience:
        wrong.append(f"{target} for {who}: {took:.0f} ms")
    for each in {one.statement: one for one in asked}.values():
        if scans := await asyncio.to_thread(full_scans, console.file, each, BIG):
            wrong.append(f"{target} for {who}: {'; '.join(scans)} in\n{each.statement}\n{each.parameters}")
