"""Finished instances move into the archive, whole; nothing that is open loses what it refers to."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from lineshaft.ledger.trace import trace
from lineshaft.processes.archive import Archive, Swept
from lineshaft.processes.views import shown
from lineshaft.store import Unit
from lineshaft.store.schema import (
    archived_processes,
    business_keys,
    process_actions,
    process_steps,
    process_waits,
    processes,
)
from tests.rows import rows
from tests.waiting import until

from .conftest import Build
from .plant import House, booked_event, started_by
from .steered import LOADED, WHY, actions_on, asking, household, paying

DAYS = timedelta(days=1)
NOTHING = Swept(archived=0, deleted=0)


def archive(here: House, store: Any = None) -> Archive:
    return Archive(store or here.store, here.clock, keep=90 * DAYS, keep_archived=3650 * DAYS)


async def show(here: House, ref: str) -> dict[str, Any]:
    return await here.store.read(partial(shown, ref=ref, now=here.clock.now(), loaded=LOADED))


async def live(here: House) -> list[str]:
    return sorted(row["business_key"] for row in await rows(here.store, processes))


async def settled(here: House) -> None:
    """The one `asking` comes to its end."""
    steering = actions_on(here.store, [asking], here.clock)
    await here.engine.handle(booked_event("r1-ext"))

    async def asks() -> bool:
        return any(row["kind"] == "approval" for row in await rows(here.store, process_steps))

    await until(asks)
    asked = next(row for row in await rows(here.store, processes) if row["type"] == "asking")
    await here.in_state("waiting")
    await steering.approve(asked["process_id"], approved=True, role="controller", **WHY)

    async def sleeps() -> bool:
        return any(row["kind"] == "sleep" for row in await rows(here.store, process_steps))

    await until(sleeps)
    here.pass_time(3600)


async def test_the_archive_says_what_the_live_tables_said(house: Build) -> None:
    here = house(asking)
    async with here.running():
        await here.engine.handle(started_by())
        await settled(here)
        await here.in_state("completed")
        before = await show(here, "ask/r1")
        assert await archive(here).sweep_all() == NOTHING
        here.pass_time(91 * 86400)
        assert await archive(here).sweep_all(dry_run=True) == Swept(archived=1, deleted=0)
        assert await live(here) == ["ask/r1"]
        assert await archive(here).sweep_all() == Swept(archived=1, deleted=0)
    for table in (processes, process_steps, process_waits, process_actions):
        assert await rows(here.store, table) == []
    after = await show(here, before["process_id"][:8])
    assert (after.pop("archived"), before.pop("archived")) == (True, False)
    assert (after.pop("next"), [each["action"] for each in before.pop("next")]) == ([], ["fork"])
    assert after.pop("age_s") > before.pop("age_s")
    assert after == before
    assert (await show(here, "ask/r1"))["result"] == {"text": "anna: True"}


async def test_a_key_that_is_archived_does_not_start_again(house: Build) -> None:
    here = house(paying)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("completed")
        here.pass_time(91 * 86400)
        assert (await archive(here).sweep_all()).archived == 1
        await here.engine.handle(started_by())
        await here.engine.handle(started_by("r2"))
        await here.in_state("completed")
    assert await live(here) == ["pay/r2"]
    assert here.answers.references == ["r1-1", "r1-2", "r2-1", "r2-2"]


async def test_what_an_open_instance_waits_for_stays(house: Build) -> None:
    """Parent and child end together; while the parent is held up, the child stays with it."""
    here = house(household)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 2)
        steering = actions_on(here.store, [household], here.clock)
        child = (await show(here, "ask/r1"))["process_id"]
        await steering.cancel(child, **WHY)
        await here.in_state("parked")  # its parent, as the child did not complete
        here.pass_time(91 * 86400)
        assert await archive(here).sweep_all() == NOTHING
        assert await live(here) == ["ask/r1", "house/r1"]
        await steering.cancel((await show(here, "house/r1"))["process_id"], **WHY)
        await here.in_state("cancelled", 2)
        here.pass_time(91 * 86400)
        assert await archive(here).sweep_all() == Swept(archived=2, deleted=0)
    assert [each["archived"] for each in (await show(here, "house/r1"))["children"]] == [True]


async def test_a_child_that_is_archived_is_joined_not_repeated(house: Build) -> None:
    early = house(asking)
    async with early.running():
        await early.engine.handle(started_by())
        await settled(early)
        await early.in_state("completed")
        early.pass_time(91 * 86400)
        await archive(early).sweep_all()
    here = house(household)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("completed")
    parent = await show(here, "house/r1")
    assert parent["result"] == {"text": "anna: True"}
    assert await live(here) == ["house/r1"]


async def test_the_trace_explains_an_archived_one(house: Build) -> None:
    here = house(asking)
    event = booked_event("r1-ext")
    async with here.running():
        await here.engine.handle(started_by())
        await settled(here)
        await here.in_state("completed")
    before = await here.store.read(partial(trace, key="ask/r1"))
    here.pass_time(91 * 86400)
    await archive(here).sweep_all()
    for key in ("ask/r1", "PUMP-7", event.id):
        assert (await here.store.read(partial(trace, key=key)))["stories"] == before["stories"]
    assert len(before["stories"][0]["nodes"]) == 4


async def test_documents_that_are_too_old_go_with_their_keys(house: Build) -> None:
    here = house(paying, asking)
    async with here.running():
        await here.engine.handle(started_by())
        await settled(here)
        await here.in_state("completed", 2)
        here.pass_time(91 * 86400)
        await archive(here).sweep_all()
        await here.engine.handle(started_by("r2"))
        await here.in_state("waiting")
        await here.in_state("completed")
        here.pass_time(3600 * 86400)
        assert (await archive(here).sweep_all(dry_run=True)).deleted == 2
        assert (await archive(here).sweep_all()).deleted == 2
    assert sorted(row["business_key"] for row in await rows(here.store, archived_processes)) == ["pay/r2"]
    kept = {
        row["process_id"]
        for table in (processes, archived_processes)
        for row in await rows(here.store, table)
    }
    assert {row["ref"] for row in await rows(here.store, business_keys)} == kept


async def test_many_go_in_small_batches_and_twice_is_once(house: Build) -> None:
    here = house(paying)

    class Twice:
        """A commit whose answer was lost is repeated."""

        writes = 0

        async def read(self, question: Any) -> Any:
            return await here.store.read(question)

        async def write(self, unit: Unit[Any]) -> Any:
            self.writes += 1
            first = await here.store.write(unit)
            again = await here.store.write(unit)
            assert first == again
            return again

    async with here.running():
        for number in range(60):
            await here.engine.handle(started_by(f"r{number}"))
        await here.in_state("completed", 60)
    here.pass_time(91 * 86400)
    twice = Twice()
    assert await archive(here, twice).sweep_all() == Swept(archived=60, deleted=0)
    assert twice.writes == 6
    assert await live(here) == []


async def test_one_that_is_taken_up_meanwhile_stays(house: Build) -> None:
    """Between the look and the move somebody made a copy: the row is asked again."""
    here = house(household)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 2)
        steering = actions_on(here.store, [household], here.clock)
        child = (await show(here, "ask/r1"))["process_id"]
        await steering.terminate(child, **WHY)
        await here.in_state("parked")
        parent = (await show(here, "house/r1"))["process_id"]
        await steering.terminate(parent, **WHY)
        here.pass_time(91 * 86400)

        class Between:
            async def read(self, question: Any) -> Any:
                return await here.store.read(question)

            async def write(self, unit: Unit[Any]) -> Any:
                def reopened(connection: Connection) -> None:
                    connection.execute(
                        processes.update().where(processes.c.process_id == parent).values(state="waiting")
                    )

                await here.store.write(reopened)
                return await here.store.write(unit)

        assert await archive(here, Between()).sweep_all() == NOTHING
    assert await live(here) == ["ask/r1", "house/r1"]
