from __future__ import annotations

import re
from typing import Any

from lineshaft.console.moments import PlantTime
from lineshaft.console.story import Story, stories
from lineshaft.console.tones import Tone
from lineshaft.ledger import Reads
from lineshaft.store import Store
from tests.console.conftest import Console

BERLIN = PlantTime("Europe/Berlin")


async def told(store: Store, key: str) -> Story:
    (story,) = stories(await Reads(store).trace(key), BERLIN)
    return story


async def test_a_story_runs_from_the_reading_to_the_document(store: Store) -> None:
    story = await told(store, "MO-10231")
    kinds = [entry.kind for entry in story.entries]
    assert kinds[:4] == ["reading", "event", "process", "step"]
    assert story.entries[-1].title == "publish maintenance.order.settled.v1"
    assert story.documents[-1] == "tryton SHIP/2026/0412"
    assert kinds.index("document") > kinds.index("call")
    assert story.inventory == "1 reading · 3 events · 1 process · 7 steps · 4 calls · 4 documents"
    assert (story.outcome, story.tone, story.unfinished) == ("complete", Tone.GOOD, False)


async def test_offsets_count_from_the_first_moment_and_long_rests_are_told(store: Store) -> None:
    story = await told(store, "MO-10231")
    assert [entry.offset for entry in story.entries[:4]] == ["+0 ms", "+100 ms", "+300 ms", "+310 ms"]
    gaps = [entry for entry in story.entries if entry.gap]
    assert [(entry.title, entry.gap, entry.offset) for entry in gaps] == [
        ("maintenance.order.completed.v1", "2 h 02 min", "+2 h 02 min 21 s")
    ]
    assert story.lasted == "2 h 02 min"


async def test_causes_are_named_where_the_order_does_not_tell_them(store: Store) -> None:
    story = await told(store, "MO-10231")
    posted = next(entry for entry in story.entries if entry.title == "inventory.movement.posted.v1")
    assert posted.cause is not None
    assert posted.cause.title == "erp.post_consumption → tryton"
    assert story.entries[posted.cause.number - 1].title == posted.cause.title
    assert all(entry.cause is None for entry in story.entries if entry.kind == "step")


async def test_what_went_wrong_is_said_in_words(store: Store) -> None:
    story = await told(store, "CAPPER-02")
    assert story.outcome == "process parked, step rejected, call rejected, exception open"
    assert story.tone is Tone.BAD
    assert story.unfinished
    step = next(entry for entry in story.entries if entry.kind == "step")
    assert step.error == "the period 2026-03 is closed (closed_period, finance)"


async def test_the_entries_that_carry_the_key_are_marked(store: Store) -> None:
    story = await told(store, "SHIP/2026/0412")
    assert [entry.kind for entry in story.entries if entry.asked] == ["call", "document", "event"]


async def test_the_trace_page_tells_the_story_in_order(console: Console) -> None:
    page = await console.get("/trace?key=MO-10231")
    titles = [
        re.sub(r"<[^>]+>", "", title) for title in re.findall(r'<span class="title">(.*?)</span>', page)
    ]
    assert titles[:3] == [
        "nordquell/hamburg/bl2/filler/seal = 1.42 BAR",
        "equipment.condition.threshold_exceeded.v1",
        "corrective_maintenance v1",
    ]
    assert titles.index("erp.post_consumption → tryton") < titles.index("tryton SHIP/2026/0412")
    assert page.count("<summary>request</summary>") == 4
    assert "&#34;physical_asset_id&#34;: &#34;FILLER-07&#34;" in page
    assert "2 h 02 min later" in page
    assert 'href="#s1-' in page


async def test_several_stories_follow_each_other_newest_first(console: Console) -> None:
    page = await console.get("/trace?key=BL2-FILL")
    keys = re.findall(r'<span class="story-title">.*?<span class="key">([^/]+)/', page)
    assert [re.sub(r"<[^>]+>", "", key) for key in keys] == ["LABELLER-01", "CAPPER-02", "FILLER-07"]


async def test_an_empty_answer_says_what_can_be_asked(console: Console) -> None:
    for path in ("/trace", "/trace?key=", "/trace?key=%20", "/trace?key=NOBODY"):
        page = await console.get(path)
        assert "You can ask for:" in page
        assert ("Nothing is known under “NOBODY”" in page) == path.endswith("NOBODY")


def test_of_a_long_answer_only_the_first_story_is_open() -> None:
    trace = _long_trace(stories=3, entries=100)
    assert [story.opens for story in stories(trace, BERLIN)] == [True, False, False]
    trace = _long_trace(stories=3, entries=4)
    assert [story.opens for story in stories(trace, BERLIN)] == [True, True, True]


def test_a_story_without_times_or_with_odd_payloads_is_still_told() -> None:
    nodes = [
        {"kind": "call", "id": "c", "at": "", "title": "erp.x → erp", "state": "sending", "request": "plain"},
        {"kind": "step", "id": "p/1", "at": "nonsense", "title": "call erp.x", "error": "[1]", "output": [1]},
    ]
    trace = {"query": "c", "stories": [{"correlation_id": "k", "nodes": nodes, "edges": []}], "more": 0}
    (story,) = stories(trace, BERLIN)
    assert [entry.offset for entry in story.entries] == ["", ""]
    assert story.begins is None
    assert story.entries[1].error == "[1]"


def test_a_large_payload_is_cut_and_says_so() -> None:
    nodes = [
        {"kind": "event", "id": "e", "at": "2026-03-09T13:00:00Z", "title": "x", "data": {"a": "b" * 50_000}}
    ]
    trace = {"query": "e", "stories": [{"correlation_id": "k", "nodes": nodes, "edges": []}], "more": 0}
    (payload,) = stories(trace, BERLIN)[0].entries[0].payloads
    assert payload.cut
    assert len(payload.text) == 20_000


def _long_trace(*, stories: int, entries: int) -> dict[str, Any]:
    nodes = [
        {
            "kind": "event",
            "id": f"e{number}",
            "at": f"2026-03-09T13:00:{number % 60:02d}.000000Z",
            "title": "x",
        }
        for number in range(entries)
    ]
    found = [{"correlation_id": f"k{number}", "nodes": nodes, "edges": []} for number in range(stories)]
    return {"query": "q", "stories": found, "more": 0}
