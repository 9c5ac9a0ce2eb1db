"""Webhooks: signature, translation, and the same fact told twice."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from rest_facts import SECRET, TRACEPARENT, call, maintenance_request, pieces, settings

from estate.systems.cmms import CmmsSystem
from estate.systems.webhooks_out import WebhookTarget
from estate.technician import Technician
from lineshaft.connectors.rest import RestConnector
from lineshaft.contracts.catalogue import MAINTENANCE_ORDER_COMPLETED
from lineshaft.core.errors import ConfigError, ContractViolation, PermanentFault
from lineshaft.core.signing import signed_headers
from lineshaft.model.maintenance import PartRequirement, TaskState, TaskUpdate
from tests.clocks import ManualClock

BODY: dict[str, Any] = {
    "eventKind": "WORK_ORDER_DONE",
    "deliveryId": "DLV-1",
    "sentAt": "2026-03-02T08:00:01Z",
    "order": {
        "workOrderNo": "WO-2001",
        "requestNo": "WR-1001",
        "assetNo": "FIL-01",
        "startedAt": "2026-03-02T06:30:00Z",
        "finishedAt": "2026-03-02T08:00:00Z",
        "causeCode": "SEAL-WEAR",
        "remedyCode": "REPLACED",
        "labour": [
            {
                "operation": "0010",
                "personNo": "T-117",
                "begin": "2026-03-02T06:30:00Z",
                "end": "2026-03-02T08:00:00Z",
                "hourlyRate": {"amount": "52.00", "currency": "EUR"},
            }
        ],
        "partsUsed": [
            {"issueNo": "ISS-1", "pos": 1, "partNo": "SEAL-KIT-01", "qty": 1.0, "uom": "EA", "lotNo": None}
        ],
    },
}


@pytest.fixture
def connector() -> RestConnector:
    return RestConnector(settings("cmms", "http://127.0.0.1:1"))


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def encoded(**changes: object) -> bytes:
    return msgspec.json.encode({**BODY, **changes})


def test_a_completed_order_becomes_our_event(connector: RestConnector) -> None:
    body = encoded()
    (event,) = connector.translate("order-completed", {**signed(body), "Traceparent": TRACEPARENT}, body)
    completion = MAINTENANCE_ORDER_COMPLETED.decode(event)
    assert (event.type, event.subject, event.partitionkey) == (
        "maintenance.order.completed.v1",
        "WO-2001",
        "FIL-01",
    )
    assert (event.plant, event.source) == ("leipzig", "/northspring/leipzig/cmms/main")
    assert event.time == datetime.fromisoformat("2026-03-02T08:00:00+00:00")
    assert event.traceparent == TRACEPARENT
    assert completion.material_actual[0].quantity == pieces(1)
    assert str(completion.personnel_actual[0].hourly_rate) == "52.00"
    assert completion.maintenance_request_id == "WR-1001"


def test_another_copy_of_the_message_is_the_same_event(connector: RestConnector) -> None:
    ids = set()
    for delivery in ("DLV-1", "DLV-2", "DLV-3"):
        body = encoded(deliveryId=delivery, sentAt=f"2026-03-02T08:00:0{delivery[-1]}Z")
        (event,) = connector.translate("order-completed", signed(body), body)
        ids.add((event.id, event.data, event.time))
    assert len(ids) == 1
    other = encoded(order={**BODY["order"], "workOrderNo": "WO-2002"})
    (event,) = connector.translate("order-completed", signed(other), other)
    assert event.id not in {known for known, *_ in ids}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Signature": ""},
        {"X-Signature": "sha256="},
        {"X-Signature": signed(b"another body")["X-Signature"]},
        {"X-Signature": signed(encoded())["X-Signature"].removeprefix("sha256=")},
        signed(encoded(), "another secret"),
        {"X-Signature": "sha256=\u00e4\ud800"},
    ],
)
def test_a_wrong_signature_is_refused_before_anything_is_read(connector, headers: dict[str, str]) -> None:
    with pytest.raises(PermanentFault, match="signature") as refused:
        connector.translate("order-completed", headers, encoded())
    assert refused.value.code == "wrong_signature"


STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def signed_as(style: str, folder: Path, **changes: Any) -> RestConnector:
    """The CMMS's own mapping, with another signature of its webhook."""
    given = settings("cmms", "http://127.0.0.1:1")
    text = Path(given.mapping).read_text()
    changed = folder / "cmms.yaml"
    changed.write_text(re.sub(r"(?m)^    signature: .*$", f"    signature: {style}", text))
    return RestConnector(
        msgspec.structs.replace(given, mapping=str(changed), **changes),
        clock=ManualClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
    )


def test_signed_as_standard_webhooks_says(tmp_path: Path) -> None:
    connector = signed_as("{standard: true, tolerance_s: 60}", tmp_path, webhook_secret=STANDARD)
    body, at = encoded(), datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    (event,) = connector.translate("order-completed", signed_headers(STANDARD, "m1", at, body), body)
    assert event.subject == "WO-2001"
    for sent_at, told in ((at + timedelta(seconds=61), body), (at, body + b" ")):
        with pytest.raises(PermanentFault) as refused:
            connector.translate("order-completed", signed_headers(STANDARD, "m1", sent_at, body), told)
        assert refused.value.code == "wrong_signature"
    with pytest.raises(ConfigError, match="base64"):
        signed_as("{standard: true}", tmp_path, webhook_secret="no secret of that kind")


def test_signed_as_github_does_and_with_the_secret_before_the_last(tmp_path: Path) -> None:
    style = '{header: X-Hub-Signature-256, prefix: "sha256="}'
    connector = signed_as(style, tmp_path, webhook_secret="new", old_webhook_secrets=[SECRET, "older"])
    body = encoded()
    for secret in ("new", SECRET, "older"):
        headers = {"X-Hub-Signature-256": signed(body, secret)["X-Signature"]}
        assert len(connector.translate("order-completed", headers, body)) == 1
    with pytest.raises(PermanentFault, match="x-hub-signature-256"):
        connector.translate(
            "order-completed", {"X-Hub-Signature-256": signed(body, "x")["X-Signature"]}, body
        )


@pytest.mark.parametrize(
    "style", ["{standard: false}", "{standard: true, tolerance_s: soon}", "{standard: true, tolerance_s: 0}"]
)
def test_a_signature_that_cannot_be_meant(tmp_path: Path, style: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        signed_as(style, tmp_path)
    assert len(wrong.value.findings) == 1


def test_a_body_that_a_person_corrected_is_read_without_a_signature(connector: RestConnector) -> None:
    body = encoded()
    (event,) = connector.reread("order-completed", body)
    assert [event] == list(connector.translate("order-completed", signed(body), body))
    with pytest.raises(PermanentFault, match="known: order-completed"):
        connector.reread("orders", body)


def test_an_unknown_hook(connector: RestConnector) -> None:
    with pytest.raises(PermanentFault, match="known: order-completed") as refused:
        connector.translate("orders", {}, b"")
    assert refused.value.code == "unknown_hook"
    assert connector.owner("order-completed") == "maintenance"


def test_another_kind_of_message_is_taken_and_ignored(connector: RestConnector) -> None:
    body = encoded(eventKind="WORK_ORDER_OPENED")
    assert list(connector.translate("order-completed", signed(body), body)) == []


def test_every_wrong_member_is_named(connector: RestConnector) -> None:
    order = {**BODY["order"], "assetNo": None, "finishedAt": "yesterday", "labour": [{"operation": "0010"}]}
    body = encoded(order=order)
    with pytest.raises(ContractViolation) as refused:
        connector.translate("order-completed", signed(body), body)
    found = "\n".join(refused.value.findings)
    for name in ("physical_asset_id", "actual_end_time", "personnel_actual/0/person_id", "time: "):
        assert name in found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"1",
        b'{"eventKind": "WORK_ORDER_DONE"}',
        b'{"eventKind": "WORK_ORDER_DONE", "order": 7}',
        encoded(order={**BODY["order"], "partsUsed": [{"qty": "lots", "uom": "EA"}]}),
        encoded(order={**BODY["order"], "partsUsed": [{"qty": 1, "uom": "BUCKET"}]}),
        encoded(order={**BODY["order"], "workOrderNo": None}),
    ],
)
def test_a_body_that_is_no_completion_breaks_the_contract(connector: RestConnector, body: bytes) -> None:
    if body in {b"[]", b"1"}:
        assert list(connector.translate("order-completed", signed(body), body)) == []
        return
    with pytest.raises(ContractViolation) as refused:
        connector.translate("order-completed", signed(body), body)
    assert refused.value.findings


def test_a_mapping_with_webhooks_needs_the_secret() -> None:
    wrong = msgspec.structs.replace(settings("cmms", "http://127.0.0.1:1"), webhook_secret="", source="")
    with pytest.raises(ConfigError) as refused:
        RestConnector(wrong)
    assert len(refused.value.findings) == 2


async def test_three_webhooks_of_a_real_completion_are_one_event(tmp_path: Path, connect) -> None:
    """The whole way: order opened and task updated by us, completed by the technician, told three times."""
    taken: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        await taken.put((dict(request.headers), await request.read()))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/webhooks/cmms/order-completed", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/cmms/order-completed"
    target = WebhookTarget(url=url, secret=SECRET, duplicates=3)
    technician = Technician(delay_s=0.05, people=2)
    async with (
        CmmsSystem(tmp_path, webhook=target, technician=technician) as cmms,
        connect("cmms", cmms.url) as connector,
    ):
        await connector.create_request(call("a"), maintenance_request())
        part = PartRequirement(line=1, material_definition_id="SEAL-KIT-01", quantity=pieces(1))
        update = TaskUpdate(
            maintenance_order_id="WO-2001",
            state=TaskState.PARTS_RESERVED,
            note="",
            part_requirement=[part],
        )
        await connector.update_task(call("b"), update)
        async with asyncio.timeout(60):
            copies = [await taken.get() for _ in range(3)]
        events = [
            event
            for headers, body in copies
            for event in connector.translate("order-completed", headers, body)
        ]
    await runner.cleanup()
    assert len({body for _, body in copies}) == 3
    assert len({(event.id, event.data) for event in events}) == 1
    completion = MAINTENANCE_ORDER_COMPLETED.decode(events[0])
    assert [actual.person_id for actual in completion.personnel_actual] == ["T-117", "T-122"]
    assert [actual.id for actual in completion.material_actual] == ["ISS-3001"]
