"""Group commit: many units, few commits; a unit that fails, fails alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, event, insert, text

from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.store import Store
from lineshaft.store.schema import telemetry_state
from tests.rows import rows


def adding(name: str) -> Callable[[Connection], str]:
    def unit(connection: Connection) -> str:
        connection.execute(insert(telemetry_state).values(name=name, value=b"1"))
        return name

    return unit


async def names(store: Store) -> list[str]:
    return sorted(row["name"] for row in await rows(store, telemetry_state))


def commits_of(store: Store) -> list[Connection]:
    seen: list[Connection] = []
    event.listen(store._engine, "commit", seen.append)
    return seen


async def test_many_units_share_few_commits(store: Store) -> None:
    commits = commits_of(store)
    expected = sorted(f"n{number:04}" for number in range(1200))
    assert sorted(await asyncio.gather(*(store.write(adding(name)) for name in expected))) == expected
    assert await names(store) == expected
    assert 3 <= len(commits) < 100


async def test_a_failing_unit_fails_alone(store: Store) -> None:
    def failing(connection: Connection) -> None:
        connection.execute(insert(telemetry_state).values(name="half", value=b"1"))
        raise ValueError("bug")

    results = await asyncio.gather(
        *(store.write(adding(f"a{n}")) for n in range(20)),
        store.write(failing),
        *(store.write(adding(f"b{n}")) for n in range(20)),
        return_exceptions=True,
    )
    assert [type(result) for result in results if not isinstance(result, str)] == [ValueError]
    assert len(await names(store)) == 40
    assert "half" not in await names(store)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into telemetry_state (name, value) values ('a0', '')",  # there already
        "insert into telemetry_state (name, value) values (null, '')",
        "insert into nowhere values (1)",
    ],
)
async def test_rows_that_the_database_will_not_have_are_no_passing_fault(
    statement: str, store: Store
) -> None:
    """It fails at once and alone: nobody waits for a database that is there."""
    await store.write(adding("a0"))
    began = time.monotonic()
    refused, *others = await asyncio.gather(
        store.write(lambda connection: connection.execute(text(statement)) and None),
        *(store.write(adding(f"b{n}")) for n in range(5)),
        return_exceptions=True,
    )
    assert time.monotonic() - began < 5
    assert others == [f"b{n}" for n in range(5)]
    assert getattr(refused, "code", "") == "store_refused"
    # SQLite calls a missing table an operational error, which leaves it open whether a retry helps
    assert isinstance(
        refused, TransientFault if "nowhere" in statement and store.dialect == "sqlite" else PermanentFault
    )


async def test_units_run_in_the_order_in_which_they_were_submitted(store: Store) -> None:
    order: list[int] = []

    def noting(number: int) -> Callable[[Connection], None]:
        return lambda connection: order.append(number)

    await asyncio.gather(*(store.write(noting(number)) for number in range(300)))
    assert order == list(range(300))


async def test_a_write_whose_caller_was_cancelled_stands(store: Store) -> None:
    await store.write(adding("first"))
    write = asyncio.create_task(store.write(adding("second")))
    await asyncio.sleep(0)
    write.cancel()
    await asyncio.gather(write, return_exceptions=True)
    await store.write(adding("third"))
    assert await names(store) == ["first", "second", "third"]


async def test_closing_commits_what_was_submitted_and_refuses_what_comes_later(store_url: str) -> None:
    store = Store.open(store_url)
    writes = [asyncio.create_task(store.write(adding(f"n{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    with pytest.raises(TransientFault, match="closed"):
        await store.write(adding("late"))
    reopened = Store.open(store_url)
    assert len(await names(reopened)) == 50
    await reopened.close()


async def test_a_reader_never_sees_half_a_unit(store: Store) -> None:
    def both(connection: Connection) -> None:
        connection.execute(insert(telemetry_state).values(name="one", value=b""))
        time.sleep(0.02)
        connection.execute(insert(telemetry_state).values(name="two", value=b""))

    write = asyncio.create_task(store.write(both))
    seen = set()
    while not write.done():
        seen.add(len(await names(store)))
    seen.add(len(await names(store)))
    assert seen <= {0, 2}
    assert 2 in seen


async def test_reads_run_beside_a_long_write(store: Store) -> None:
    begun, read = threading.Event(), threading.Event()

    def long(connection: Connection) -> bool:
        connection.execute(insert(telemetry_state).values(name="one", value=b""))
        begun.set()
        return read.wait(30)

    write = asyncio.create_task(store.write(long))
    await asyncio.to_thread(begun.wait)
    assert await names(store) == []
    read.set()
    assert await write
