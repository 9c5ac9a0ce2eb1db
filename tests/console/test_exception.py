"""One exception: what is wrong with it, in place, and every way to put it right."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lineshaft.console.page import Visit
from lineshaft.core.access import LOCAL
from lineshaft.core.exceptions import Chosen
from lineshaft.store import Store
from tests.console.exception_tower import Tower, refused
from tests.ledger.exceptions_at_work import WHY, dead_event, reading


@pytest.fixture
async def tower(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Tower]:
    file = shutil.copy(migrated_sqlite, tmp_path / "lineshaft.db")
    store = Store.open(f"sqlite:///{file}")
    yield Tower(store)
    await store.close()


def part(page: str, name: str) -> str:
    """Up to the next live part."""
    return re.split(r"<(?:section|div)[^>]* data-live", page.split(f'id="{name}"')[1])[0]


async def test_what_is_wrong_stands_beside_the_line_that_is(tower: Tower) -> None:
    (one,) = await tower.report(dead_event())
    page = await tower.page(f"/exception?id={one}")
    assert "Payload breaks its contract" in page
    assert "Correct the payload, then redrive it." in page
    wrong = re.findall(r'<li class="wrong">\s*([^<]+)<span class="finding">([^<]+)', page)
    assert wrong == [('"unit": 7,', '7 is not of type "string"')]
    assert 'href="catalogue?contract=equipment.condition.threshold_exceeded.v1"' in page
    assert "It was not redriven yet" in page
    assert "nobody yet" in part(page, "facts")


async def test_from_wrong_to_redriven(tower: Tower) -> None:
    (one,) = await tower.report(dead_event())
    url = f"/api/exceptions/{one}/fix"
    refused = await tower.reply(url, body={"set": ["unit=8"], "reason": "r"})
    assert (refused.status, refused.json["errors"]) == (422, ['unit: 8 is not of type "string"'])
    assert (await tower.reply(url, body={"set": ["unit=BAR"], "reason": "it sent PSI"})).json["revision"] == 1
    page = await tower.page(f"/exception?id={one}")
    assert "The payload, as corrected (1)" in page
    assert "as its contract says" in page
    assert part(page, "payload").count('"unit": 7') == 1  # as it came
    assert "corrected the payload: correction 1" in part(page, "history")
    assert "“it sent PSI”" in part(page, "history")
    body = {"ids": [one], "reason": "mended", "wait_s": 0}
    assert (await tower.reply("/api/exceptions/redrive", body=body)).json[0]["verdict"] == "waiting"
    page = await tower.page(f"/exception?id={one}")
    assert "on its way" in part(page, "head")
    assert "the event is on its way" in part(page, "led-to")
    assert "api/exceptions/redrive" not in page
    assert 'class="editor"' not in page


async def test_the_documents_that_it_led_to_can_be_traced(tower: Tower) -> None:
    await tower.bench.process("p1", state="retrying")
    (one,) = await tower.report(refused(1))
    await tower.bench.redrive()
    await tower.bench.call(document="MR/17")
    page = await tower.page(f"/exception?id={one}")
    assert 'href="trace?key=MR/17"' in part(page, "led-to")
    assert "cmms · maintenance.create_request" in part(page, "led-to")


async def test_a_way_that_leads_nowhere_is_not_offered(tower: Tower) -> None:
    (one,) = await tower.report(reading(topic=""))
    page = await tower.page(f"/exception?id={one}")
    assert "have its sender corrected, then discard it" in page
    assert "api/exceptions/redrive" not in page
    assert "api/exceptions/discard" in page
    assert 'class="editor"' not in page


@pytest.mark.parametrize(
    ("payload", "said"),
    [(b"\x00\xff\x10", "00 ff 10"), ("höher".encode(), "höher"), (b"", "Nothing came with it")],
)
async def test_a_payload_that_is_no_json_is_shown(tower: Tower, payload: bytes, said: str) -> None:
    (one,) = await tower.report(reading(payload=payload))
    assert said in part(await tower.page(f"/exception?id={one}"), "payload")


async def test_it_is_given_to_somebody(tower: Tower) -> None:
    (one,) = await tower.report(reading())
    page = await tower.page(f"/exception?id={one}")
    assert 'name="to" value="anna">Take it myself' in page
    await tower.reply("/api/exceptions/assign", body={"ids": [one], "to": "anna"})
    page = await tower.page(f"/exception?id={one}")
    assert 'data-mark="anna">anna' in page
    assert "Take it myself" not in page
    assert "gave it to anna" in part(page, "history")


async def test_who_only_looks_is_offered_nothing(tower: Tower) -> None:
    (one,) = await tower.report(dead_event())
    page = await tower.page(f"/exception?id={one}", who="ben")
    assert "api/exceptions/" not in page
    assert "7 is not of type" in page


async def test_one_of_another_plant_is_not_there(tower: Tower) -> None:
    (one,) = await tower.report(dead_event(plant="PARIS"))
    for who, status in (("anna", 404), ("ben", 404), ("chief", 200)):
        assert (await tower.reply(f"/exception?id={one}", who)).status == status
    assert (await tower.reply("/exception?id=")).status == 404
    assert (await tower.reply("/exception?id=%3Cscript%3E")).status == 404


async def test_fields_that_an_account_may_not_see_are_not_shown_nor_edited(tower: Tower) -> None:
    (one,) = await tower.report(dead_event())
    screen = tower.pages["console-exception"]

    def shown(value: Any) -> Any:
        return {**value, "unit": "***"}

    answer = await screen.show(Visit(caller=LOCAL, query={"id": one}, shown=shown))
    page = html.unescape(bytes(answer.body).decode())
    assert "***" in page
    assert "Parts of it are hidden from your account" in page
    assert 'class="editor"' not in page
    assert "7 is not of type" not in part(page, "payload")  # a finding names the value


async def test_what_is_closed_says_so(tower: Tower) -> None:
    (one,) = await tower.report(reading())
    await tower.bench.work.discard(Chosen(ids=[one]), **WHY)
    page = await tower.page(f"/exception?id={one}")
    assert "Nothing: it is closed." in page
    assert 'id="acts"' not in page
    assert "discarded it" in part(page, "history")
