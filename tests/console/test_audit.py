"""The audit as a page: who did what and why, found and paged; verified on demand."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from lineshaft.app.audit_api import audit_routes
from lineshaft.console import Page
from lineshaft.console.screens.audit import AuditScreen
from lineshaft.ledger import Audit, AuditEntry
from lineshaft.ledger.audit_reads import AuditReads
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.console.conftest import serving
from tests.console.test_page import text_of
from tests.console.visiting import a_shell, pages_of, shown

NIGHT = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)  # 00:30 of 10 March in the plant


def entry(number: int = 0, **fields: Any) -> AuditEntry:
    given: dict[str, Any] = {"actor": "user:anna", "action": "exception.fixed", "subject": f"x-{number}"}
    return AuditEntry(**given | fields)


async def append(store: Store, *entries: AuditEntry, at: datetime = NIGHT) -> None:
    audit = Audit("operator", ManualClock(at))
    await store.write(lambda connection: audit.append(connection, entries))


def page_of(store: Store) -> Page:
    return pages_of(AuditScreen(a_shell(), AuditReads(store), None))["/audit"]


def subjects(page: str) -> list[str]:
    return re.findall(r'href="exception\?id=([^"]+)"', page)


async def test_rows_say_who_did_what_to_what_and_why(store: Store) -> None:
    correction = {"before": '{"quantity":2}', "after": '{"quantity":1}', "step": "3"}
    await append(
        store,
        entry(1, reason="a typing error"),
        entry(2, action="process.corrected", subject="p-1", detail=correction),
    )
    page = await shown(page_of(store))
    assert "a typing error" in page
    assert 'href="process?id=p-1"' in page
    assert 'href="trace?key=' in page  # the calls of the story
    assert "erp.<wbr>post_<wbr>consumption → tryton" in page
    change = re.search(r'data-before="([^"]+)" data-after="([^"]+)"', page)
    assert change
    assert [part.replace("&#34;", '"').split() for part in change.groups()] == [
        ["{", '"quantity":', number, "}"] for number in ("2", "1")
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"actor": "user:ben"}, ["x-2"]),
        ({"action": "exception.fixed", "actor": "user:anna"}, ["x-1"]),
        ({"action": "exception.*"}, ["x-3", "x-2", "x-1"]),
        ({"subject": "x-3"}, ["x-3"]),
        ({"from": "2026-03-10", "to": "2026-03-10"}, ["x-2", "x-1"]),
        ({"from": "2026-03-11"}, ["x-3"]),
        ({"to": "2026-03-09", "action": "exception.*"}, []),
        ({"from": "2026-03-10T23:30:00-01:00"}, ["x-3"]),
    ],
)
async def test_rows_are_found(query: dict[str, str], found: list[str], store: Store) -> None:
    """Days are the plant's."""
    await append(store, entry(1), entry(2, actor="user:ben"))
    await append(store, entry(3, action="exception.discarded"), at=datetime(2026, 3, 11, 8, tzinfo=UTC))
    page = await shown(page_of(store), **query)
    assert subjects(page) == found
    assert ("Nothing that was done has all of these." in page) == (not found)


async def test_pages_follow_each_other_and_a_file_has_all(store: Store) -> None:
    await append(store, *(entry(number) for number in range(120)))
    page = page_of(store)
    query = {"action": "exception.fixed"}
    seen: list[str] = []
    for _ in range(3):
        told = await shown(page, **query)
        seen += subjects(told)
        following = re.search(r'href="audit\?action=exception.fixed&amp;after=([^"]+)" rel="next"', told)
        if following:
            query["after"] = following[1].replace("+", " ").replace("%3A", ":")
    assert following is None
    assert seen == [f"x-{number}" for number in reversed(range(120))]
    assert 'rel="first"' in told
    rows = list(csv.DictReader((await shown(page, action="exception.fixed", format="csv")).splitlines()))
    assert [row["subject"] for row in rows] == seen
    assert subjects(await shown(page, after="no such place", action="exception.fixed")) == seen[:50]


async def test_details_are_shown_as_the_account_may_see_them(store: Store) -> None:
    await append(store, entry(1, detail={"secret": "4711"}))

    def masked(value: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(value, "***")

    assert "4711" in await shown(page_of(store))
    assert "4711" not in await shown(page_of(store), shows=masked)
    assert "4711" not in await shown(page_of(store), shows=masked, format="csv")


async def test_fields_within_a_correction_are_hidden_too(store: Store) -> None:
    """Values before and after it are kept as text."""
    texts = dict.fromkeys(("before", "after", "value"), '{"lot": "L-1", "secret": "4711"}')
    await append(store, entry(1, action="process.corrected", detail={**texts, "step": "3"}))

    def without(value: dict[str, Any]) -> dict[str, Any]:
        return {name: each for name, each in value.items() if name != "secret"}

    for query in ({}, {"format": "csv"}):
        assert "4711" in await shown(page_of(store), **query)
        seen = await shown(page_of(store), shows=without, **query)
        assert "L-1" in seen
        assert "4711" not in seen


async def test_it_is_verified_on_demand(store: Store) -> None:
    clock = ManualClock()  # what happened before midnight is told with its day
    verifier = Verifier(store, Audit("hub-1", clock), clock)
    await append(store, entry(1), entry(2))
    async with serving(store, clock=clock, verifier=verifier, routes=audit_routes(verifier)) as console:
        assert "Nobody has verified it yet." in await console.get("/audit")
        async with console.http.post("/api/audit/verify", json={"by": "anna"}) as answer:
            assert (answer.status, (await answer.json())["found"]) == (200, 0)
        said = text_of(await console.get("/audit"))
        assert re.search(r"verified 8 rows of 2 chains, [\d:]+ by anna", said)
        assert 'data-copy="node:6:' in await console.get("/audit")

        def edit(connection: Any) -> None:
            connection.execute(text("update audit set reason = 'x' where seq = 1 and chain = 'operator'"))

        await store.write(edit)
        async with console.http.post("/api/audit/verify", json={"by": "anna"}) as answer:
            assert (await answer.json())["found"] == 1
        said = text_of(await console.get("/audit"))
        assert "changed since it was written 1 finding in 9 rows of 3 chains" in said
        assert "operator:1: edited" in said
        async with console.http.post("/api/audit/verify", json={}) as answer:
            assert answer.status == 422  # nobody says who asks


async def test_who_cannot_ask_is_offered_nothing(store: Store) -> None:
    assert "Verify now" not in await shown(page_of(store))
