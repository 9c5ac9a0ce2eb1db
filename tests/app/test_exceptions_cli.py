"""`lineshaft exceptions` and `audit`, and the same over HTTP, beside a node that runs and without one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
import yaml
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.app.node import Node
from lineshaft.app.node_address import NodeAddress, read_address
from lineshaft.app.plant_data import read_plant
from lineshaft.backbone import Connection, credentials
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import LineshaftError
from lineshaft.ledger import Desk
from lineshaft.store import Store
from tests.ledger.exceptions_at_work import dead_event
from tests.waiting import until

TOPIC = "plant/leipzig/filler-01/pressure"
TAGS = (
    "tag,topic,metric,property,equipment_id,physical_asset_id,unit\n"
    f"filler-01.pressure,{TOPIC},,pressure,FILLER-01,FIL-01,BAR\n"
)
WHY = ("--reason", "the gateway was mended")
PATIENT = ("--wait", "120")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plant with one tag, no systems and no processes."""
    settings = {
        "enterprise": "northspring",
        "plant": "leipzig",
        "time_zone": "Europe/Berlin",
        "backbone": {"mqtt_port": 0, "storage_gib": 1, "topics": ["plant/#"]},
        "console": {"port": 0},
        "telemetry": {"tags": "tags.csv", "rules": "rules.yaml"},
    }
    (tmp_path / "lineshaft.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "tags.csv").write_text(TAGS)
    (tmp_path / "rules.yaml").write_text("rules: []\n")
    return tmp_path


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[NodeAddress]:
    stop = asyncio.Event()
    node = asyncio.create_task(Node(read_plant(folder / "lineshaft.yaml", SystemClock())).run(stop))
    path = folder / "data" / "node.json"
    try:
        await until(lambda: path.exists() or node.done())
        yield read_address(path)
    finally:
        stop.set()
        await node


@asynccontextmanager
async def desk_of(folder: Path) -> AsyncIterator[Desk]:
    store = Store.open(f"sqlite:///{folder / 'data' / 'lineshaft.db'}")
    try:
        yield Desk(store, SystemClock())
    finally:
        await store.close()


@pytest.fixture(autouse=True)
def _logs_apart() -> Iterator[None]:
    """The node's log does not go where the commands print."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    yield
    structlog.reset_defaults()


async def lineshaft(folder: Path, *words: str, gives: int = 0, typed: str = "") -> str:
    """What the command prints, or the error that `main` would; in a thread: a command has its own loop."""
    command = [*words, "--config", str(folder / "lineshaft.yaml")]
    result = await asyncio.to_thread(CliRunner().invoke, app, command, input=typed)
    complaint = result.exception
    if isinstance(complaint, Exception) and not isinstance(complaint, LineshaftError):
        raise complaint
    assert result.exit_code == gives, result.output
    return f"{complaint.code}: {complaint}" if isinstance(complaint, LineshaftError) else result.stdout


async def told(folder: Path, *words: str, gives: int = 0) -> Any:
    return json.loads(await lineshaft(folder, *words, "--json", gives=gives))


async def send(folder: Path, address: NodeAddress, payload: bytes) -> None:
    """As a device does, by QoS 0."""
    user, password = credentials(folder / "data" / "nats")
    connection = await Connection.open(address.nats, user=user, password=password)
    try:
        await connection.store(TOPIC.replace("/", "."), payload)
    finally:
        await connection.close()


async def test_a_malformed_reading_is_mended_at_the_command_line(folder: Path) -> None:
    async with running(folder) as address:
        await send(folder, address, b'{"value": "high"}')
        found: list[Any] = []

        async def reported() -> bool:
            found[:] = await told(folder, "exceptions", "list")
            return bool(found)

        await until(reported)
        one = found[0]["exception_id"]
        assert found[0]["kind"] == "malformed_reading"
        assert "malformed_reading" in await lineshaft(folder, "exceptions", "list")
        assert "high" in await lineshaft(folder, "exceptions", "show", one[:12])
        groups = await told(folder, "exceptions", "list", "--by", "cause")
        assert [row["exceptions"] for row in groups] == [1]

        (again,) = await told(folder, "exceptions", "redrive", one, *PATIENT, *WHY, gives=1)
        assert again["verdict"] == "failed again"
        assert (await told(folder, "exceptions", "show", one))["count"] == 2

        fixed = await told(folder, "exceptions", "fix", one, "--set", "value=3.2", *WHY)
        assert (fixed["revision"], fixed["payload"]["value"]) == (1, 3.2)
        kind = found[0]["kind"]
        (dry,) = await told(folder, "exceptions", "redrive", "--all", "--dry-run")
        assert (dry["verdict"], dry["does"]) == (
            "would be redriven",
            f"put revision 1 of the payload on {TOPIC} again",
        )
        (done,) = await told(folder, "exceptions", "redrive", "--all", "--kind", kind, *PATIENT, *WHY)
        assert done["verdict"] == "posted"
        shown = await told(folder, "exceptions", "show", one)
        assert (shown["state"], [entry["action"] for entry in shown["history"]]) == (
            "resolved",
            ["exception.resolved", "exception.redriven", "exception.fixed", "exception.redriven"],
        )
        assert "mended" in await lineshaft(folder, "audit", "list", "--action", "exception.*")
        report = await told(folder, "audit", "verify")
        assert report["ok"]
        (ours,) = [head for head in report["heads"] if head.startswith("operator:4:")]
        verified = await lineshaft(folder, "audit", "verify", "--expect", ours)
        assert f"ok {report['rows']} rows in 2 chains" in verified


async def test_an_event_is_redriven_by_http(folder: Path) -> None:
    async with running(folder) as address, desk_of(folder) as desk, aiohttp.ClientSession() as http:
        await desk.report([dead_event()])
        root = f"{address.console}/api/exceptions"

        async def ask(path: str = "", **body: Any) -> tuple[int, Any]:
            method = "POST" if body else "GET"
            async with http.request(method, root + path, json=body or None) as answer:
                return answer.status, await answer.json(content_type=None)

        status, (row,) = await ask()
        one = row["exception_id"]
        assert (status, row["state"]) == (200, "open")
        assert (await ask("?by=owner"))[1][0]["exceptions"] == 1
        assert (await ask("?by=colour"))[0] == 422
        assert (await ask(f"/{one}"))[1]["carrier"] == "event"
        assert (await ask("/nobody"))[0] == 404

        why = {"by": "anna", "reason": "the unit was wrong"}
        status, refused = await ask(f"/{one}/fix", set=["unit=8"], **why)
        assert (status, refused["errors"][0][:5]) == (422, "unit:")
        assert (await ask(f"/{one}/fix", set=["unit=BAR"], reason="x"))[0] == 422
        assert (await ask(f"/{one}/fix", set=["unit=BAR"], by="anna"))[1]["code"] == "reason_missing"
        assert (await ask(f"/{one}/fix", set=["unit=BAR"], **why))[1]["revision"] == 1
        assert (await ask("/redrive", **why))[0] == 422
        status, (done,) = await ask("/redrive", ids=[one], wait_s=120, **why)
        assert (status, done["verdict"], done["detail"]) == (
            200,
            "posted",
            "the event is recorded; no process takes it in",
        )
        assert (await ask("/discard", ids=[one], **why))[0] == 409
        async with http.post(f"{root}/discard", data="{}") as answer:
            assert answer.status == 415
        async with http.get(f"{address.console}/api/v1/trace/{one}") as answer:
            (story,) = (await answer.json())["stories"]
        assert [edge for edge in story["edges"] if edge[0] == one]
        assert (await told(folder, "audit", "list", "--actor", "anna"))[0]["action"] == "exception.resolved"


async def test_without_a_node_everything_but_a_redrive_works(folder: Path) -> None:
    async with desk_of(folder) as desk:
        await desk.report([dead_event(1), dead_event(2)])
    one, two = [row["exception_id"] for row in await told(folder, "exceptions", "list")]
    good = dead_event().payload.replace(b'"unit":7', b'"unit":"BAR"').decode()
    kept = await lineshaft(folder, "exceptions", "fix", one, "--payload", "-", *WHY, typed=good)
    assert "kept as revision 1" in kept
    (dry,) = await told(folder, "exceptions", "redrive", one, "--dry-run")
    assert dry["verdict"] == "would be redriven"
    said = await lineshaft(folder, "exceptions", "redrive", one, *WHY, gives=1)
    assert "node_down" in said
    assert "start it with" in said
    assert (await told(folder, "exceptions", "discard", two, *WHY))["discarded"] == [two]
    (left,) = await told(folder, "exceptions", "list")
    assert (left["exception_id"], left["state"]) == (one, "open")


async def test_exceptions_are_given_to_somebody(folder: Path) -> None:
    async with desk_of(folder) as desk:
        await desk.report([dead_event(1), dead_event(2)])
    one, two = [row["exception_id"] for row in await told(folder, "exceptions", "list")]
    assert "1 exception(s) assigned to ben" in await lineshaft(
        folder, "exceptions", "assign", one, "--to", "ben"
    )
    assert (await told(folder, "exceptions", "list", "--assignee", "ben"))[0]["exception_id"] == one
    assert (await told(folder, "exceptions", "list", "--assignee", "-"))[0]["exception_id"] == two
    assert "ben" in await lineshaft(folder, "exceptions", "show", one)
    groups = await told(folder, "exceptions", "list", "--by", "assignee")
    assert {row["assignee"]: row["exceptions"] for row in groups} == {"": 1, "ben": 1}
    given = await told(folder, "exceptions", "assign", "--all", "--to", "", "--reason", "on leave")
    assert (sorted(given["assigned"]), given["to"]) == (sorted([one, two]), "")
    (entry, first) = await told(folder, "audit", "list", "--action", "exception.assigned")
    assert (entry["subject"], entry["reason"], first["detail"]["to"]) == (one, "on leave", "ben")
    access = {"accounts": {"anna": {"kind": "person", "roles": ["operator"], "plants": "*"}}}
    (folder / "access.yaml").write_text(yaml.safe_dump(access))
    with (folder / "lineshaft.yaml").open("a") as settings:
        settings.write("access: access.yaml\n")
    said = await lineshaft(folder, "exceptions", "assign", one, "--to", "ann", gives=1)
    assert "did you mean 'anna'?" in said
    assert "assigned to anna" in await lineshaft(folder, "exceptions", "assign", one, "--to", "anna")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("redrive",), "which exceptions?"),
        (("redrive", "x", "--all"), "which exceptions?"),
        (("discard", "x", "--owner", "y", *WHY), "filters choose among all"),
        (("fix", "x", *WHY), "what is to be fixed?"),
        (("fix", "x", "--payload", "nowhere.json", *WHY), "nowhere.json cannot be read"),
        (("discard", "x"), "a reason is missing"),
        (("show", "x"), "there is no exception 'x'"),
    ],
)
async def test_what_cannot_be_done_is_said(words: tuple[str, ...], why: str, folder: Path) -> None:
    assert why in await lineshaft(folder, "exceptions", *words, gives=1)


async def test_a_touched_audit_is_told_with_exit_code_1(folder: Path) -> None:
    async with desk_of(folder) as desk:
        await desk.report([dead_event()])
    await lineshaft(folder, "exceptions", "discard", "--all", *WHY)
    store = Store.open(f"sqlite:///{folder / 'data' / 'lineshaft.db'}")
    await store.write(
        lambda connection: connection.exec_driver_sql("update audit set reason = 'other'") and None
    )
    await store.close()
    assert "operator:1: edited" in await lineshaft(folder, "audit", "verify", gives=1)
    report = await told(folder, "audit", "verify", gives=1)
    assert (report["ok"], report["findings"][0]["seq"]) == (False, 1)
