"""Pages, groups by cause and choices, as screens read them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from lineshaft.core.causes import cause_pattern
from lineshaft.core.errors import ContractViolation
from lineshaft.core.exceptions import NOBODY, Chosen
from lineshaft.ledger import ExceptionLists
from lineshaft.ledger.exception_rows import count_open
from lineshaft.store import Store
from lineshaft.store.schema import exceptions


def row(number: int, **changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "exception_id": f"{number:036d}",
        "kind": "business_fault",
        "plant": "leipzig",
        "source": f"process repair PUMP-{number}",
        "owner": "maintenance",
        "cause": f"unknown material M-{number}",
        "payload": b"{}",
        "state": "open",
        "count": 2,
        "first_at": f"2026-03-02T06:00:{number:02d}.000000Z",
        "last_at": f"2026-03-02T07:00:{number // 2:02d}.000000Z",  # two at a time
        **changes,
    }
    return facts | {"pattern": cause_pattern(facts["cause"])}


async def put(store: Store, *found: dict[str, Any]) -> ExceptionLists:
    for each in found:
        await store.write(
            lambda connection, each=each: connection.execute(insert(exceptions).values(each)) and None
        )
    return ExceptionLists(store)


async def walked(lists: ExceptionLists, chosen: Chosen, limit: int) -> list[str]:
    found, after = [], ""
    while True:
        page = await lists.page(chosen, after=after, limit=limit)
        found += [each["exception_id"] for each in page.rows]
        if not page.next:
            return found
        assert len(page.rows) == limit
        after = page.next


@pytest.mark.parametrize("limit", [1, 3, 9, 10])
async def test_pages_have_every_row_once_the_newest_first(store: Store, limit: int) -> None:
    states = ("open", "redriven", "resolved", "discarded")
    lists = await put(store, *(row(number, state=states[number % 4]) for number in range(9)))
    assert await walked(lists, Chosen(state=""), limit) == [f"{number:036d}" for number in reversed(range(9))]
    assert await walked(lists, Chosen(), limit) == [f"{number:036d}" for number in (8, 4, 0)]
    assert "payload" not in (await lists.page(Chosen())).rows[0]


async def test_causes_that_differ_in_numbers_are_one_group_of_each_desk(store: Store) -> None:
    lists = await put(
        store,
        *(row(number, assignee="anna" if number < 2 else "") for number in range(4)),
        row(10, owner="finance", cause="the period 2026-03 is closed"),
        row(11, owner="finance", kind="technical_fault"),
        row(12, owner="", cause=""),
        row(13, state="resolved"),
    )
    largest, *others = await lists.groups(Chosen())
    assert (largest.owner, largest.pattern, largest.exceptions, largest.seen) == (
        "maintenance",
        "unknown material …",
        4,
        8,
    )
    assert (largest.assignees, largest.kinds) == ({"anna": 2}, ["business_fault"])
    assert largest.cause.startswith("unknown material M-")
    assert (largest.first_at[17:19], largest.last_at[17:19]) == ("00", "01")
    assert [(each.owner, each.pattern) for each in others] == [
        ("", ""),
        ("finance", "the period … is closed"),
        ("finance", "unknown material …"),
    ]
    assert [each.exceptions for each in await lists.groups(Chosen(state="resolved"))] == [1]
    assert await lists.count(Chosen()) == 7


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        (Chosen(assignee="anna"), [1]),
        (Chosen(assignee=NOBODY), [2, 3, 4]),
        (Chosen(owner=NOBODY), [4]),
        (Chosen(pattern="unknown material …", owner="maintenance"), [1, 2]),
        (Chosen(pattern=NOBODY), [4]),
        (Chosen(cause="PERIOD"), [3]),
        (Chosen(source="pump-2"), [2]),
        (Chosen(source="%"), []),
        (Chosen(since="2026-03-02T07:00:01", until="2026-03-02T07:00:02"), [2, 3]),
        (Chosen(plants=["lyon"]), [3]),
        (Chosen(plants=[]), []),
        (Chosen(plants=["leipzig", "lyon"], plant="leipzig", kind="flood"), [4]),
    ],
)
async def test_filters_choose_the_same_rows_for_pages_groups_and_counts(
    store: Store, chosen: Chosen, numbers: list[int]
) -> None:
    lists = await put(
        store,
        row(1, assignee="anna"),
        row(2),
        row(3, owner="finance", plant="lyon", cause="the period 3 is closed"),
        row(4, owner="", cause="", kind="flood"),
    )
    assert sorted(int(each["exception_id"]) for each in (await lists.page(chosen)).rows) == numbers
    assert sum(group.exceptions for group in await lists.groups(chosen)) == len(numbers)
    assert await lists.count(chosen) == len(numbers)


async def test_choices_are_those_of_the_open_ones_at_these_plants(store: Store) -> None:
    lists = await put(
        store,
        row(1, assignee="anna"),
        row(2, plant="lyon", owner="finance"),
        row(3, state="resolved", owner="planning", assignee="ben"),
    )
    everything = await lists.choices(None)
    assert (everything.owners, everything.plants, everything.assignees) == (
        ["finance", "maintenance"],
        ["leipzig", "lyon"],
        ["anna"],
    )
    there = await lists.choices(["lyon"])
    assert (there.owners, there.plants, there.assignees) == (["finance"], ["lyon"], [])
    assert [await count_open(store, plants) for plants in (None, ["lyon"], [])] == [2, 1, 0]


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_a_search_among_closed_ones_looks_at_some_at_a_time(
    store: Store, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineshaft.ledger.exception_lists._MOST_LOOKED_AT", 5)
    states, wanted = ("resolved", "discarded", "resolved", "open"), {1, 3, 4, 17, 30, 38, 39}
    lists = await put(
        store,
        *(
            row(number, state=states[number % 4], cause="the period is closed" if number in wanted else "x")
            for number in range(40)
        ),
    )
    chosen = Chosen(state="", cause="PERIOD", plants=["leipzig"])
    found, after, looked = list[int](), "", list[str]()
    while True:
        page = await lists.page(chosen, after=after, limit=limit)
        found += [int(each["exception_id"]) for each in page.rows]
        looked += [page.searched] if page.searched else []
        assert len(page.rows) == limit or page.searched or not page.next
        if not page.next:
            break
        after = page.next
    assert found == sorted(wanted, reverse=True)
    assert looked == sorted(looked, reverse=True)
    assert looked
    assert [int(each) for each in await walked(lists, Chosen(cause="PERIOD"), 50)] == [
        39,
        3,
    ]  # all in one look


async def test_what_is_no_place_of_a_page_is_refused(store: Store) -> None:
    for after in ("there", "2026-03-02T07:00:00Z", "now~1"):
        with pytest.raises(ContractViolation, match="after: "):
            await ExceptionLists(store).page(Chosen(), after=after)
