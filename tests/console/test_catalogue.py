"""The page of contracts, with a registry, without one, and while it does not answer."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from lineshaft.app.service_levels import USUAL_LEVELS
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.registry import (
    Kind,
    LiveContract,
    Party,
    Registration,
    Role,
    State,
)
from lineshaft.core.errors import TransientFault
from lineshaft.insight.rollups import Rollups
from lineshaft.store import Store
from tests.console.conftest import Console, serving
from tests.console.factory import EPISODE, MovedClock
from tests.console.test_page import ATTACK, text_of

NAME = "production.confirmation.recorded"


class Registry:
    """Two contracts and who uses them. Implements ContractRegistry as far as the page asks."""

    def __init__(self) -> None:
        self.away = False

    async def contracts(self) -> Sequence[LiveContract]:
        if self.away:
            raise TransientFault("the database does not answer")
        document = EVENTS[f"{NAME}.v1"].schema.document
        about = {"digest": "sha256:1", "by": "anna", "at": "2026-02-03T10:00:00Z"}
        return [
            LiveContract(
                name=NAME,
                version="1.4",
                kind=Kind.EVENT,
                owner="production",
                state=State.DEPRECATED,
                sunset="2027-01-01",
                document=document,
                **about,
            ),
            LiveContract(
                name="partner.advice",
                version="3.0",
                kind=Kind.EXTERNAL,
                owner=ATTACK,
                state=State.PUBLISHED,
                document={"title": ATTACK, "properties": {"weight": {"description": ATTACK}}},
                **about,
            ),
        ]

    async def contract(self, name: str, major: int | None = None) -> LiveContract:
        return next(each for each in await self.contracts() if each.name == name)

    async def parties(self, name: str = "") -> Sequence[Registration]:
        about: dict[str, Any] = {"contract": NAME, "major": 1, "origin": "api", "at": "", "by": ""}
        return [
            Registration(party="board", fields=("yield_quantity",), contact=ATTACK, **about),
            Registration(party="mes-1", role=Role.PRODUCER, **about),
        ]

    async def register_party(self, party: Party, *, by: str) -> None: ...

    async def withdraw_party(self, party: Party, *, by: str, reason: str) -> None: ...

    async def deprecate(self, name: str, major: int, *, sunset: date, by: str, reason: str) -> None: ...

    async def retire(self, name: str, major: int, *, by: str, reason: str) -> None: ...


@asynccontextmanager
async def catalogue(store: Store, registry: Registry | None) -> AsyncIterator[Console]:
    async with serving(store, registry=registry) as console:
        yield console


@pytest.fixture
async def console(store: Store) -> AsyncIterator[Console]:
    async with catalogue(store, None) as console:
        yield console


async def test_the_page_lists_every_declared_contract(console: Console) -> None:
    page = await console.get("/catalogue")
    for kind in EVENTS:
        assert f'href="catalogue?contract={kind}"' in page
    assert "erp.create_requisition" in text_of(page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=procurement.requisition", ["procurement.requisition.created.v1"]),
        ("q=REQUISITION+created", ["procurement.requisition.created.v1"]),
        ("q=failure_code&kind=event", ["maintenance.order.completed.v1"]),
        ("q=no+such+thing", []),
        ("kind=external", []),
    ],
)
async def test_contracts_are_found_by_any_word(query: str, found: list[str], console: Console) -> None:
    page = await console.get(f"/catalogue?{query}")
    listed = re.findall(r'href="catalogue\?contract=([^"&]+)', page)
    assert listed == found
    assert ("No contract has all of these words." in page) == (not found)


async def test_every_contract_can_be_opened(console: Console) -> None:
    page = await console.get("/catalogue?kind=command")
    links = re.findall(r'href="(catalogue\?contract=[^"]+)"', page)
    assert len(links) > 30
    for link in [*links[:5], "catalogue?contract=production.order.released.v1"]:
        opened = await console.get("/" + link.replace("&amp;", "&"))
        assert 'class="panel contract"' in opened
        assert "Example" in opened


async def test_one_contract_with_all_that_is_known_of_it(store: Store) -> None:
    async with catalogue(store, Registry()) as console:
        page = await console.get(f"/catalogue?contract={NAME}.v1")
        text = text_of(page)
    for shown in ("deprecated", "1.4", "2027-01-01", "boardconsumeryield_quantity", "mes-1producerall"):
        assert shown in text, shown
    assert "near real time, within 60" in text
    assert re.search(r"yield_quantity\*quantityboard", text)
    assert re.search(r"shift_id\*string key(?!board)", text)
    assert "&#34;confirmation_type&#34;: &#34;partial&#34;" in page
    assert 'aria-current="page"' in page


async def test_without_its_registry_the_page_shows_what_came_with_the_product(store: Store) -> None:
    registry = Registry()
    registry.away = True
    async with catalogue(store, registry) as console:
        text = text_of(await console.get("/catalogue"))
    assert "The registry does not answer. the database does not answer" in text
    assert "production.order.released.v1" in text


async def test_what_others_write_is_text(store: Store) -> None:
    async with catalogue(store, Registry()) as console:
        pages = [
            await console.get(f"/catalogue?contract={NAME}.v1"),
            await console.get("/catalogue?contract=partner.advice"),
            await console.get(f"/catalogue?q={quote(ATTACK)}&owner={quote(ATTACK)}"),
            await console.get(f"/catalogue?contract={quote(ATTACK)}"),
        ]
    for page in pages:
        assert "<script>" not in page
        assert "alert(1)" in page
        assert not re.search(r"\s(style|on\w+)=", page)


async def test_the_list_is_a_file_too(console: Console) -> None:
    rows = list(csv.DictReader((await console.get("/catalogue?q=requisition&format=csv")).splitlines()))
    assert [(row["contract"], row["kind"]) for row in rows] == [
        ("erp.create_requisition", "command"),
        ("procurement.requisition.created.v1", "event"),
    ]


async def test_how_much_a_contract_is_used_is_told(store: Store) -> None:
    clock = MovedClock(EPISODE + timedelta(hours=4))
    rollups = Rollups(store, USUAL_LEVELS, clock)
    while not await rollups.look() or await rollups.look_back():
        pass
    async with serving(store, clock=clock) as console:
        told = text_of(await console.get("/catalogue?contract=equipment.condition.threshold_exceeded.v1"))
        called = text_of(await console.get("/catalogue?contract=maintenance.create_request"))
    assert "told3 in the last 24 h" in told
    assert "called1 in the last 24 h, 95 % within" in called


async def test_an_unknown_contract_is_told(console: Console) -> None:
    async with console.http.get("/catalogue?contract=no.such.v1") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "There is no contract “no.such.v1”." in text_of(await answer.text())
