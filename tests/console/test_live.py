"""The shared loop and the event stream."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest

from lineshaft.console.board import Board
from lineshaft.console.changes import Changes
from lineshaft.core.clock import SystemClock
from lineshaft.store import Store
from tests.console.conftest import Console
from tests.console.factory import Factory
from tests.waiting import until


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

    async def panels(self) -> dict[str, str]:
        while True:
            name, data = await self.next()
            if name == "panels":
                found: dict[str, str] = data["panels"]
                return found


@asynccontextmanager
async def watching(console: Console, since: str = "") -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": since} if since else {}
    async with console.http.get("/events-stream", headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        yield Stream(answer)


async def test_a_write_reaches_the_browser_as_the_panels_that_changed(console: Console, store: Store) -> None:
    async with watching(console) as stream:
        assert (await stream.next())[0] == "beat"
        assert "systems" in await stream.panels()
        await Factory(store, datetime.now(UTC)).breach(asset="PALLETISER-03")
        console.changes.ring()
        panels = await stream.panels()
        while not panels.keys() >= {"events", "numbers"}:  # the page may be taken in the middle of the write
            panels |= await stream.panels()
    assert set(panels) == {"events", "numbers"}
    assert "threshold_<wbr>exceeded" in panels["events"]


async def test_without_a_bell_a_write_of_another_process_comes_by_itself(
    console: Console, store: Store
) -> None:
    async with watching(console) as stream:
        await stream.panels()
        await Factory(store, datetime.now(UTC)).breach(asset="PALLETISER-03")
        assert "events" in await stream.panels()


async def test_a_browser_that_comes_back_gets_only_what_it_missed(console: Console, store: Store) -> None:
    async with watching(console) as stream:
        everything = await stream.panels()
        seen = stream.last_id
    await Factory(store, datetime.now(UTC)).breach(asset="PALLETISER-03")
    async with watching(console, since=seen) as stream:
        assert set(await stream.panels()) == {"events", "numbers"}
    async with watching(console, since="another-1") as stream:
        assert set(await stream.panels()) == set(everything)


async def test_pushes_come_at_most_twice_a_second(console: Console, store: Store) -> None:
    async def write_on() -> None:
        factory = Factory(store, datetime.now(UTC))
        for number in itertools.count():
            await factory.breach(number)
            console.changes.ring()

    async with watching(console) as stream:
        await stream.panels()
        writing = asyncio.create_task(write_on())
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(2):
            await stream.panels()
        took = loop.time() - began
        writing.cancel()
    assert took >= 0.9


async def test_many_browsers_share_one_loop_which_rests_when_they_are_gone(console: Console) -> None:
    async with watching(console) as first:
        await first.panels()
        async with watching(console) as second, watching(console) as third:
            await second.panels()
            await third.panels()
            loop, before = asyncio.get_running_loop(), console.reads.asked
            began = loop.time()
            await until(lambda: console.reads.asked >= before + 2)
            assert loop.time() - began >= 0.4  # a pause between the two
    await until(lambda: "console-snapshots" not in {task.get_name() for task in asyncio.all_tasks()})
    before = console.reads.asked
    console.changes.ring()
    await asyncio.sleep(0.8)
    assert console.reads.asked == before


async def test_closing_ends_the_streams(console: Console) -> None:
    async with watching(console) as stream:
        await stream.panels()
        console.changes.close()
        with pytest.raises(EOFError):
            await stream.panels()


async def test_a_loop_that_breaks_lets_its_watchers_go_and_the_next_one_starts_it_again() -> None:
    broken = False

    async def take() -> dict[str, str]:
        if broken:
            raise ValueError("a bug in a template")
        return {"calls": "<p>1</p>"}

    changes = Changes()
    board = Board(take, changes, SystemClock(), pause_s=0.02, poll_s=0.03)
    failures: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(str(context.get("exception")))
    )
    async with board.attend():
        showing = await board.after("", 60)
        assert showing.panels == {"calls": "<p>1</p>"}
        broken = True
        await board.after(showing.version, 60)
        assert board.rests
    broken = False
    async with board.attend():
        await asyncio.sleep(0.05)
        assert not board.rests
    assert board.rests
    assert board.watchers == 0


async def test_the_bell_rung_between_two_waits_is_heard() -> None:
    changes = Changes()
    loop = asyncio.get_running_loop()
    changes.ring()
    async with asyncio.timeout(60):
        await changes.wait(3600)
    began = loop.time()
    await changes.wait(0.02)
    assert loop.time() - began >= 0.02
