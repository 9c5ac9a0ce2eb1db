"""The trace as a page: its stories, suggestions while typing, calls as they would be sent."""

from __future__ import annotations

import json
import re

import pytest

from lineshaft.console import Page, Visit
from lineshaft.console.screens.trace import TraceScreen
from lineshaft.core.access import LOCAL
from lineshaft.core.errors import TransientFault
from lineshaft.core.ports import WireMessage
from lineshaft.ledger.trace_reads import TraceReads
from lineshaft.store import Store
from tests.console.conftest import Console
from tests.console.factory import ASSET
from tests.console.test_page import text_of
from tests.console.visiting import ELSEWHERE, VIEWER, a_shell, pages_of, shown


def screen(store: Store, sent: WireMessage | str = "") -> dict[str, Page]:
    return pages_of(TraceScreen(a_shell(), TraceReads(store), lambda *_: sent))


async def test_the_page_tells_the_story_in_order(console: Console) -> None:
    page = await console.get("/trace?key=MO-10231")
    titles = [
        re.sub(r"<[^>]+>", "", title) for title in re.findall(r'<span class="title">(.*?)</span>', page)
    ]
    assert titles[:4] == [
        "nordquell/hamburg/bl2/filler/seal = 1.42 BAR",
        "seal-pressure-low version 3",
        "equipment.condition.threshold_exceeded.v1",
        "corrective_maintenance v1",
    ]
    assert titles.index("erp.post_consumption → tryton") < titles.index("tryton SHIP/2026/0412")
    assert page.count("<summary>request → reply</summary>") == 4
    assert "&#34;physical_asset_id&#34;: &#34;FILLER-07&#34;" in page
    assert "2 h 02 min later" in page
    (anchor,) = re.findall(r'<details class="story panel" id="(\w+)" open>', page)
    assert f'href="#{anchor}-' in page


async def test_several_stories_follow_each_other_newest_first(console: Console) -> None:
    page = await console.get("/trace?key=BL2-FILL")
    keys = re.findall(r'<span class="story-title">.*?<span class="key">([^/]+)/', page)
    assert [re.sub(r"<[^>]+>", "", key) for key in keys] == ["LABELLER-01", "CAPPER-02", "FILLER-07"]


async def test_an_empty_answer_says_what_can_be_asked_and_where_to_begin(console: Console) -> None:
    for path in ("/trace", "/trace?key=", "/trace?key=%20", "/trace?key=NOBODY"):
        text = text_of(await console.get(path))
        assert "You can ask for:" in text
        assert "corrective_maintenanceCAPPER-02/torque-low" in text.replace(" ", "")
        assert ("Nothing is known under “NOBODY”" in text) == path.endswith("NOBODY")


async def test_what_can_be_done_is_offered_to_who_may_do_it(store: Store) -> None:
    page = screen(store)["/trace"]
    for caller, offered in ((LOCAL, True), (VIEWER, False)):
        text = await shown(page, caller, key="CAPPER-02")
        assert ('data-url="api/exceptions/redrive"' in text) is offered
        assert ("/retry" in text) is offered


async def test_stories_of_other_plants_are_not_there(store: Store) -> None:
    pages = screen(store)
    text = await shown(pages["/trace"], ELSEWHERE, key="MO-10231")
    assert "Nothing is known under" in text
    assert "corrective" not in text
    assert await shown(pages["/keys"], ELSEWHERE, key="MO") == ""
    call = await call_of(store, "erp.post_consumption")
    assert "There is no call" in await shown(pages["/sent"], ELSEWHERE, call=call)


async def test_one_story_of_many_is_told_by_itself(store: Store) -> None:
    page = screen(store)["/trace"]
    (story,) = (await TraceReads(store).trace("MO-10231", None))["stories"]
    text = await shown(page, key="BL2-FILL", story=story["correlation_id"])
    assert text.count('class="story panel"') == 1
    assert 'class="match"' in text


async def test_keys_are_suggested_while_one_types(console: Console) -> None:
    page = await console.get("/keys?key=MO")
    assert re.findall(r'<option value="([^"]+)">', page) == ["MO-10231", "MO-10240"]
    assert await console.get("/keys?key=") == ""
    assert await console.get("/keys?key=M") == ""


async def call_of(store: Store, operation: str) -> str:
    (story,) = (await TraceReads(store).trace(ASSET, None))["stories"]
    return str(next(node["id"] for node in story["nodes"] if node.get("operation") == operation))


async def test_a_call_is_shown_as_todays_mapping_sends_it(store: Store) -> None:
    message = WireMessage(method="POST", address="/stock/moves", body={"artikel": "SEAL-KIT-40"})
    page = screen(store, message)["/sent"]
    call = await call_of(store, "erp.post_consumption")
    text = await shown(page, call=call)
    assert "POST /stock/moves" in text
    assert "&#34;artikel&#34;: &#34;SEAL-KIT-40&#34;" in text
    assert "&#34;cost_center&#34;: &#34;CC-410&#34;" in text
    masked = await shown(page, shows=lambda value: {**value, "cost_center": "***"}, call=call)
    assert "artikel" not in masked
    assert "CC-410" not in masked
    assert "not shown to you" in masked
    text = await shown(screen(store, "tryton speaks a protocol of its own.")["/sent"], call=call)
    assert "tryton speaks a protocol of its own." in text


async def test_a_ledger_that_is_away_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise TransientFault("the database does not answer")

    monkeypatch.setattr(TraceReads, "trace", away)
    answer = await screen(store)["/trace"].show(Visit(caller=LOCAL, query={"key": "MO-10231"}))
    assert answer.status_code == 503
    assert "the database does not answer" in bytes(answer.body).decode()


async def test_the_json_of_a_story_is_the_apis(store: Store) -> None:
    """What the page links to for download, asked for a story's own id."""
    found = await TraceReads(store).trace("MO-10231", None)
    (story,) = found["stories"]
    again = await TraceReads(store).trace(story["correlation_id"], None)
    assert json.dumps(again["stories"]) == json.dumps(found["stories"])
