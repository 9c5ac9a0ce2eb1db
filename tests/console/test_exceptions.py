"""The list of exceptions: desks and causes, rows, filters, files; what may be decided, and by whom."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lineshaft.core.exceptions import Chosen
from lineshaft.store import Store
from tests.console.exception_tower import Tower, refused
from tests.ledger.exceptions_at_work import dead_event, reading


@pytest.fixture
async def tower(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Tower]:
    file = shutil.copy(migrated_sqlite, tmp_path / "lineshaft.db")
    store = Store.open(f"sqlite:///{file}")
    yield Tower(store)
    await store.close()


def groups(page: str) -> list[tuple[str, int, bool]]:
    """Title, how many, and whether its rows are shown."""
    found = re.findall(
        r'aria-expanded="(\w+)"[^>]*>([^<]+)</a></h3>\s*<p class="group-count"><b>([\d\u202f]+)</b>', page
    )
    return [(title, int(number.replace("\u202f", "")), is_open == "true") for is_open, title, number in found]


def shown(page: str) -> list[str]:
    return re.findall(r'<tr id="e-([0-9a-f-]{36})"', page)


async def test_causes_are_grouped_by_desk_and_folded_when_there_are_many(tower: Tower) -> None:
    await tower.report(*(refused(number) for number in range(30)), dead_event(1))
    page = await tower.page()
    assert re.findall(r'aria-label="Desk ([^"]+)"', page) == ["maintenance", "plant-engineering"]
    assert groups(page) == [("unknown material …", 30, False), ("unit: 7 is not of type 'string'", 1, False)]
    assert shown(page) == []
    fold = re.search(r'class="fold" href="(exceptions\?open=[^"#]+)', page)
    assert fold
    opened = await tower.page(f"/{fold[1]}")
    assert groups(opened)[0] == ("unknown material …", 30, True)
    assert len(shown(opened)) == 20
    assert "of which these are the newest 20" in opened
    rest = re.search(r'<p class="more"><a href="(exceptions\?[^"]+)">All 30', opened)
    assert rest
    assert len(shown(await tower.page(f"/{rest[1]}"))) == 30


async def test_few_are_shown_without_being_asked_for(tower: Tower) -> None:
    await tower.report(*(refused(number) for number in range(3)))
    assert len(shown(await tower.page())) == 3
    assert shown(await tower.page("/exceptions?open=-")) == []


async def test_rows_go_on_from_page_to_page_and_into_a_file(tower: Tower) -> None:
    ids = await tower.report(*(refused(number) for number in range(120)))
    target, found = "exceptions?view=rows", list[str]()
    while target:
        page = await tower.page(f"/{target}")
        found += shown(page)
        following = re.search(r'<a href="([^"]+)" rel="next"', page)
        target = following[1] if following else ""
    assert sorted(found) == sorted(ids)
    assert len(found) == 120
    answer = await tower.reply("/exceptions?format=csv&cause=M-7")
    assert answer.headers["content-disposition"] == 'attachment; filename="exceptions.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == 11  # 7 and 70 to 79
    assert {row["owner"] for row in rows} == {"maintenance"}


async def test_what_a_group_chooses_is_what_the_api_decides_about(tower: Tower) -> None:
    await tower.report(
        *(refused(number) for number in range(25)), refused(99, owner="finance"), dead_event(1)
    )
    page = await tower.page()
    filters = [json.loads(found) for found in re.findall(r"data-filters='([^']+)'", page)]
    assert filters[0] == {"owner": "maintenance", "pattern": "unknown material …"}
    body = {"all": True, "expect": 25, "reason": "written off", **filters[0]}
    assert (await tower.reply("/api/exceptions/discard", body=body | {"expect": 24})).status == 409
    done = await tower.reply("/api/exceptions/discard", body=body)
    assert len(done.json["discarded"]) == 25
    assert [number for _, number, _ in groups(await tower.page())] == [1, 1]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("owner=finance", 1),
        ("kind=contract_violation", 1),
        ("cause=MATERIAL", 2),
        ("source=pump-2", 1),
        ("assignee=me", 1),
        ("assignee=-", 3),
        ("assignee=anna", 1),
        ("since=2026-03-02&until=2026-03-02", 4),
        ("since=2026-03-03", 0),
        ("until=2026-03-01", 0),
        ("state=all", 4),
        ("state=redriven", 0),
        ("state=colour", 4),
    ],
)
async def test_filters(tower: Tower, query: str, count: int) -> None:
    ids = await tower.report(refused(1), refused(2), refused(3, owner="finance", cause="x"), dead_event(1))
    await tower.bench.work.assign(Chosen(ids=ids[:1]), "anna", by="anna", reason="")
    for view in ("", "&view=rows"):
        assert len(shown(await tower.page(f"/exceptions?{query}{view}"))) == count


async def test_only_plants_that_one_sees_are_there(tower: Tower) -> None:
    await tower.report(refused(1), refused(2, plant="LYON"), refused(3, plant="PARIS"))
    assert len(shown(await tower.page())) == 1
    assert len(shown(await tower.page(who="ben"))) == 2
    everything = await tower.page(who="chief")
    assert len(shown(everything)) == 3
    assert re.findall(r'<option value="(LYON|NSP|PARIS)"', everything) == ["LYON", "NSP", "PARIS"]
    assert "PARIS" not in await tower.page(who="ben")
    assert len(shown(await tower.page("/exceptions?plant=PARIS", who="chief"))) == 1
    assert (await tower.reply("/exceptions?plant=PARIS", who="ben")).status == 403


async def test_who_may_not_decide_is_shown_no_decisions(tower: Tower) -> None:
    await tower.report(refused(1))
    looks, decides = await tower.page(who="ben"), await tower.page()
    for part in ('class="pick"', 'id="bulk"', "api/exceptions/redrive"):
        assert part not in looks
        assert part in decides
    assert '<option value="anna">Anna Berg (anna)</option>' in decides
    assert 'class="pick"' not in await tower.page("/exceptions?state=all")


async def test_an_empty_list_says_what_will_be_there(tower: Tower) -> None:
    assert "Nothing needs you" in await tower.page()
    assert "Nothing is on its way" in await tower.page("/exceptions?state=redriven")
    await tower.report(reading())
    assert "No exception is like that" in await tower.page("/exceptions?cause=zzz")
    await tower.bench.work.discard(Chosen(), by="anna", reason="r")
    assert "Nothing needs you" in await tower.page()
    assert len(shown(await tower.page("/exceptions?state=discarded"))) == 1


async def test_a_cause_with_markup_in_it_is_text(tower: Tower) -> None:
    await tower.report(refused(1, cause="<script>'\"&", source="<b>'"))
    raw = (await tower.reply("/exceptions")).body.decode()
    assert "<script>'" not in raw
    assert "<b>'" not in raw
    assert json.loads(re.findall(r"data-filters='([^']+)'", raw)[0])["pattern"].startswith("<script>")


@pytest.mark.parametrize("query", ["since=0001-01-01", "until=9999-12-31", "since=now&until=0001-01-01"])
@pytest.mark.parametrize("form", ["", "&format=csv"])
async def test_a_day_that_is_none_is_told_by_the_page(tower: Tower, query: str, form: str) -> None:
    await tower.report(dead_event())
    reply = await tower.reply(f"/exceptions?{query}{form}")
    assert reply.status == 400
    assert f"give {query.partition('=')[0]} as 2026-03-02T06:00:00Z" in reply.body.decode()
    assert (await tower.reply("/exceptions?view=rows&after=there")).status == 400
