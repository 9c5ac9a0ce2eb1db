"""Statements over many rows: the same rows on both databases, whatever is in them and however many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table

from lineshaft.core.errors import PermanentFault
from lineshaft.store import Store
from lineshaft.store.schema import (
    audit_heads,
    exceptions,
    process_waits,
    processes,
    telemetry_state,
    workers,
)
from lineshaft.store.statements import change, insert_all, insert_new, inserted, present, put, rows_at
from tests.examples import examples
from tests.rows import rows

Statement = Callable[[Connection, Table, Sequence[dict[str, Any]]], Any]
ODD = [
    "",
    "plain",
    'it\'s "quoted" `here`',
    "back\\slash \\n \\u0000 \\",
    "100 % %s :name ? $1 {}",
    "line\nfeed\ttab\r",
    "Ünïcödé 漢字 🏭 \u2028 \ufeff",
    "a' OR '1'='1'; DROP TABLE processes; --",
    '{"json":"in \\"json\\""}',
]


def waits_of(count: int, **changes: str) -> list[dict[str, Any]]:
    blank = {"event_type": "t", "key": "k", "event_id": ""}
    return [{"process_id": f"p{number}", "step": "0"} | blank | changes for number in range(count)]


def process_row(process_id: str, **changes: Any) -> dict[str, Any]:
    row = {"process_id": process_id, "type": "t", "version": 1, "business_key": process_id}
    return row | {"state": "running", "worker": "w", "wake_at": None, "cause": ""} | changes


async def test_text_binary_numbers_and_null_come_back_as_they_went(store: Store) -> None:
    given = [
        process_row(f"p{number}", cause=text, version=number, wake_at=None if number % 2 else number / 3)
        for number, text in enumerate(ODD)
    ]
    await store.write(lambda connection: insert_all(connection, processes, given))
    found = [{name: row[name] for name in given[0]} for row in await rows(store, processes)]
    assert found == given
    heads = [{"chain": "c", "seq": 2**62, "hash": "h"}]
    await store.write(lambda connection: put(connection, audit_heads, heads))
    assert await rows(store, audit_heads) == heads
    binary = [{"name": f"{byte:03}", "value": bytes([byte, 0, 255])} for byte in range(256)]
    await store.write(lambda connection: put(connection, telemetry_state, binary))
    assert await rows(store, telemetry_state) == binary


# PostgreSQL has no text with NUL characters: that is tested by itself below
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@settings(
    max_examples=examples(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5), value=st.binary(max_size=40))
async def test_any_text_and_any_bytes_come_back(texts: list[str], value: bytes, store: Store) -> None:
    given = [
        {"exception_id": f"x{number}", "cause": text, "payload": value} for number, text in enumerate(texts)
    ]
    await store.write(lambda connection: put(connection, exceptions, given))
    found = await rows(store, exceptions)
    assert [(row["cause"], bytes(row["payload"])) for row in found[: len(texts)]] == [
        (text, value) for text in texts
    ]


async def test_a_nul_character_is_kept_or_refused_alone_never_changed(store: Store) -> None:
    """What cannot be written fails its own unit, and at once."""
    bad = [{"exception_id": "bad", "cause": "a\0b", "payload": b"\0"}]
    good = [{"exception_id": "good", "cause": "a\\u0000b", "payload": b"\0"}]
    refused, done = await asyncio.gather(
        store.write(lambda connection: put(connection, exceptions, bad)),
        store.write(lambda connection: put(connection, exceptions, good)),
        return_exceptions=True,
    )
    assert done is None
    causes = {row["exception_id"]: row["cause"] for row in await rows(store, exceptions)}
    if store.dialect == "postgresql":
        assert isinstance(refused, PermanentFault)
        assert causes == {"good": "a\\u0000b"}
    else:
        assert causes == {"bad": "a\0b", "good": "a\\u0000b"}


@pytest.mark.parametrize("statement", [insert_all, insert_new, put])
async def test_many_rows_are_taken_beyond_what_one_statement_takes(
    statement: Statement, store: Store
) -> None:
    """SQLite takes 32,766 parameters."""
    given = waits_of(9_000)
    await store.write(lambda connection: statement(connection, process_waits, given))
    assert len(await rows(store, process_waits)) == 9_000
    assert await store.write(lambda connection: statement(connection, process_waits, [])) is None


async def test_what_is_new_is_inserted_and_told_what_is_there_stays(store: Store) -> None:
    async def insert(*ids: str, cause: str) -> set[str]:
        given = [process_row(process_id, cause=cause) for process_id in ids]
        return await store.write(lambda connection: inserted(connection, processes, given))

    assert await insert("p1", "p2", cause="first") == {"p1", "p2"}
    assert await insert("p2", "p3", cause="second") == {"p3"}
    assert await insert("p1", cause="third") == set()
    assert [row["cause"] for row in await rows(store, processes)] == ["first", "first", "second"]
    await store.write(lambda connection: insert_new(connection, processes, [process_row("p1", cause="x")]))
    assert (await rows(store, processes))[0]["cause"] == "first"


async def test_putting_writes_only_the_columns_it_has(store: Store) -> None:
    await store.write(
        lambda connection: put(connection, workers, [{"name": "w", "epoch": 1, "expires_at": 2.5}])
    )
    await store.write(
        lambda connection: put(connection, workers, [{"name": "w", "epoch": 3, "expires_at": 4.5}])
    )
    empty = {"plant": "", "seen_at": 0.0}
    assert await rows(store, workers) == [{"name": "w", "epoch": 3, "expires_at": 4.5} | empty]
    await store.write(lambda connection: put(connection, exceptions, [{"exception_id": "x", "cause": "a"}]))
    await store.write(lambda connection: put(connection, exceptions, [{"exception_id": "x", "owner": "b"}]))
    (row,) = await rows(store, exceptions)
    assert (row["cause"], row["owner"]) == ("a", "b")


async def test_columns_are_known_by_their_names_in_whatever_order_a_row_has_them(store: Store) -> None:
    given = [
        {"name": "a", "epoch": 1, "expires_at": 1.0},
        {"expires_at": 2.0, "epoch": 2, "name": "b"},
    ]
    await store.write(lambda connection: put(connection, workers, given))
    empty = {"plant": "", "seen_at": 0.0}
    assert await rows(store, workers) == [
        given[0] | empty,
        {"name": "b", "epoch": 2, "expires_at": 2.0} | empty,
    ]


async def test_changing_writes_where_the_condition_holds_and_tells_which(store: Store) -> None:
    """What a row has beside the columns of the table is there for the condition alone."""
    given = [process_row(f"p{number}", worker="w" if number % 2 else "other") for number in range(4)]
    await store.write(lambda connection: insert_all(connection, processes, given))
    asked = [
        {"process_id": f"p{number}", "cause": f"it's {number}", "wake_at": 1.5, "held_by": "w"}
        for number in range(6)
    ]

    def unit(connection: Connection) -> set[str]:
        return change(connection, processes, asked, only="worker = held_by AND new_cause <> 'it''s 3'")

    assert await store.write(unit) == {"p1"}
    assert await store.write(lambda connection: change(connection, processes, [])) == set()
    found = {row["process_id"]: (row["cause"], row["wake_at"]) for row in await rows(store, processes)}
    assert found == {"p0": ("", None), "p1": ("it's 1", 1.5), "p2": ("", None), "p3": ("", None)}
    anything = [{"process_id": "p0", "wake_at": None, "cause": "x"}]
    assert await store.write(lambda connection: change(connection, processes, anything)) == {"p0"}


async def test_changing_many_rows_finds_them_all(store: Store) -> None:
    given = [process_row(f"p{number}") for number in range(3_000)]
    await store.write(lambda connection: insert_all(connection, processes, given))
    asked = [{"process_id": row["process_id"], "cause": "c", "state": "parked"} for row in given]
    found = await store.write(lambda connection: change(connection, processes, asked))
    assert found == {row["process_id"] for row in given}
    assert {row["state"] for row in await rows(store, processes)} == {"parked"}


async def test_one_row_that_is_refused_takes_its_whole_unit_with_it_and_no_other(store: Store) -> None:
    await store.write(lambda connection: insert_all(connection, process_waits, waits_of(1)))
    results = await asyncio.gather(
        store.write(lambda connection: insert_all(connection, process_waits, waits_of(3))),  # p0 is there
        store.write(lambda connection: put(connection, process_waits, waits_of(2, key="new"))),
        return_exceptions=True,
    )
    assert isinstance(results[0], PermanentFault)
    assert results[1] is None
    assert [(row["process_id"], row["key"]) for row in await rows(store, process_waits)] == [
        ("p0", "new"),
        ("p1", "new"),
    ]


async def test_which_keys_are_present(store: Store) -> None:
    await store.write(lambda connection: insert_all(connection, process_waits, waits_of(3)))

    async def found(*keys: str, only: str) -> set[str]:
        return await store.read(
            lambda connection: present(connection, process_waits.c.process_id, keys, only=only)
        )

    assert await found("p0", "p2", "p9", "it's", only="key = 'k'") == {"p0", "p2"}
    assert await found("p0", only="key = 'other'") == set()
    assert await found(only="key = 'k'") == set()


async def test_rows_are_found_by_their_keys(store: Store) -> None:
    given = waits_of(40, key="k")
    await store.write(lambda connection: insert_all(connection, process_waits, given))
    asked = [{"process_id": f"p{number}", "step": "0"} for number in (3, 17, 39, 99)]

    def found(connection: Connection) -> list[tuple[Any, ...]]:
        everything = rows_at(connection, process_waits, asked)
        ids = rows_at(connection, process_waits, asked, columns=("process_id",))
        assert rows_at(connection, process_waits, []) == []
        assert sorted(row.process_id for row in ids) == ["p17", "p3", "p39"]
        assert all(len(row) == 1 for row in ids)
        return sorted((row.process_id, row.step, row.event_type, row.key) for row in everything)

    assert await store.read(found) == [(f"p{number}", "0", "t", "k") for number in (17, 3, 39)]
    many = [{"process_id": f"p{number}", "step": "0"} for number in range(5_000)]
    assert len(await store.read(lambda connection: rows_at(connection, process_waits, many))) == 40
