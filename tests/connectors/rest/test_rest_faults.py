"""Every way in which a system can fail, and what the connector says of it, with the effect it had."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace

import httptools
import pytest
from aiohttp import web
from rest_facts import TRACEPARENT, call, maintenance_request, pieces, reservation, settings

from lineshaft.connectors.rest import RestConnector
from lineshaft.connectors.rest.answers import retry_after_s
from lineshaft.connectors.rest.http1 import Answer, Connections, LostAnswer, Progress
from lineshaft.core.errors import (
    BusinessFault,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.model.inventory import BalanceUpdate
from lineshaft.model.maintenance import AssetRef, Observation
from tests.waiting import PATIENCE_S, until

ASSET = AssetRef(physical_asset_id="FIL-01")
SHORT_S = 0.8
UNANSWERED = {"timeout_before_commit", "timeout_after_commit", "slow_drip"}


@pytest.mark.parametrize(
    ("kind", "command", "query", "happened"),
    [
        ("outage", OutcomeUnknown, TransientFault, False),
        ("reset", OutcomeUnknown, TransientFault, False),
        ("reset_after_commit", OutcomeUnknown, TransientFault, True),
        ("timeout_before_commit", OutcomeUnknown, TransientFault, False),
        ("timeout_after_commit", OutcomeUnknown, TransientFault, True),
        ("http_500", OutcomeUnknown, TransientFault, False),
        ("http_500_after_commit", OutcomeUnknown, TransientFault, True),
        ("http_503", TransientFault, TransientFault, False),
        ("http_429", TransientFault, TransientFault, False),
        ("malformed", OutcomeUnknown, TransientFault, True),
        ("slow_drip", OutcomeUnknown, TransientFault, True),
    ],
)
async def test_each_fault_has_its_reaction_and_read_back_tells_the_truth(
    cmms, kind: str, command: type[Exception], query: type[Exception], happened: bool
) -> None:
    system, connector = cmms
    seconds = 7 if kind.startswith("http") else None
    system.faults.add(kind, times=2, seconds=seconds)
    asked = call("key-1", deadline_s=SHORT_S if kind in UNANSWERED else PATIENCE_S)
    with pytest.raises(command) as failed:
        await connector.create_request(asked, maintenance_request())
    assert type(failed.value) is command
    assert "maintenance.create_request" in failed.value.message
    with pytest.raises(query) as failed:
        await connector.asset(asked, ASSET)
    assert type(failed.value) is query
    if kind in {"http_503", "http_429"}:
        assert failed.value.retry_after_s == 7

    await until(lambda: not system.faults.waiting())
    await until(lambda: system.effect_counts()["work_requests"] == int(happened))
    found = await connector.find_create_request(call("key-1"), maintenance_request())
    assert (found is not None) is happened
    if found is not None:
        assert found.id == "WR-1001"


async def test_a_fault_while_looking_up_is_transient_and_never_means_not_there(cmms) -> None:
    system, connector = cmms
    await connector.create_request(call(), maintenance_request())
    for kind in ("outage", "malformed", "http_500"):
        system.faults.add(kind)
        with pytest.raises(TransientFault):
            await connector.find_create_request(call(), maintenance_request())


async def test_a_stopped_system_was_never_reached(cmms) -> None:
    system, connector = cmms
    await system.stop()
    with pytest.raises(TransientFault, match="not sent") as failed:
        await connector.create_request(call(), maintenance_request())
    assert failed.value.code == "unreachable"


async def test_a_put_is_sent_once_even_on_a_kept_connection(inventory) -> None:
    """Other clients repeat an idempotent method by themselves; here the door decides about repeats."""
    system, connector = inventory
    update = BalanceUpdate(
        material_definition_id="SEAL-KIT-01",
        site="leipzig",
        quantity=pieces(23),
        as_of=datetime(2026, 3, 2, tzinfo=UTC),
        source_sequence="10",
    )
    await connector.synchronise_balance(call("a"), update)
    system.faults.add("reset_after_commit")
    with pytest.raises(OutcomeUnknown):
        await connector.synchronise_balance(call("b"), update)
    assert system.effect_counts()["ledger_updates"] == 2


async def test_twice_the_same_post_is_two_documents(inventory) -> None:
    """The simulated systems do not deduplicate: that is what the door is for."""
    system, connector = inventory
    await connector.reserve(call("same"), reservation())
    await connector.reserve(call("same"), reservation())
    assert system.effect_counts()["allocations"] == 2


async def test_a_connector_that_is_not_started_says_so() -> None:
    connector = RestConnector(settings("cmms", "http://127.0.0.1:1"))
    with pytest.raises(PermanentFault, match="not started"):
        await connector.asset(call(), ASSET)


async def test_an_unknown_host_is_not_sent(connect) -> None:
    async with connect("cmms", "http://no-such-host.invalid") as connector:
        with pytest.raises(TransientFault, match="not sent"):
            await connector.create_request(call(deadline_s=5), maintenance_request())


Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A system that answers as the test says."""

    def __init__(self) -> None:
        self.requests: list[SimpleNamespace] = []
        self.arrived = asyncio.Event()
        self.answer: Reply = self._nothing
        self.url = ""

    async def _nothing(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(SimpleNamespace(raw=request.raw_path, headers=request.headers, body=body))
        self.arrived.set()
        return await self.answer(request)

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        async def fixed(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, body=body, headers=headers)

        self.answer = fixed


@pytest.fixture
async def server():
    system = Server()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", system.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    system.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield system
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "fault", "code"),
    [
        (301, b"", PermanentFault, "moved"),
        (400, b"{}", BusinessFault, "rejected"),
        (401, b"", PermanentFault, "unauthenticated"),
        (403, b"", PermanentFault, "forbidden"),
        (404, b"", PermanentFault, "no_such_endpoint"),
        (405, b"", PermanentFault, "wrong_request"),
        (404, b'{"error": {"code": "ASSET_UNKNOWN"}}', BusinessFault, "unknown_asset"),
        (408, b"", TransientFault, "unavailable"),
        (409, b'{"error": {"code": "ORDER_CLOSED"}}', BusinessFault, "order_closed"),
        (409, b'{"error": {"code": "NEW_RULE"}}', BusinessFault, "rejected"),
        (415, b"", PermanentFault, "wrong_request"),
        (422, b"not json", BusinessFault, "rejected"),
        (425, b"", TransientFault, "unavailable"),
        (429, b"", TransientFault, "rate_limited"),
        (500, b'{"error": {"code": "ORDER_CLOSED"}}', BusinessFault, "order_closed"),
        (500, b"", OutcomeUnknown, "outcome_unknown"),
        (501, b"", PermanentFault, "wrong_request"),
        (502, b"", OutcomeUnknown, "outcome_unknown"),
        (503, b"", TransientFault, "unavailable"),
        (504, b"", OutcomeUnknown, "outcome_unknown"),
        (599, b"", OutcomeUnknown, "outcome_unknown"),
        (200, b"<html>", OutcomeUnknown, "unreadable_answer"),
        (200, b"[" * 100_000, OutcomeUnknown, "unreadable_answer"),
        (201, b"\xff", OutcomeUnknown, "unreadable_answer"),
        (201, b"", OutcomeUnknown, "unmappable_answer"),
        (201, b'{"status": "NEVER_SEEN"}', OutcomeUnknown, "unmappable_answer"),
        (201, b'{"requestNo": 7, "status": "CONVERTED"}', OutcomeUnknown, "unmappable_answer"),
    ],
)
async def test_what_a_status_means_for_a_command(
    server, connect, status: int, body: bytes, fault: type[LineshaftError], code: str
) -> None:
    server.answers(status, body)
    async with connect("cmms", server.url) as connector:
        with pytest.raises(fault) as failed:
            await connector.create_request(call(), maintenance_request())
    assert type(failed.value) is fault
    assert failed.value.code == code
    if fault is BusinessFault:
        assert failed.value.owner
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (500, b"", TransientFault),
        (502, b"", TransientFault),
        (200, b"<html>", TransientFault),
        (200, b'{"assetNo": "FIL-01"}', PermanentFault),
        (200, b"null", PermanentFault),
        (404, b"", PermanentFault),
    ],
)
async def test_what_a_status_means_for_a_query(
    server, connect, status: int, body: bytes, fault: type[LineshaftError]
) -> None:
    server.answers(status, body)
    async with connect("cmms", server.url) as connector:
        with pytest.raises(fault) as failed:
            await connector.asset(call(), ASSET)
    assert type(failed.value) is fault


async def test_a_missing_collection_is_not_taken_for_a_missing_document(server, connect) -> None:
    server.answers(404)
    async with connect("cmms", server.url) as connector:
        with pytest.raises(PermanentFault):
            await connector.find_create_request(call(), maintenance_request())


async def test_trace_context_key_and_credentials_go_along(server, connect) -> None:
    server.answers(201, b'{"requestNo": "A", "workOrderNo": "B", "status": "CONVERTED"}')
    async with connect("cmms", server.url + "/base/", bearer="t0ken", headers={"X-Plant": "1"}) as connector:
        await connector.create_request(call("k-1"), maintenance_request())
        await connector.find_add_observation(call("a&b=c/d"), _observation())
    async with connect("cmms", server.url, user="u", password="p") as connector:
        with pytest.raises(PermanentFault):
            await connector.asset(call(), AssetRef(physical_asset_id="../x y"))
    first, second, third = server.requests
    assert first.raw == "/base/api/work-requests"
    assert first.headers["traceparent"] == TRACEPARENT
    assert first.headers["Idempotency-Key"] == "k-1"
    assert first.headers["Authorization"] == "Bearer t0ken"
    assert first.headers["X-Plant"] == "1"
    assert second.raw == "/base/api/notes?externalRef=a%26b%3Dc%2Fd"
    assert "Idempotency-Key" not in second.headers
    assert third.raw == "/api/assets/..%2Fx%20y"
    assert third.headers["Authorization"] == "Basic dTpw"


async def test_an_answer_that_is_too_long_is_not_read(server, connect) -> None:
    server.answers(200, b"x" * 5000)
    async with connect("cmms", server.url, max_answer_bytes=1000) as connector:
        with pytest.raises(OutcomeUnknown, match="1000"):
            await connector.create_request(call(), maintenance_request())
        with pytest.raises(PermanentFault, match="max_answer_bytes"):
            await connector.asset(call(), ASSET)


async def test_a_refusal_whose_body_breaks_off_is_still_a_refusal(server, connect) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=422, headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"error"')
        request.transport.abort()
        return response

    server.answer = half
    async with connect("cmms", server.url) as connector:
        with pytest.raises(BusinessFault):
            await connector.create_request(call(), maintenance_request())


async def test_a_deadline_that_ends_before_there_is_a_connection_sent_nothing(server, connect) -> None:
    held = asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        await held.wait()
        return web.Response(status=204)

    server.answer = hold
    async with connect("cmms", server.url, connections=1) as connector:
        first = asyncio.create_task(connector.create_request(call(), maintenance_request()))
        await server.arrived.wait()
        with pytest.raises(TransientFault, match="not sent"):
            await connector.create_request(call(deadline_s=0.1), maintenance_request())
        held.set()
        with pytest.raises(OutcomeUnknown):
            await first
    assert len(server.requests) == 1


async def test_cancelling_stays_cancelling(server, connect) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.answer = never
    async with connect("cmms", server.url) as connector:
        asked = asyncio.create_task(connector.create_request(call(), maintenance_request()))
        await server.arrived.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


_BELOW = [
    LostAnswer("reason"),
    httptools.HttpParserError("reason"),
    httptools.HttpParserUpgrade(1),
    ConnectionRefusedError(111, "refused"),
    ConnectionResetError(104, "reset"),
    TimeoutError(),
    OSError(9, "bad"),
    OSError("Multiple exceptions: …"),
    ssl.SSLError("x"),
    ssl.SSLCertVerificationError("x"),
    socket.gaierror(1, "dns"),
    UnicodeEncodeError("idna", "x", 0, 1, "label too long"),
    ValueError("v"),
    RuntimeError("closed"),
    EOFError(),
    AssertionError(),
]


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("error", _BELOW, ids=lambda error: type(error).__name__)
async def test_no_exception_from_below_gets_out(connect, monkeypatch, error: Exception, sent: bool) -> None:
    async def fail(self: Connections, request: bytes, progress: Progress) -> Answer:
        progress.connected = sent
        raise error

    monkeypatch.setattr(Connections, "exchange", fail)
    async with connect("cmms", "http://127.0.0.1:1") as connector:
        with pytest.raises((TransientFault, PermanentFault, OutcomeUnknown)) as failed:
            await connector.create_request(call(), maintenance_request())
        assert isinstance(failed.value, OutcomeUnknown) is sent
        with pytest.raises((TransientFault, PermanentFault)):
            await connector.asset(call(), ASSET)


async def test_a_header_that_would_break_out_is_not_sent(server, connect) -> None:
    async with connect("cmms", server.url) as connector:
        with pytest.raises(PermanentFault, match="Idempotency-Key") as failed:
            await connector.create_request(call("k\r\nX-Admin: yes"), maintenance_request())
    assert failed.value.code == "unsendable"
    assert server.requests == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("12", 12.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        (format_datetime(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), usegmt=True), 60.0),
        (format_datetime(datetime(2025, 1, 1, tzinfo=UTC), usegmt=True), 0.0),
        ("Thu, 01 Jan 2026 00:00:30", 30.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def _observation():
    return Observation(
        maintenance_order_id="WO-1",
        physical_asset_id="FIL-01",
        rule="r",
        episode_start=datetime(2026, 1, 1, tzinfo=UTC),
        text="t",
    )
