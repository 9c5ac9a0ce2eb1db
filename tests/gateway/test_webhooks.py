"""The webhook door over real HTTP: what it takes, what it refuses, and what is known afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from estate.systems.cmms import CmmsSystem
from estate.systems.webhooks_out import WebhookTarget
from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.webhooks import webhook_routes
from tests.gateway.server import serving

SECRET = "a shared secret"
MAPPING = Path(__file__).parents[2] / "estate/plants/leipzig/mappings/cmms.yaml"
ORDER = {
    "workOrderNo": "WO-2001",
    "requestNo": "WR-1001",
    "assetNo": "FIL-01",
    "startedAt": "2026-03-02T06:30:00Z",
    "finishedAt": "2026-03-02T08:00:00Z",
    "causeCode": "SEAL-WEAR",
    "remedyCode": "REPLACED",
    "labour": [],
    "partsUsed": [],
}


class Backbone:
    """Keeps events by id, as a deduplicating stream does; `away` is raised instead."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.published = 0
        self.away: Exception | None = None

    async def publish(self, events: Sequence[Event]) -> None:
        if self.away is not None:
            raise self.away
        self.published += len(events)
        self.events |= {event.id: event for event in events}


class Desk:
    def __init__(self) -> None:
        self.records: list[ExceptionRecord] = []
        self.away: Exception | None = None

    async def report(self, records: Sequence[ExceptionRecord]) -> None:
        if self.away is not None:
            raise self.away
        self.records += records


@pytest.fixture
def backbone() -> Backbone:
    return Backbone()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def url(backbone: Backbone, desk: Desk) -> AsyncIterator[str]:
    connector = RestConnector(
        RestSettings(
            name="cmms",
            url="http://127.0.0.1:1",
            mapping=str(MAPPING),
            plant="leipzig",
            source="/northspring/leipzig/cmms/main",
            webhook_secret=SECRET,
        )
    )
    routes = webhook_routes({"cmms": connector}, backbone, desk, "leipzig")
    async with serving(make_gateway(routes, None, plant="leipzig")) as made:
        yield made


def done(**changes: object) -> bytes:
    order = {**ORDER, **changes}
    return msgspec.json.encode({"eventKind": "WORK_ORDER_DONE", "deliveryId": "1", "order": order})


def signed(body: bytes) -> dict[str, str]:
    return {"X-Signature": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


async def post(
    url: str, body: Any, headers: dict[str, str], path: str = "/webhooks/cmms/order-completed"
) -> tuple[int, Any, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + path, data=body, headers=headers) as got,
    ):
        text = await got.read()
        return got.status, got.headers, msgspec.json.decode(text) if text else None


async def test_taken_means_that_the_backbone_has_it(url: str, backbone: Backbone) -> None:
    body = done()
    status, _, answer = await post(url, body, signed(body))
    assert status == 202
    assert answer == {"events": list(backbone.events)}
    (event,) = backbone.events.values()
    assert (event.subject, event.plant) == ("WO-2001", "leipzig")


async def test_three_times_the_same_is_one_event(url: str, backbone: Backbone) -> None:
    body = done()
    answers = await asyncio.gather(*(post(url, body, signed(body)) for _ in range(3)))
    assert len({answer["events"][0] for _, _, answer in answers}) == 1
    assert (len(backbone.events), backbone.published) == (1, 3)


async def test_a_message_of_no_concern_is_taken(url: str, backbone: Backbone) -> None:
    body = b'{"eventKind": "WORK_ORDER_OPENED"}'
    assert (await post(url, body, signed(body)))[::2] == (202, {"events": []})
    assert not backbone.events


async def test_a_broken_contract_is_answered_in_full_and_goes_to_its_owner(
    url: str, backbone: Backbone, desk: Desk
) -> None:
    body = done(assetNo=None, startedAt="noon")
    status, headers, answer = await post(url, body, signed(body))
    assert status == 400
    assert headers["Content-Type"] == "application/problem+json"
    assert answer["status"] == 400
    assert answer["code"] == "contract_violation"
    assert {finding.split(":")[0] for finding in answer["errors"]} >= {
        "physical_asset_id",
        "actual_start_time",
    }
    (record,) = desk.records
    assert (record.kind, record.owner) == (ExceptionKind.CONTRACT_VIOLATION, "maintenance")
    assert (record.source, record.plant, record.payload) == (
        "/webhooks/cmms/order-completed",
        "leipzig",
        body,
    )
    assert "physical_asset_id" in record.cause
    assert not backbone.events


async def test_a_long_payload_is_recorded_whole(url: str, desk: Desk) -> None:
    body = b"x" * 100_000
    assert (await post(url, body, signed(body)))[0] == 400
    assert desk.records[0].payload == body


async def test_a_violation_that_cannot_be_recorded_is_not_swallowed(url: str, desk: Desk) -> None:
    desk.away = TransientFault("the store is away")
    body = done(assetNo=None)
    status, headers, _ = await post(url, body, signed(body))
    assert (status, headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("headers", [{}, {"X-Signature": "sha256=00"}])
async def test_a_wrong_signature(url: str, backbone: Backbone, desk: Desk, headers: dict[str, str]) -> None:
    status, _, answer = await post(url, done(), headers)
    assert (status, answer["code"]) == (401, "wrong_signature")
    assert not backbone.events
    assert not desk.records


@pytest.mark.parametrize("path", ["/webhooks/erp/order-completed", "/webhooks/cmms/nothing"])
async def test_an_unknown_system_or_hook(url: str, path: str) -> None:
    body = done()
    status, headers, _ = await post(url, body, signed(body), path)
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("fault", "status", "wait"),
    [
        (TransientFault("the backbone is away"), 503, "5"),
        (TransientFault("the backbone is away", retry_after_s=0.2), 503, "1"),
        (TransientFault("the backbone is away", retry_after_s=12.1), 503, "13"),
        (PermanentFault("no such stream"), 500, None),
    ],
)
async def test_a_backbone_that_does_not_take_it(
    url: str, backbone: Backbone, fault: Exception, status: int, wait: str | None
) -> None:
    backbone.away = fault
    body = done()
    got, headers, _ = await post(url, body, signed(body))
    assert (got, headers.get("Retry-After")) == (status, wait)


async def test_too_large_by_its_header_or_by_its_stream(url: str, desk: Desk) -> None:
    body = b"x" * (1024 * 1024 + 1)
    assert (await post(url, body, signed(body)))[0] == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    try:
        status = (await post(url, pieces(), {}))[0]
    except aiohttp.ClientOSError:
        status = 413  # the server closes while the rest is still being sent
    assert status == 413
    assert not desk.records


async def test_a_client_that_leaves_in_the_middle_of_its_body(url: str, backbone: Backbone) -> None:
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhooks/cmms/order-completed HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()
    body = done()
    assert (await post(url, body, signed(body)))[0] == 202
    assert len(backbone.events) == 1


async def test_the_cmms_repeats_until_the_backbone_is_back(
    url: str, backbone: Backbone, tmp_path: Path
) -> None:
    """Refused with 503, kept by the sender over its own restart, taken once the backbone is back."""
    backbone.away = TransientFault("the backbone is away")
    target = WebhookTarget(url=f"{url}/webhooks/cmms/order-completed", secret=SECRET, duplicates=2)
    async with CmmsSystem(tmp_path, webhook=target, retry_base_s=0.05) as cmms:
        request = {"assetNo": "FIL-01", "symptom": "leak", "priority": "2-HIGH"}
        completion = {key: ORDER[key] for key in ("startedAt", "finishedAt", "causeCode", "remedyCode")}
        async with aiohttp.ClientSession(cmms.url) as session:
            await (await session.post("/api/work-requests", json=request)).read()
            await (
                await session.post(
                    "/api/work-orders/WO-2001/completion",
                    json={**completion, "labour": [], "partsUsed": []},
                )
            ).read()
    backbone.away = None
    async with CmmsSystem(tmp_path, retry_base_s=0.05) as cmms, asyncio.timeout(60):
        await cmms.webhooks.idle.wait()
        states = {row["state"] for row in cmms.database.rows("SELECT state FROM deliveries")}
    assert states == {"DELIVERED"}
    assert backbone.published == 2
    assert next(iter(backbone.events.values())).subject == "WO-2001"
    assert len(backbone.events) == 1
