"""A user's own system, capability and mapping: the features that the example plant does not need."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from rest_facts import call

from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.contracts.capability import Capability, command, query
from lineshaft.core.errors import BusinessFault, ConfigError, TransientFault
from lineshaft.core.ports import HealthState
from lineshaft.core.values import Key, Value

MAPPING = """\
title: Gate system
capabilities: [gates]
error: {code: result.code, text: result.text, in_success: true}
errors:
  LOCKED: {code: record_locked, retry: true}
  FULL: {code: yard_full, owner: yard}
maps:
  state: {open: [OPEN, AJAR], shut: SHUT}
operations:
  gates.gate:
    method: GET
    path: /gates
    query: |
      {id: gate, verbose: `true`}
    reply: |
      {gate: answer.id, state: map_back('state', answer.status)}
  gates.move:
    method: PUT
    path: /gates/{gate}/moves/{key}
    send: |
      {status: map_value('state', state)}
    reply: request
    find:
      path: /gates/{gate}/moves/{key}
      reply: answer && request
      absent_on_404: true
"""


class GateRef(Value, frozen=True, kw_only=True):
    gate: Key


class GateMove(Value, frozen=True, kw_only=True):
    gate: Key
    state: str


class Gates(Capability, name="gates", system_kind="yard"):
    @query(owner="yard", entity="gate")
    async def gate(self, request: GateRef) -> GateMove:
        """What state the gate is in."""
        raise NotImplementedError

    @command(key=("gate", "state"), owner="yard", entity="gate", document="gate")
    async def move(self, request: GateMove) -> GateMove:
        """Open or shut the gate."""
        raise NotImplementedError


class Yard:
    def __init__(self) -> None:
        self.moves: dict[str, Any] = {}
        self.asked: list[str] = []
        self.result: dict[str, str] | None = None

    async def gate(self, request: web.Request) -> web.Response:
        self.asked.append(request.query_string)  # aiohttp has decoded it
        return web.json_response({"id": request.query["id"], "status": "AJAR"})

    async def move(self, request: web.Request) -> web.Response:
        if self.result is not None:
            return web.json_response({"result": self.result}, headers={"Retry-After": "3"})
        self.moves[request.path] = await request.json()
        return web.Response(status=204)

    async def find(self, request: web.Request) -> web.Response:
        if request.path not in self.moves:
            return web.Response(status=404)
        return web.json_response(self.moves[request.path])


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[tuple[Yard, RestConnector]]:
    system = Yard()
    app = web.Application()
    app.router.add_get("/gates", system.gate)
    app.router.add_put("/gates/{gate}/moves/{key}", system.move)
    app.router.add_get("/gates/{gate}/moves/{key}", system.find)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "gates.yaml").write_text(MAPPING)
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connector = RestConnector(
        RestSettings(name="yard", url=url, mapping=str(tmp_path / "gates.yaml")),
        capabilities={"gates": Gates},
    )
    await connector.start()
    yield system, connector
    await connector.close()
    await runner.cleanup()


async def test_query_parameters_and_two_of_theirs_for_one_of_ours(yard) -> None:
    system, connector = yard
    assert await connector.gate(call(), GateRef(gate="N 1")) == GateMove(gate="N 1", state="open")
    assert system.asked == ["id=N 1&verbose=true"]


async def test_an_empty_answer_is_enough_where_the_reply_says_so(yard) -> None:
    system, connector = yard
    move = GateMove(gate="N1", state="open")
    assert await connector.find_move(call("k"), move) is None
    assert await connector.move(call("k"), move) == move
    assert system.moves == {"/gates/N1/moves/k": {"status": "OPEN"}}
    assert await connector.find_move(call("k"), move) == move


async def test_a_failure_in_a_success_is_a_failure(yard) -> None:
    system, connector = yard
    move = GateMove(gate="N1", state="shut")
    system.result = {"code": "FULL", "text": "no room"}
    with pytest.raises(BusinessFault, match="FULL: no room") as refused:
        await connector.move(call(), move)
    assert (refused.value.code, refused.value.owner) == ("yard_full", "yard")
    system.result = {"code": "LOCKED"}
    with pytest.raises(TransientFault) as locked:
        await connector.move(call(), move)
    assert (locked.value.code, locked.value.retry_after_s) == ("record_locked", 3.0)
    system.result = {"code": "NEW"}
    with pytest.raises(BusinessFault) as refused:
        await connector.move(call(), move)
    assert refused.value.code == "rejected"
    assert not system.moves


async def test_any_answer_is_health_where_no_path_is_given(yard) -> None:
    _, connector = yard
    assert (await connector.health()).state is HealthState.ACTIVE


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("yard.example", "no http or https address"),
        ("https://höfe.example", "xn--"),
        ("https://yard.example:0", "1 to 65535"),
        ("https://yard.example:70000", "1 to 65535"),
        ("https://yard.example:x", "1 to 65535"),
        ("https://me@yard.example", "user"),
    ],
)
def test_an_address_that_cannot_be_asked(tmp_path: Path, url: str, says: str) -> None:
    (tmp_path / "gates.yaml").write_text(MAPPING)
    with pytest.raises(ConfigError) as refused:
        RestConnector(
            RestSettings(name="yard", url=url, mapping=str(tmp_path / "gates.yaml")),
            capabilities={"gates": Gates},
        )
    assert says in str(refused.value.findings)


async def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "gates.yaml").write_text(MAPPING)
    (tmp_path / "ca.pem").write_text("nothing")
    for ca_file in ("ca.pem", "none.pem"):
        settings = RestSettings(
            name="yard",
            url="https://yard.invalid",
            mapping=str(tmp_path / "gates.yaml"),
            ca_file=str(tmp_path / ca_file),
        )
        connector = RestConnector(settings, capabilities={"gates": Gates})
        with pytest.raises(ConfigError, match="ca_file"):
            await connector.start()
