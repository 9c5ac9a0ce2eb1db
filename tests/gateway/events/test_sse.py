"""Events out, server-sent, over a real server: resumed without a gap, and nobody held up by slow readers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
import pytest

from lineshaft.contracts.catalogue import COUNT_ACCEPTED, EVENTS, READINGS_AGGREGATED, STATE_CHANGED
from lineshaft.core.access import Caller, Refused
from lineshaft.core.ports import StreamPosition
from lineshaft.core.subscriptions import FedEvent
from lineshaft.core.values import Event
from lineshaft.gateway.events.sse import EventsOut, events_out_route
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.policies import AccountPolicy, FieldRules
from tests.gateway.events.telling import HISTORIAN, threshold_event
from tests.gateway.server import serving
from tests.waiting import PATIENCE_S, until

STREAM, MADE = "LS_OPERATIONAL", "2026-03-01"


class Feed:
    """One stream in memory. oldest_at: what was before is gone."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.changed = asyncio.Condition()
        self.oldest_at = 0
        self.made = MADE
        self.readers = 0

    async def newest(self) -> dict[str, StreamPosition]:
        return {STREAM: StreamPosition(len(self.events), self.made)}

    async def oldest(self) -> dict[str, StreamPosition]:
        return {STREAM: StreamPosition(self.oldest_at, self.made)}

    @asynccontextmanager
    async def follow(
        self,
        after: Mapping[str, StreamPosition],
        *,
        types: Collection[str] = (),
        since: datetime | None = None,
    ) -> AsyncIterator[AsyncIterator[Sequence[FedEvent]]]:
        self.readers += 1
        try:
            yield self._batches(after[STREAM].sequence)
        finally:
            self.readers -= 1

    async def _batches(self, at: int) -> AsyncIterator[Sequence[FedEvent]]:
        while True:
            async with self.changed:
                await self.changed.wait_for(lambda seen=at: len(self.events) > seen)
            batch = list(enumerate(self.events, 1))[at : at + 100]
            at += len(batch)
            yield [FedEvent(STREAM, StreamPosition(number, self.made), event) for number, event in batch]

    async def tell(self, *events: Event) -> None:
        async with self.changed:
            self.events += events
            self.changed.notify_all()


class Reader:
    """The messages of one stream as a browser reads them: (id, event, data)."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.comments = 0

    async def messages(self, count: int) -> list[tuple[str, str, Any]]:
        found: list[tuple[str, str, Any]] = []
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.answer.content:
                text = line.decode().rstrip("\n")
                if text.startswith(":"):
                    self.comments += 1
                elif text:
                    name, _, value = text.partition(": ")
                    fields[name] = value
                elif fields:
                    data = msgspec.json.decode(fields["data"]) if "data" in fields else None
                    found.append((fields.get("id", ""), fields.get("event", ""), data))
                    fields = {}
                    if len(found) == count:
                        break
        return found


class Accounts:
    """Who asks with `Bearer <name>`; nobody for what is not there any more."""

    def __init__(self) -> None:
        self.known = {"historian": HISTORIAN}

    async def caller(self, authorization: str, cookie: str) -> Caller:
        name = authorization.removeprefix("Bearer ")
        if name not in self.known:
            raise Refused("this key is revoked")
        return self.known[name]

    def policy(self, account: str) -> AccountPolicy:
        return POLICY


POLICY = AccountPolicy(fields={"read_events": FieldRules(deny=["data.limit"], mask={"subject": "last4"})})


class Served:
    def __init__(self, **more: Any) -> None:
        self.feed = Feed()
        self.accounts = Accounts()
        self.events = EventsOut(
            self.feed,
            EVENTS,
            lambda asked: self.accounts.caller(asked.headers.get("authorization", ""), ""),
            **{"heartbeat_s": 0.05, "patience_s": PATIENCE_S} | more,
        )
        self.app = make_gateway(
            [events_out_route(self.events)], self.accounts, plant="leipzig", policies=self.accounts
        )
        self.url = ""

    @asynccontextmanager
    async def reading(self, query: str = "", **headers: str) -> AsyncIterator[Reader]:
        sent = {"Authorization": "Bearer historian"} | {k.replace("_", "-"): v for k, v in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/events{query}", headers=sent) as answer,
        ):
            yield Reader(answer)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    async with serving(made.app) as made.url:
        yield made


async def test_from_now_on_and_then_from_where_it_stopped(served: Served) -> None:
    await served.feed.tell(threshold_event(0))
    async with served.reading() as reader:
        assert reader.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        ((begin, _, nothing),) = await reader.messages(1)
        assert nothing is None
        await served.feed.tell(threshold_event(1), threshold_event(2))
        (first_id, kind, first), _ = await reader.messages(2)
    assert kind == threshold_event().type
    assert (first["id"], first["type"]) == (threshold_event(1).id, f"lineshaft.{kind}")
    await served.feed.tell(threshold_event(3))
    for last, expected in ((first_id, [2, 3]), (begin, [1, 2, 3])):
        async with served.reading(Last_Event_ID=last) as reader:
            told = await reader.messages(len(expected) + 1)
            assert [data["id"] for _, _, data in told[1:]] == [threshold_event(each).id for each in expected]
    async with served.reading(f"?last_event_id={first_id}") as reader:
        assert len(await reader.messages(3)) == 3


async def test_its_head_alone_begins_nothing(served: Served) -> None:
    sent = {"Authorization": "Bearer historian"}
    async with (
        aiohttp.ClientSession() as session,
        session.head(f"{served.url}/api/v1/events", headers=sent) as answer,
    ):
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert not served.events._open
    assert served.feed.readers == 0


async def test_only_what_was_asked_for_and_may_be_seen(served: Served) -> None:
    async with served.reading(f"?type={threshold_event().type}&subject=FILLER-2") as reader:
        await reader.messages(1)
        await served.feed.tell(
            threshold_event(1, type=STATE_CHANGED.type),
            threshold_event(2, subject="FILLER-3"),
            threshold_event(3, plant="dresden"),
            threshold_event(4),
        )
        ((_, _, data),) = await reader.messages(1)
    assert data["id"] == threshold_event(4).id
    assert "limit" not in data["data"]
    assert data["subject"] == "***ER-2"


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("?type=no.such.thing.v1", {}, 422, "contract_violation"),
        (f"?type={READINGS_AGGREGATED.type}", {}, 422, "contract_violation"),
        (f"?type={COUNT_ACCEPTED.type}", {}, 403, "not_permitted"),
        ("", {"Authorization": "Bearer nobody"}, 401, "not_authenticated"),
        ("", {"Last_Event_ID": "none of ours"}, 422, "contract_violation"),
        ("?colour=red", {}, 422, "contract_violation"),
        (f"?type={','.join([COUNT_ACCEPTED.type] * 201)}", {}, 422, "contract_violation"),
    ],
)
async def test_refused(served: Served, query: str, headers: dict[str, str], status: int, code: str) -> None:
    async with served.reading(query, **headers) as reader:
        assert (reader.answer.status, (await reader.answer.json(content_type=None))["code"]) == (status, code)
    assert served.feed.readers == 0


async def test_what_is_forgotten_is_told_not_skipped(served: Served) -> None:
    await served.feed.tell(*(threshold_event(each) for each in range(5)))
    async with served.reading() as reader:
        ((last, _, _),) = await reader.messages(1)
    for change in ({"oldest_at": 6}, {"made": "2027-01-01", "oldest_at": 0}, {"made": MADE, "events": []}):
        for name, value in change.items():
            setattr(served.feed, name, value)
        async with served.reading(Last_Event_ID=last) as reader:
            assert (reader.answer.status, (await reader.answer.json(content_type=None))["code"]) == (
                410,
                "events_gone",
            )


async def test_silence_is_filled_and_a_reader_that_leaves_is_forgotten(served: Served) -> None:
    async with served.reading() as reader:
        await reader.messages(1)
        reading = asyncio.create_task(reader.messages(1))
        await until(lambda: reader.comments > 2)
        assert served.feed.readers == 1
        reading.cancel()
    await until(lambda: served.feed.readers == 0)


@pytest.mark.parametrize("change", ["revoked", "narrowed"])
async def test_it_ends_with_the_right_to_it(served: Served, change: str) -> None:
    async with served.reading() as reader:
        await reader.messages(1)
        if change == "revoked":
            del served.accounts.known["historian"]
        else:
            fewer = msgspec.structs.replace(HISTORIAN, permissions=frozenset({"subscribe:quality.*"}))
            served.accounts.known["historian"] = fewer
        ((_, kind, data),) = await reader.messages(1)
        assert kind == "closed"
        assert data["reason"] in ("this key is revoked", "your permissions have changed")
        assert await reader.answer.content.read() == b""
    await until(lambda: served.feed.readers == 0)


@pytest.fixture
async def impatient() -> AsyncIterator[Served]:
    made = Served(patience_s=4.0)  # enough for who reads, also on a busy machine
    async with serving(made.app) as made.url:
        yield made


async def test_a_reader_that_does_not_read_is_let_go_and_others_do_not_notice(impatient: Served) -> None:
    """It is told more than any socket buffer takes, and never reads."""
    served = impatient
    host, port = served.url.removeprefix("http://").split(":")
    idle, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer historian\r\n\r\n")
    await writer.drain()
    await until(lambda: served.feed.readers == 1)
    async with served.reading() as reader:
        await reader.messages(1)
        padded = threshold_event().data[:-1] + b',"filling":"' + b"x" * 20_000 + b'"}'
        told = [threshold_event(number, data=padded) for number in range(2000)]
        await served.feed.tell(*told)
        found = await reader.messages(2000)
        assert [data["id"] for _, _, data in found] == [event.id for event in told]
        await until(lambda: served.feed.readers == 1)
    writer.transport.abort()
    assert not idle.at_eof()


async def test_a_server_that_stops_does_not_wait_for_its_readers(served: Served) -> None:
    async with served.reading() as reader:
        await reader.messages(1)
        served.events.close()
        async with asyncio.timeout(PATIENCE_S):
            await reader.answer.content.read()


async def test_not_more_than_twenty_of_one_account_however_fast_they_ask(served: Served) -> None:
    asking = [served.reading() for _ in range(40)]
    readers = await asyncio.gather(*(each.__aenter__() for each in asking))
    assert Counter(each.answer.status for each in readers) == {200: 20, 429: 20}
    await asyncio.gather(*(each.__aexit__(None, None, None) for each in asking))
    await until(lambda: not served.feed.readers)


async def test_not_more_than_twenty_of_one_account(served: Served) -> None:
    readers = [served.reading() for _ in range(20)]
    for each in readers:
        await (await each.__aenter__()).messages(1)
    async with served.reading() as one_more:
        assert one_more.answer.status == 429
        assert one_more.answer.headers["Retry-After"] == "30"
    for each in readers:
        await each.__aexit__(None, None, None)
