"""Group commit: many units, few commits; a unit that fails, fails alone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, event, insert, text

from lineshaft.core.errors import PermanentFault, TransientFault
from lineshaft.store import Store
from lineshaft.store.schema import telemetry_state
from tests.databases import Postgres
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
    runs: list[int] = []

    def unit(connection: Connection) -> None:
        runs.append(len(runs))
        connection.execute(text(statement))

    refused, *others = await asyncio.gather(
        store.write(unit),
        *(store.write(adding(f"b{n}")) for n in range(5)),
        return_exceptions=True,
    )
    assert len(runs) <= 2  # with the others, and alone
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


def add_together(connection: Connection, names: Sequence[str]) -> Sequence[str]:
    """One statement for all; a name that is there already fails it."""
    connection.execute(insert(telemetry_state), [{"name": name, "value": b"1"} for name in names])
    return [f"{name} of {len(names)}" for name in names]


async def test_what_many_ask_for_together_is_done_once_and_each_has_its_own(store: Store) -> None:
    expected = [f"n{number:03}" for number in range(400)]
    told = await asyncio.gather(*(store.write_together(add_together, name) for name in expected))
    assert [each.split(" of ")[0] for each in told] == expected
    assert max(int(each.split(" of ")[1]) for each in told) > 10
    assert await names(store) == expected


async def test_the_one_that_cannot_be_done_fails_alone_among_those_together(store: Store) -> None:
    await store.write(adding("n7"))
    results = await asyncio.gather(
        *(store.write_together(add_together, f"n{number}") for number in range(15)),
        *(store.write(adding(f"a{number}")) for number in range(15)),
        return_exceptions=True,
    )
    failed = [number for number, result in enumerate(results) if isinstance(result, Exception)]
    assert failed == [7]
    assert isinstance(results[7], PermanentFault)
    assert len(await names(store)) == 30


async def test_different_works_are_not_mixed(store: Store) -> None:
    def doubled(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        return [number * 2 for number in numbers]

    def squared(connection: Connection, numbers: Sequence[int]) -> Sequence[int]:
        return [number**2 for number in numbers]

    found = await asyncio.gather(
        *(store.write_together(work, number) for number in range(50) for work in (doubled, squared))
    )
    assert found == [value for number in range(50) for value in (number * 2, number**2)]


async def test_a_work_that_loses_an_answer_is_a_fault_not_a_mix_up(store: Store) -> None:
    def short(connection: Connection, items: Sequence[int]) -> Sequence[int]:
        return list(items)[:-1]

    with pytest.raises(ValueError, match="shorter"):
        await store.write_together(short, 1)
    assert await store.write(adding("next")) == "next"


async def test_a_lost_connection_runs_the_whole_group_again(postgres: Postgres) -> None:
    """Also what was written in it before: the transaction is gone with the connection."""
    store = Store.open(postgres.url(postgres.database()))
    runs: list[Sequence[str]] = []

    def breaking(connection: Connection, names: Sequence[str]) -> Sequence[str]:
        runs.append(names)
        told = add_together(connection, names)
        if len(runs) == 1:
            connection.exec_driver_sql("select pg_terminate_backend(pg_backend_pid())")
        return told

    told = await asyncio.gather(*(store.write_together(breaking, f"n{number}") for number in range(5)))
    assert [each.split(" of ")[0] for each in told] == [f"n{number}" for number in range(5)]
    assert await names(store) == [f"n{number}" for number in range(5)]
    assert runs[0] == runs[1]
    await store.close()


def test_loops_in_several_threads_and_one_that_ended_early_are_all_served(store_url: str) -> None:
    """A loop that is closed before its turn is over must not keep the others waiting."""
    store = Store.open(store_url)

    async def counted(thread: int) -> int:
        return sum(await asyncio.gather(*(store.write(lambda _: thread) for _ in range(50))))

    async def left_at_once() -> None:
        task = asyncio.create_task(store.write(lambda _: 0))
        await asyncio.sleep(0)
        asyncio.get_running_loop().stop()
        del task

    ended = asyncio.new_event_loop()
    with contextlib.suppress(RuntimeError):
        ended.run_until_complete(left_at_once())
    ended.close()
    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(asyncio.run, counted(number)) for number in range(4)]
        assert [each.result(30) for each in found] == [50 * number for number in range(4)]
    asyncio.run(store.close())


async def test_each_commit_is_told_with_its_size_and_time(store: Store) -> None:
    told: list[tuple[int, float]] = []
    store.on_commit(lambda units, took_s: told.append((units, took_s)))
    await asyncio.gather(*(store.write(adding(f"n{number}")) for number in range(20)))
    assert sum(units for units, _ in told) == 20
    assert all(0 < took_s < 60 for _, took_s in told)
