"""One chaos run of S2: many machines break their limits, all is disturbed, then effects are counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from estate.chaos.checker import Fact, Held, Verdict, check
from estate.chaos.disturber import Disturber, Recovery
from estate.chaos.fleet import KIT, VALVE, Fleet, Progress, fillers, write_rules, write_tags
from estate.chaos.proxy import FaultProxy
from estate.chaos.schedule import FAULTS, KILLS, SYSTEMS, schedule
from estate.running import RunningEstate
from estate.technician import Technician
from lineshaft.app.bench.postgres import PostgresServer
from lineshaft.app.scenarios import ChaosPlan, ChaosResult
from lineshaft.core.errors import ConfigError, LineshaftError
from lineshaft.core.values import ExceptionKind
from lineshaft.store.schema import exceptions, outbox, processes

__all__ = ["ChaosRun", "checked_plan", "run_chaos"]

_DEADLINES_S = dict.fromkeys(SYSTEMS, 3.0) | {"erp": 20.0}
_PLENTY = 100_000
_ELSEWHERE = "PROJECT-9"
_STANDSTILL_S = 75.0
_SECOND_LOOK_S = 2.0
_SHOWN = 50


async def run_chaos(plan: ChaosPlan, folder: Path, say: Callable[[str], None]) -> ChaosResult:
    """raises  ConfigError for a fault, kill or database that it cannot do"""
    chosen = checked_plan(plan)
    with_server = plan.db == "postgres"
    async with AsyncExitStack() as stack:
        server = stack.enter_context(PostgresServer()) if with_server else None
        url = server.url if server else "" if plan.db == "sqlite" else plan.db
        run = await stack.enter_async_context(ChaosRun(chosen, folder, url, server, say))
        await run.disturb()
        await run.settle()
        return await run.result()


def checked_plan(plan: ChaosPlan) -> ChaosPlan:
    """With every fault and kill that applies where the plan leaves it open.

    raises  ConfigError for what cannot be done, with what can
    """
    possible = [kill for kill in KILLS if kill != "postgres" or plan.db == "postgres"]
    faults = list(FAULTS) if plan.faults is None else plan.faults
    kills = possible if plan.kills is None else plan.kills
    for wanted, known, what in ((faults, FAULTS, "fault"), (kills, possible, "kill")):
        if unknown := [each for each in wanted if each not in known]:
            raise ConfigError(
                f"with db {plan.db!r} there is no {what} {', '.join(unknown)}",
                hint=f"known: {', '.join(known)}",
            )
    if not (plan.db in {"sqlite", "postgres"} or plan.db.startswith("postgresql://")):
        raise ConfigError(f"db {plan.db!r} is not known", hint="sqlite, postgres or postgresql://…")
    return ChaosPlan(
        seconds=plan.seconds,
        seed=plan.seed,
        db=plan.db,
        instances=plan.instances,
        faults=faults,
        kills=kills,
    )


class ChaosRun:
    """`async with ChaosRun(plan, folder, store_url, server, say) as run:` then disturb, settle, result.

    plan    with its faults and kills filled in
    server  PostgreSQL that may be killed; None where there is none
    """

    def __init__(
        self,
        plan: ChaosPlan,
        folder: Path,
        store_url: str,
        server: PostgresServer | None,
        say: Callable[[str], None],
    ) -> None:
        machines = fillers(plan.instances + 1)
        write_tags(folder / "tags.csv", machines)
        write_rules(folder / "rules.yaml")
        self._plan = plan
        self._say = say
        self._server = server
        self._stack = AsyncExitStack()
        self._begun = self._lifted = self._settled = time.monotonic()
        self.recovery = Recovery()
        self.proxies: dict[str, FaultProxy] = {}
        self.estate = RunningEstate(
            folder,
            technician=Technician(delay_s=2.0, parts_arrive_after_s=0.5),
            duplicates=2,
            store_url=store_url,
            machines=machines,
            tags=str(folder / "tags.csv"),
            rules=str(folder / "rules.yaml"),
            deadlines_s=_DEADLINES_S,
            between=self._proxy,
            say=say,
        )
        self._machines = machines
        self.fleet: Fleet
        self.disturber: Disturber

    async def __aenter__(self) -> ChaosRun:
        try:
            estate = await self._stack.enter_async_context(self.estate)
            await self._stock_up()
        except BaseException:
            await self._stack.aclose()
            raise
        progress = Progress(estate.cmms, estate.inventory, estate.planning)
        chance = random.Random(f"fleet {self._plan.seed}")
        self.fleet = Fleet(
            self._machines, estate.product, progress, chance, lambda: self.recovery.heard("backbone")
        )
        self.disturber = Disturber(estate.product, self.proxies, self._server, self.recovery, self._say)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _proxy(self, name: str, url: str) -> str:
        proxy = FaultProxy(url, on_passed=lambda: self.recovery.heard(name, "any"))
        self.proxies[name] = await self._stack.enter_async_context(proxy)
        return proxy.url

    async def _stock_up(self) -> None:
        """Plenty in the books; in the inventory system all valves are promised to somebody else."""
        for material in (KIT, VALVE):
            await self.estate.books.set_stock(material, _PLENTY)
        database = self.estate.inventory.database
        database.execute("UPDATE stock SET on_hand = ?, reorder_point = 0", _PLENTY)
        facility = database.rows("SELECT facility, uom FROM stock WHERE sku = ?", VALVE)[0]
        promised = {"allocation_id": "AL-1", "sku": VALVE, "qty": 10 * _PLENTY, "status": "ALLOCATED"}
        database.insert("allocations", {**promised, **facility, "demand_ref": _ELSEWHERE})

    async def disturb(self) -> None:
        plan = self._plan
        planned = schedule(plan.seed, plan.seconds, plan.faults or [], plan.kills or [])
        self._say(f"{plan.instances} machines, {len(planned)} disturbances in {plan.seconds:g} s")
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self.disturber.keep_up())
            telling = tasks.create_task(self.fleet.run(plan.seconds))
            await self.disturber.run(planned)
            self._lifted = time.monotonic()
            await telling
            keeping.cancel()
        self._say(f"{len(self.fleet.asked)} facts are told, every fault is lifted")

    async def settle(self) -> None:
        """Until nothing is under way any more, or nothing has moved for longer than any retry pauses."""
        seen: object = None
        still_since = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self.disturber.keep_up())
            while time.monotonic() - still_since < _STANDSTILL_S:
                counts = await self._under_way()
                if counts is not None and not counts["under way"]:
                    break
                if (moved := (counts, self._effects_here())) != seen:
                    seen, still_since = moved, time.monotonic()
                    self._say(f"settling: {counts}")
                await asyncio.sleep(0.5)
            self._settled = time.monotonic()
            await asyncio.sleep(_SECOND_LOOK_S)  # time for a second effect to show, should there be one
            keeping.cancel()

    def _effects_here(self) -> list[dict[str, int]]:
        estate = self.estate
        return [each.effect_counts() for each in (estate.cmms, estate.inventory, estate.planning)]

    async def _under_way(self) -> dict[str, int] | None:
        """Instances by state, and what is under way; None while the database does not answer."""

        def question(connection: Connection) -> dict[str, int]:
            states = select(processes.c.state, func.count()).group_by(processes.c.state)
            found = {str(state): int(count) for state, count in connection.execute(states)}
            waiting = connection.execute(select(func.count()).select_from(outbox)).scalar_one()
            return found | {"outbox": waiting}

        try:
            counts = await self.estate.store.read(question)
        except LineshaftError:
            return None
        settled = counts.get("completed", 0) + counts.get("parked", 0)
        webhooks = 0 if self.estate.cmms.webhooks.idle.is_set() else 1
        left = max(0, len(self.fleet.asked) - settled) + counts["outbox"] + webhooks
        return counts | {"under way": left}

    async def held(self) -> Held:
        """What is in the target systems now, asked of them and not of the product."""
        estate, books = self.estate, self.estate.books
        cmms, inventory = estate.cmms.effect_rows(), estate.inventory.effect_rows()
        stock = estate.inventory.database.rows("SELECT sku, on_hand FROM stock")
        return Held(
            requests=cmms["work_requests"],
            orders=cmms["work_orders"],
            notes=cmms["notes"],
            task_updates=cmms["task_updates"],
            completions=cmms["completions"],
            allocations=[row for row in inventory["allocations"] if row["demand_ref"] != _ELSEWHERE],
            picks=inventory["picks"],
            ledger_updates=inventory["ledger_updates"],
            notices=estate.planning.effect_rows()["capacity_notices"],
            requisitions=await books.requisitions(),
            consumptions=await books.consumptions(),
            labour_costs=await books.labour_costs(),
            mirrored={row["sku"]: Decimal(str(row["on_hand"])) for row in stock},
            booked={each: Decimal(str(await books.stock_on_hand(each))) for each in (KIT, VALVE)},
        )

    async def result(self) -> ChaosResult:
        rows = await self.estate.store.read(_instances)
        parked = [_fact(row["business_key"]) for row in rows if row["state"] == "parked"]
        verdict = check(self.fleet.asked, await self.held(), parked)
        unsettled = sum(row["state"] not in {"parked", "completed"} for row in rows)
        causes = await self.estate.store.read(_causes)
        refused = {kind for kind, _ in causes} <= {ExceptionKind.BUSINESS_FAULT}
        ended = self.disturber.done["ended by itself"]
        plan, now = self._plan, time.monotonic()
        return ChaosResult(
            scenario="S2",
            seed=plan.seed,
            seconds=plan.seconds,
            db=plan.db.split("://", 1)[0],
            facts=len(self.fleet.asked),
            asked=verdict.asked,
            posted=verdict.posted,
            lost=len(verdict.lost),
            duplicated=len(verdict.duplicated),
            parked=len(verdict.parked),
            unsettled=unsettled,
            passed=verdict.once and refused and not (unsettled or ended) and verdict.posted > 0,
            effects=dict(verdict.by_effect),
            findings=_findings(verdict) + ([f"the product ended by itself {ended} times"] if ended else []),
            causes={f"{kind}: {cause}": count for (kind, cause), count in causes.items()},
            disturbances=dict(sorted(self.disturber.done.items())),
            requests_hit=_hits(self.proxies.values()),
            duration_s=round(now - self._begun, 1),
            settled_s=round(self._settled - self._lifted, 1),
            facts_per_s=round(len(self.fleet.asked) / max(self._settled - self._begun, 0.1), 2),
            recovery_s={what: _quantiles(times) for what, times in sorted(self.recovery.seconds.items())},
            data=str(self.estate.folder),
        )


def _instances(connection: Connection) -> list[dict[str, Any]]:
    found = connection.execute(select(processes.c.business_key, processes.c.state, processes.c.cause))
    return [dict(row._mapping) for row in found]


def _causes(connection: Connection) -> dict[tuple[str, str], int]:
    """What a person is asked to look at: kind and cause, shortened to what it has in common."""
    found: Counter[tuple[str, str]] = Counter()
    asked = select(exceptions.c.kind, exceptions.c.cause, exceptions.c.count)
    for kind, cause, count in connection.execute(asked):
        found[str(kind), str(cause)[:200]] += int(count)
    return dict(found.most_common(_SHOWN))


def _fact(business_key: str) -> Fact:
    """The key of an instance: asset, rule and start of the episode."""
    asset, _, start = business_key.split("/")
    return Fact(asset, datetime.fromisoformat(start))


def _findings(verdict: Verdict) -> list[str]:
    kinds = (("lost", verdict.lost), ("duplicated", verdict.duplicated), ("parked", verdict.parked))
    return [f"{kind}: {each}" for kind, effects in kinds for each in effects][:_SHOWN]


def _hits(proxies: Iterable[FaultProxy]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for proxy in proxies:
        total.update({str(kind): count for kind, count in proxy.hits.items()})
    return dict(sorted(total.items()))


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99))
    return {"p50": round(p50, 2), "p99": round(p99, 2), "count": len(ordered)}
