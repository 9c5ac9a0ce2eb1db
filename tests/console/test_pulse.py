"""What browsers are told: the shared loop and the stream of changes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest

from lineshaft.console.changes import VALUES, Changes
from lineshaft.console.pulse import Pulse
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import TransientFault
from lineshaft.core.ids import new_id
from lineshaft.core.values import ExceptionKind, ExceptionRecord
from lineshaft.ledger import Audit, AuditEntry, Desk
from lineshaft.ledger.pulse import pulse
from lineshaft.store import Store
from tests.console.conftest import Console
from tests.console.factory import Factory

TOPICS = {"events", "calls", "processes", "exceptions", "audit"}


class Stream:
    """What EventSource does, without the browser."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.last_id = ""

    async def next(self) -> tuple[str, dict[str, Any]]:
        name, data = "", b""
        async with asyncio.timeout(60):
            while line := await self.answer.content.readline():
                field, _, value = line.rstrip(b"\n").partition(b": ")
                if field == b"event":
                    name = value.decode()
                elif field == b"data":
                    data = value
                elif field == b"id":
                    self.last_id = value.decode()
                elif not field and name:
                    return name, msgspec.json.decode(data)
        raise EOFError

    async def topics(self) -> set[str]:
        while True:
            name, data = await self.next()
            if name == "touched":
                return set(data["topics"])


@asynccontextmanager
async def watching(console: Console, since: str = "") -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": since} if since else {}
    async with console.http.get("/events-stream", headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        yield Stream(answer)


async def test_its_head_alone_begins_nothing(console: Console) -> None:
    async with console.http.head("/events-stream") as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")


async def test_a_write_reaches_the_browser_as_the_topics_that_changed(console: Console, store: Store) -> None:
    async with watching(console) as stream:
        assert (await stream.next())[0] == "beat"
        assert await stream.topics() == TOPICS
        await Factory(store, datetime.now(UTC)).breach(asset="PALLETISER-03")
        console.changes.ring()
        assert "events" in await stream.topics()


async def test_without_a_bell_a_write_of_another_process_comes_by_itself(
    console: Console, store: Store
) -> None:
    async with watching(console) as stream:
        await stream.topics()
        await Factory(store, datetime.now(UTC)).breach(asset="PALLETISER-03")
        assert "events" in await stream.topics()


async def test_what_only_memory_knows_comes_by_the_bell(console: Console) -> None:
    async with watching(console) as stream:
        await stream.topics()
        console.changes.ring(VALUES)
        assert await stream.topics() == {"values"}


async def test_a_browser_that_comes_back_is_told_only_what_it_missed(console: Console) -> None:
    async with watching(console) as stream:
        await stream.topics()
        seen = stream.last_id
        console.changes.ring(VALUES)
        await stream.topics()
    async with watching(console, since=seen) as stream:
        assert await stream.topics() == {"values"}
    async with watching(console, since="another-1") as stream:
        assert await stream.topics() == TOPICS | {"values"}


async def test_browsers_are_told_at_most_twice_a_second(console: Console) -> None:
    async def ring_on() -> None:
        for _ in itertools.count():
            console.changes.ring(VALUES)
            await asyncio.sleep(0.01)

    loop = asyncio.get_running_loop()
    began = loop.time()  # before the first, which may be read late
    async with watching(console) as stream:
        ringing = asyncio.create_task(ring_on())
        for _ in range(3):
            await stream.topics()
        took = loop.time() - began
        ringing.cancel()
    assert took >= 0.9


async def test_many_browsers_share_one_loop_which_rests_when_they_are_gone() -> None:
    looks = asyncio.Semaphore(0)

    async def marks() -> Mapping[str, str]:
        looks.release()
        return {"calls": "1"}

    watched = Pulse(marks, Changes(), SystemClock(), pause_s=0.01, poll_s=0.02)
    async with watched.attend(), watched.attend():
        assert watched.watchers == 2
        for _ in range(3):
            await looks.acquire()
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("console-pulse") == 1
    assert watched.rests
    while not looks.locked():
        await looks.acquire()
    await asyncio.sleep(0.1)
    assert looks.locked()


async def test_closing_ends_the_streams(console: Console) -> None:
    async with watching(console) as stream:
        await stream.topics()
        console.changes.close()
        with pytest.raises(EOFError):
            await stream.topics()


async def test_a_ledger_that_goes_away_or_comes_back_touches_everything() -> None:
    fault: list[TransientFault] = []
    changes = Changes()

    async def marks() -> Mapping[str, str]:
        if fault:
            raise fault[0]
        return {"calls": "1", "events": "7"}

    watched = Pulse(marks, changes, SystemClock(), pause_s=0.01, poll_s=0.02)
    async with watched.attend():
        first = await watched.after("", 60)
        fault.append(TransientFault("the database does not answer"))
        away = await watched.after(first.version, 60)
        fault.clear()
        back = await watched.after(away.version, 60)
    assert first.topics == away.topics == back.topics == {"calls", "events"}


async def test_a_loop_that_breaks_lets_its_watchers_go_and_the_next_one_starts_it_again() -> None:
    broken = False

    async def marks() -> Mapping[str, str]:
        if broken:
            raise ValueError("a bug")
        return {"calls": "1"}

    watched = Pulse(marks, Changes(), SystemClock(), pause_s=0.02, poll_s=0.03)
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(str(context.get("exception")))
    )
    async with watched.attend():
        touched = await watched.after("", 60)
        broken = True
        await watched.after(touched.version, 60)
        assert watched.rests
    broken = False
    async with watched.attend():
        await asyncio.sleep(0.05)
        assert not watched.rests
    assert watched.rests
    assert watched.watchers == 0


async def test_the_bell_rung_between_two_waits_is_heard() -> None:
    changes = Changes()
    loop = asyncio.get_running_loop()
    changes.ring("calls")
    changes.ring("values")
    async with asyncio.timeout(60):
        assert await changes.wait(3600) == {"calls", "values"}
    began = loop.time()
    assert await changes.wait(0.02) == frozenset()
    assert loop.time() - began >= 0.02


async def test_each_kind_of_change_has_its_mark(store: Store) -> None:
    clock = SystemClock()
    factory = Factory(store, datetime.now(UTC))

    async def told(work: Any) -> set[str]:
        before = await pulse(store)
        await work
        after = await pulse(store)
        return {topic for topic in after if before[topic] != after[topic]}

    wrong = ExceptionRecord(
        kind=ExceptionKind.MALFORMED_READING,
        plant="hamburg",
        source="line 4",
        owner="plant-engineering",
        cause="no number",
        payload=b"x",
    )
    entry = AuditEntry(entry_id=new_id(), actor="jo", action="process.retried", subject="p", reason="mended")
    assert "events" in await told(factory.breach(asset="PALLETISER-03"))
    assert "exceptions" in await told(Desk(store, clock).report([wrong]))
    assert "audit" in await told(
        store.write(lambda connection: Audit("node", clock).append(connection, [entry]))
    )
