from __future__ import annotations

from typing import Any

from lineshaft.console.moments import PlantTime
from lineshaft.console.story import Story, stories
from lineshaft.console.tones import Tone
from lineshaft.ledger import Reads
from lineshaft.store import Store

BERLIN = PlantTime("Europe/Berlin")


async def told(store: Store, key: str) -> Story:
    (story,) = stories(await Reads(store).trace(key), BERLIN)
    return story


async def test_a_story_runs_from_the_reading_to_the_document(store: Store) -> None:
    story = await told(store, "MO-10231")
    kinds = [entry.kind for entry in story.entries]
    assert kinds[:5] == ["reading", "rule", "event", "process", "step"]
    assert story.entries[-1].title == "publish maintenance.order.settled.v1"
    assert story.documents[-1] == "tryton SHIP/2026/0412"
    assert kinds.index("document") > kinds.index("call")
    assert story.inventory == "1 reading · 1 rule · 3 events · 1 process · 7 steps · 4 calls · 4 documents"
    assert (story.outcome, story.tone, story.unfinished) == ("complete", Tone.GOOD, False)


async def test_offsets_count_from_the_first_moment_and_long_rests_are_told(store: Store) -> None:
    story = await told(store, "MO-10231")
    assert [entry.offset for entry in story.entries[1:5]] == ["+100 ms", "+100 ms", "+300 ms", "+310 ms"]
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


def test_of_a_long_answer_only_the_first_story_is_open() -> None:
    trace = _long_trace(stories=3, entries=100)
    assert [story.opens for story in stories(trace, BERLIN)] == [True, False, False]
    assert [len(story.entries) for story in stories(trace, BERLIN)] == [100, 0, 0]
    trace = _long_trace(stories=3, entries=4)
    assert [story.opens for story in stories(trace, BERLIN)] == [True, True, True]


def test_of_a_long_story_the_ends_and_what_is_notable_are_shown() -> None:
    trace = _long_trace(stories=1, entries=500)
    nodes = trace["stories"][0]["nodes"]
    nodes[200] |= {"kind": "call", "state": "rejected"}
    nodes[250] |= {"kind": "document", "id": "erp:4711"}
    nodes[300] |= {"subject": "q"}
    (story,) = stories(trace, BERLIN)
    assert [entry.number for entry in story.entries if 60 < entry.number <= 470] == [201, 251, 301]
    assert {entry.number: entry.left_out for entry in story.entries if entry.left_out} == {
        201: 140,
        251: 49,
        301: 49,
        471: 169,
    }
    assert (story.count, story.outcome) == (500, "call rejected")
    (story,) = stories(trace, BERLIN, whole=True)
    assert len(story.entries) == 500


async def test_facts_lead_on(store: Store) -> None:
    trace = await Reads(store).trace("MO-10231")
    (story,) = stories(trace, BERLIN, versions={"maintenance.order.completed.v1": "1.4"})

    def facts(kind: str, title: str) -> dict[str, tuple[str, str]]:
        entry = next(entry for entry in story.entries if entry.kind == kind and title in entry.title)
        return {fact.label: (fact.text, fact.href) for fact in entry.facts}

    assert facts("rule", "seal")["limit"] == ("below 1.8 bar", "")
    assert facts("reading", "seal")["asset"] == ("FILLER-07", "asset?id=FILLER-07")
    contract = "catalogue?contract=maintenance.order.completed.v1"
    assert facts("event", "order.completed")["contract"] == ("1.4", contract)
    assert facts("call", "consumption")["contract"] == ("v1", "catalogue?contract=erp.post_consumption")
    hrefs = {entry.kind: entry.href for entry in story.entries}
    assert hrefs["process"].startswith("process?id=")
    assert hrefs["document"] == "trace?key=SHIP%2F2026%2F0412"


async def test_payloads_are_shown_as_the_account_may_see_them(store: Store) -> None:
    trace = await Reads(store).trace("MO-10231")
    (story,) = stories(trace, BERLIN, shown=lambda content: dict.fromkeys(content, "***"))
    texts = [payload.text for entry in story.entries for payload in entry.payloads]
    assert texts
    assert not any("SEAL-KIT-40" in text for text in texts)


def test_an_event_stands_beside_the_payload_that_it_was_read_from() -> None:
    at = "2026-03-09T13:00:00.000000Z"
    came = {"nr": "4711"}
    nodes = [
        {"kind": "exception", "id": "x", "at": at, "title": "refused", "state": "resolved", "payload": came},
        {"kind": "event", "id": "e", "at": at, "title": "a.b.c.v1", "data": {"id": "4711"}},
    ]
    found = [{"correlation_id": "k", "nodes": nodes, "edges": [["x", "e"]]}]
    (story,) = stories({"query": "e", "stories": found, "more": 0}, BERLIN)
    assert [payload.label for payload in story.entries[1].payloads] == ["as it came", "payload"]
    assert '"nr": "4711"' in story.entries[1].payloads[0].text


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
