"""Webhooks out, from the backbone to an endpoint that checks their signatures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from lineshaft.app.event_feed import BackboneFeed
from lineshaft.app.subscriptions import Subscriptions
from lineshaft.app.webhook_sender import WebhookSender
from lineshaft.backbone import Backbone
from lineshaft.backbone.server_state import free_port
from lineshaft.contracts.catalogue import EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.clock import SystemClock
from lineshaft.core.exceptions import Chosen
from lineshaft.core.ids import new_id
from lineshaft.core.signing import new_secret
from lineshaft.core.subscriptions import Subscription, SubscriptionState
from lineshaft.core.values import Event, ExceptionKind
from lineshaft.gateway.destinations import Destinations
from lineshaft.ledger import Audit, Desk, Verdict
from lineshaft.ledger.subscriptions import Book, DeclaredSubscription, Deliveries, HandingOut
from lineshaft.store import Store, Worker
from lineshaft.store.schema import deliveries, exceptions, subscriptions
from tests.app.webhook_endpoint import Endpoint, Got
from tests.gateway.events.telling import threshold_event
from tests.ledger.exceptions_at_work import Bench
from tests.rows import rows
from tests.waiting import PATIENCE_S, until

WHY = {"by": "anna", "reason": "the portal wants to know"}
CLOCK = SystemClock()


@pytest.fixture
async def backbone(tmp_path: Path) -> AsyncIterator[Backbone]:
    started = await Backbone.start(None, tmp_path / "data", mqtt_port=0)
    yield started
    await started.stop()


class Running:
    """What a node runs of it. Several are workers on one database."""

    def __init__(
        self, store: Store, backbone: Backbone, *, worker: str = "w1", hosts: Sequence[str] = ()
    ) -> None:
        self.store = store
        self.backbone = backbone
        self.worker = Worker(store, worker, lease_s=600.0)  # nobody is taken for dead here
        self.book = Book(store, Audit(worker, CLOCK), CLOCK)
        self.hosts = list(hosts)
        self.timeout_s = 2 * PATIENCE_S
        self.pauses_s: tuple[float, ...] = (0.02, 0.02)
        self.ca_file = ""
        self.refused: Callable[[Subscription, Event], str] = lambda *_: ""
        self.secrets: dict[str, str] = {}

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Running]:
        await self.worker.join()
        sender = WebhookSender(
            Destinations(self.hosts),
            CLOCK,
            refused=self.refused,
            timeout_s=self.timeout_s,
            pauses_s=self.pauses_s,
            ca_file=self.ca_file,
        )
        self.part = Subscriptions(
            BackboneFeed(self.backbone, EVENTS),
            self.book,
            HandingOut(self.store, self.worker, CLOCK),
            Deliveries(self.store, self.worker, Desk(self.store, CLOCK).add, CLOCK),
            sender,
            CLOCK,
            secrets=self.secrets,
            look_again_s=0.02,
        )
        lease = self.worker.run(lambda *_: (), lambda _: None)
        tasks = [asyncio.create_task(lease), asyncio.create_task(self.part.run())]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def subscribe(self, to: Endpoint, name: str = "portal", **more: Any) -> Subscription:
        self.hosts.append(to.url.removesuffix("/in"))
        to.secret = to.secret or new_secret()
        fields = {"types": [THRESHOLD_EXCEEDED.type], "plants": ["*"], "account": "portal"} | more
        made = Subscription(subscription_id=new_id(), name=name, url=to.url, **fields)
        return await self.book.add(made, to.secret, **WHY)

    async def tell(self, first: int, last: int, key: str = "") -> list[str]:
        told = [
            threshold_event(number, partitionkey=key or f"FILLER-{number}") for number in range(first, last)
        ]
        await self.backbone.publisher.publish(told)
        return [event.id for event in told]

    async def states(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in await rows(self.store, deliveries):
            found[row["state"]] = found.get(row["state"], 0) + 1
        return found


@pytest.fixture
def running(store: Store, backbone: Backbone) -> Running:
    return Running(store, backbone)


async def test_told_signed_once_and_in_order(running: Running) -> None:
    async with Endpoint() as portal:
        made = await running.subscribe(portal)
        async with running.at_work():
            told = await running.tell(0, 30, key="FILLER-2")
            await until(lambda: len(portal.taken) == 30)
            assert portal.ids == told
            await until(lambda: _all_delivered(running, 30))
    first = portal.taken[0]
    assert first.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert first.event["type"] == f"lineshaft.{THRESHOLD_EXCEEDED.type}"
    found = await running.book.deliveries(made.name)
    assert {row["delivery_id"] for row in found} == {each.webhook_id for each in portal.taken}
    assert {(row["attempts"], row["status"]) for row in found} == {(1, 204)}


async def _all_delivered(running: Running, count: int) -> bool:
    return await running.states() == {"delivered": count}


async def test_nobody_is_told_of_what_was_before_or_is_not_theirs(running: Running) -> None:
    await running.tell(0, 5)
    async with Endpoint() as portal, Endpoint() as other:
        await running.subscribe(portal, subject="FILLER-2")
        await running.subscribe(other, "other", plants=["dresden"])
        async with running.at_work():
            told = await running.tell(5, 8)
            await until(lambda: len(portal.taken) == 3)
            assert sorted(portal.ids) == sorted(told)
            assert other.got == []


async def test_a_failure_is_tried_again_and_holds_up_its_own_key_only(running: Running) -> None:
    failed: list[str] = []

    def answer(got: Got) -> web.Response:
        if got.event["partitionkey"] == "A" and len(failed) < 2:
            failed.append(got.event["id"])
            return web.Response(status=422)
        return web.Response()

    async with Endpoint() as portal:
        portal.answer = answer
        await running.subscribe(portal)
        async with running.at_work():
            a, b = await running.tell(0, 4, key="A"), await running.tell(4, 8, key="B")
            await until(lambda: len(portal.taken) == 8)
    assert failed == [a[0]] * 2
    assert [each for each in portal.ids if each in a] == a
    assert [each for each in portal.ids if each in b] == b
    assert len({got.webhook_id for got in portal.got if got.event["id"] == a[0]}) == 1


async def test_what_is_refused_for_good_goes_to_its_desk_and_on_by_a_person(running: Running) -> None:
    async with Endpoint() as portal:
        portal.answer = lambda got: web.Response(
            status=400 if got.event["partitionkey"] == "A" else 200, text="no"
        )
        made = await running.subscribe(portal, owner="sales")
        async with running.at_work():
            a, b = await running.tell(0, 2, key="A"), await running.tell(2, 3, key="B")
            await until(lambda: _has_failed(running))
            await until(lambda: portal.ids == b)
            assert [got.event["id"] for got in portal.got if got.event["id"] in a] == [a[0]] * 3
            (wrong,) = await rows(running.store, exceptions)
            assert (wrong["kind"], wrong["owner"], wrong["source"]) == (
                ExceptionKind.BUSINESS_FAULT,
                "sales",
                "subscription portal",
            )
            assert "answered 400: no" in wrong["cause"]
            assert (await running.book.get("portal")).state is SubscriptionState.ACTIVE
            portal.answer = lambda _: web.Response()
            assert await running.book.redeliver("portal", [], **WHY) == [wrong["ref"]]
            await until(lambda: len(portal.taken) == 3)
            assert portal.ids[1:] == a
    assert made.owner == "sales"


async def _has_failed(running: Running) -> bool:
    return "failed" in await running.states()


async def test_an_endpoint_that_is_away_for_too_long_is_given_up_with_one_exception(running: Running) -> None:
    async with Endpoint() as portal:
        portal.answer = lambda _: web.Response(status=503)
        await running.subscribe(portal)
        async with running.at_work():
            told = await running.tell(0, 1, key="A")
            await until(lambda: _is(running, SubscriptionState.SUSPENDED))
            told += await running.tell(1, 40)
            assert len(await rows(running.store, exceptions)) == 1
            portal.answer = lambda _: web.Response()
            await running.book.redeliver("portal", [], **WHY)
            await until(lambda: len(portal.taken) == 40)
    assert sorted(portal.ids) == sorted(told)


async def _is(running: Running, state: SubscriptionState) -> bool:
    return (await running.book.get("portal")).state is state


async def test_gone_ends_it_and_paused_waits(running: Running) -> None:
    async with Endpoint() as portal, Endpoint() as other:
        await running.subscribe(portal)
        await running.subscribe(other, "other")
        await running.book.change("other", SubscriptionState.PAUSED, **WHY)
        portal.answer = lambda _: web.Response(status=410)
        async with running.at_work():
            await running.tell(0, 1)
            await until(lambda: _is(running, SubscriptionState.ENDED))
            await running.tell(1, 3)
            await until(lambda: _waits(running, 3))
            assert len(portal.got) == 1
            assert other.got == []
            await running.book.change("other", SubscriptionState.ACTIVE, **WHY)
            await until(lambda: len(other.taken) == 3)


async def _waits(running: Running, count: int) -> bool:
    return (await running.states()).get("waiting") == count


async def test_retry_after_is_kept_and_redirects_are_not_followed(running: Running) -> None:
    asked: list[float] = []

    def answer(_: Got) -> web.Response:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response()

    async with Endpoint() as portal, Endpoint() as other:
        portal.answer = answer
        other.answer = lambda _: web.Response(status=307, headers={"Location": portal.url})
        await running.subscribe(portal)
        running.pauses_s = (0.02,)
        other.secret = portal.secret
        await running.subscribe(other, "other")
        async with running.at_work():
            await running.tell(0, 2, key="A")
            await until(lambda: len(asked) == 3)
            await until(lambda: _has_failed(running))
        assert asked[1] - asked[0] >= 1.0
        (failed,) = await running.book.deliveries("other", state="failed")
        assert failed["status"] == 307
        assert "it points to" in str(failed["error"])
        assert len(portal.got) == 3


async def test_a_dead_and_a_slow_endpoint_hold_nobody_up(running: Running) -> None:
    dead = Endpoint()
    dead.port = free_port()  # it is away for a while: no connection may be given this one
    async with Endpoint() as portal, Endpoint() as slow, dead:
        slow.hangs = asyncio.Event()
        await running.subscribe(portal)
        await running.subscribe(slow, "slow")
        await running.subscribe(dead, "dead")
        await dead.__aexit__()
        running.pauses_s = (0.05,) * 10_000
        async with running.at_work():
            told = await running.tell(0, 200)
            await until(lambda: len(portal.taken) == 200)
            assert slow.taken == dead.taken == []
            slow.hangs.set()
            await dead.__aenter__()
            await until(lambda: len(slow.taken) == len(dead.taken) == 200)
        assert sorted(dead.ids) == sorted(slow.ids) == sorted(told)


async def test_a_worker_that_dies_is_taken_up_where_it_was(store: Store, backbone: Backbone) -> None:
    """Cut off in the middle of sending: all is told, in order, and what came twice has the same id."""
    first, second = Running(store, backbone), Running(store, backbone)
    async with Endpoint() as portal:
        await first.subscribe(portal)
        second.hosts = first.hosts
        async with first.at_work():
            told = await first.tell(0, 100, key="A")
            await until(lambda: len(portal.taken) > 20)
        assert len(portal.taken) < 100
        async with second.at_work():
            await until(lambda: len(set(portal.ids)) == 100)
            await until(lambda: _all_delivered(second, 100))
    seen = list(dict.fromkeys(portal.ids))
    assert seen == told
    assert len({got.webhook_id for got in portal.taken}) == 100
    assert len(portal.taken) <= 101


async def test_a_process_that_is_killed_in_the_middle(
    store_url: str, store: Store, backbone: Backbone
) -> None:
    """kill -9 while it sends: the next one under its name goes on, and nothing is told out of order."""
    after = Running(store, backbone)
    async with Endpoint() as portal:
        await after.subscribe(portal)
        told = await after.tell(0, 300, key="A")
        for at_least in (20, 120):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.app.dying_sender", store_url,
                backbone.url, *backbone.credentials, after.hosts[0],
            )  # fmt: skip
            await until(lambda count=at_least: len(portal.taken) >= count, 2 * PATIENCE_S)
            child.kill()
            await child.wait()
        assert len(portal.taken) < 300
        async with after.at_work():
            await until(lambda: _all_delivered(after, 300), 2 * PATIENCE_S)
    assert list(dict.fromkeys(portal.ids)) == told
    assert len(portal.taken) <= 302
    assert len({got.webhook_id for got in portal.taken}) == 300


async def test_two_workers_share_and_never_send_the_same(
    store_url: str, store: Store, backbone: Backbone
) -> None:
    theirs = Store.open(store_url)
    one, two = Running(store, backbone, worker="w1"), Running(theirs, backbone, worker="w2")
    async with Endpoint() as portal, Endpoint() as other:
        await one.subscribe(portal)
        await one.subscribe(other, "other")
        two.hosts = one.hosts
        async with one.at_work(), two.at_work():
            told = await one.tell(0, 50, key="A")
            await until(lambda: len(portal.taken) == len(other.taken) == 50)
        held = {row["held_by"] for row in await rows(store, subscriptions)}
    await theirs.close()
    assert portal.ids == other.ids == told
    assert held <= {"w1:1", "w2:1"}


async def test_over_tls_to_the_address_that_was_looked_up(running: Running, tmp_path: Path) -> None:
    import ssl

    from tests.certificates import Authority

    authority = Authority(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.issue("portal", server=True))
    async with Endpoint(tls=tls) as portal:
        await running.subscribe(portal)
        running.ca_file = str(authority.ca)
        async with running.at_work():
            await running.tell(0, 2)
            await until(lambda: len(portal.taken) == 2)
    assert portal.taken[0].headers["host"] == f"localhost:{portal.port}"


async def test_an_undeclared_host_is_never_called(running: Running) -> None:
    async with Endpoint() as portal:
        await running.subscribe(portal)
        running.hosts.clear()
        async with running.at_work():
            await running.tell(0, 1)
            await until(lambda: _is(running, SubscriptionState.SUSPENDED))
    assert portal.got == []
    (wrong,) = await rows(running.store, exceptions)
    assert "is not declared" in wrong["cause"]


async def test_an_account_without_the_right_any_more_is_told_nothing(running: Running) -> None:
    async with Endpoint() as portal:
        await running.subscribe(portal)
        running.refused = lambda to, event: f"{to.account} may not subscribe:{event.type}"
        async with running.at_work():
            await running.tell(0, 1)
            await until(lambda: _is(running, SubscriptionState.SUSPENDED))
    assert portal.got == []
    (wrong,) = await rows(running.store, exceptions)
    assert "portal may not subscribe:" in wrong["cause"]


async def test_those_of_the_file_follow_it(running: Running) -> None:
    async with Endpoint(new_secret()) as portal:
        wanted = Subscription(
            subscription_id=new_id(),
            name="erp",
            account="erp",
            url=portal.url,
            types=["equipment.*"],
            plants=["*"],
        )
        declared = [DeclaredSubscription(subscription=wanted, secret=portal.secret)]
        await running.book.declare(declared, by="subscriptions.yaml")
        await running.book.declare(declared, by="subscriptions.yaml")
        running.hosts, running.secrets = [portal.url.removesuffix("/in")], {"erp": portal.secret}
        async with running.at_work():
            await running.tell(0, 2)
            await until(lambda: len(portal.taken) == 2)
        (row,) = await rows(running.store, subscriptions)
        assert (row["secret"], row["created_by"]) == ("", "subscriptions.yaml")
        moved = msgspec.structs.replace(wanted, subject="FILLER-9")
        await running.book.declare(
            [DeclaredSubscription(subscription=moved, secret="")], by="subscriptions.yaml"
        )
        assert (await running.book.get("erp")).subject == "FILLER-9"
        await running.book.declare([], by="subscriptions.yaml")
        assert (await running.book.get("erp")).state is SubscriptionState.ENDED


async def test_redriven_or_discarded_at_the_exceptions_desk(running: Running) -> None:
    """As any other exception: what failed is told again, or what waits behind it goes on without it."""
    bench = Bench(running.store)
    async with Endpoint() as portal:
        portal.answer = lambda _: web.Response(status=422)
        await running.subscribe(portal)
        async with running.at_work():
            a, b = await running.tell(0, 2, key="A"), await running.tell(2, 4, key="B")
            await until(lambda: _failed(running, 2))
            first, second = [row["exception_id"] for row in await rows(running.store, exceptions)]
            portal.answer = lambda _: web.Response()
            (told,) = await bench.work.redrive(Chosen(ids=[first]), by="anna", reason="mended", wait_s=120)
            assert told.verdict is Verdict.POSTED
            assert await bench.work.discard(Chosen(ids=[second]), by="anna", reason="of no use") == [second]
            await until(lambda: _delivered(running, 3))
    kept = a if portal.ids[0] == a[0] else b
    dropped = b if kept is a else a
    assert portal.ids[0] == kept[0]
    assert set(portal.ids) == {*kept, dropped[1]}
    assert await running.states() == {"delivered": 3, "dropped": 1}


async def _delivered(running: Running, count: int) -> bool:
    return (await running.states()).get("delivered") == count


async def _failed(running: Running, count: int) -> bool:
    return (await running.states()).get("failed") == count
