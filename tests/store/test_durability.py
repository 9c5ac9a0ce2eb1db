"""What was said to be on disk is there: after a reopen, a kill of the writer, a kill of PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.store import Store
from lineshaft.store.schema import telemetry_state
from lineshaft.store.writer import GroupCommit
from tests.databases import Postgres
from tests.rows import rows
from tests.waiting import until

_WRITER = """
import asyncio, sys
from sqlalchemy import insert
from lineshaft.store import Store
from lineshaft.store.schema import telemetry_state

async def main():
    store = Store.open(sys.argv[1])
    number = 0
    while True:
        names = [f"n{number + n}" for n in range(7)]
        number += 7
        await asyncio.gather(*(
            store.write(
                lambda c, name=name: c.execute(insert(telemetry_state).values(name=name, value=b"")) and None
            )
            for name in names
        ))
        print(*names, flush=True)

asyncio.run(main())
"""


async def test_rows_outlive_a_reopen(store_url: str) -> None:
    for number in range(3):
        store = Store.open(store_url)
        assert len(await rows(store, telemetry_state)) == number
        await store.write(
            lambda connection, n=number: (
                connection.execute(  # type: ignore[misc]
                    insert(telemetry_state).values(name=f"n{n}", value=b"\x00\xff")
                )
                and None
            )
        )
        await store.close()


async def test_nothing_told_is_lost_when_the_writer_is_killed(store_url: str) -> None:
    expected = await asyncio.to_thread(_written_until_killed, store_url)
    store = Store.open(store_url)
    assert expected <= {row["name"] for row in await rows(store, telemetry_state)}
    assert len(expected) >= 140
    await store.close()


def _written_until_killed(url: str) -> set[str]:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    told += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    return {name for line in told if line.endswith("\n") for name in line.split()}


async def test_postgresql_dies_and_comes_back_in_the_middle_of_writes(postgres: Postgres) -> None:
    """No unit is lost, none takes effect twice, no caller sees a fault: a read may."""
    store = Store.open(postgres.url(postgres.database()))
    done: list[str] = []
    stop = asyncio.Event()

    async def write_on(writer: int) -> None:
        number = 0
        while not stop.is_set():
            name, number = f"{writer}-{number}", number + 1

            def unit(connection: Connection, name: str = name) -> None:
                statement = "insert into telemetry_state (name, value) values (%s, '') on conflict do nothing"
                connection.exec_driver_sql(statement, (name,))

            await store.write(unit)
            done.append(name)
            await asyncio.sleep(0)

    writers = [asyncio.create_task(write_on(writer)) for writer in range(8)]
    for _ in range(2):
        so_far = len(done)
        await until(lambda so_far=so_far: len(done) >= so_far + 100)  # type: ignore[misc]
        await asyncio.to_thread(postgres.kill)
        with pytest.raises(TransientFault):
            await store.read(lambda connection: connection.exec_driver_sql("select 1").scalar())
        await asyncio.sleep(0.05)
        await asyncio.to_thread(postgres.start)
    so_far = len(done)
    await until(lambda: len(done) >= so_far + 100)
    stop.set()
    await asyncio.gather(*writers)
    assert sorted(row["name"] for row in await rows(store, telemetry_state)) == sorted(done)
    await store.close()


async def test_a_database_that_stays_away_is_a_transient_fault(postgres: Postgres) -> None:
    store = Store.open(postgres.url(postgres.database()))
    await store._writer.close()
    store._writer = GroupCommit(store._engine, unavailable_s=0.3)
    postgres.kill()
    try:
        writes = (store.write(lambda connection: connection.exec_driver_sql("select 1")) for _ in range(3))
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(result) for result in results] == [TransientFault] * 3
    finally:
        postgres.start()
    assert await store.write(lambda connection: "back") == "back"
    await store.close()


async def test_two_processes_may_write_one_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    stores = [Store.open(url), Store.open(url)]

    def unit(name: str) -> object:
        def add(connection: Connection) -> None:
            connection.exec_driver_sql("select count(*) from telemetry_state").scalar()
            connection.execute(insert(telemetry_state).values(name=name, value=b""))

        return add

    await asyncio.gather(
        *(store.write(unit(f"{n}-{number}")) for n in range(100) for number, store in enumerate(stores))  # type: ignore[arg-type]
    )
    assert len(await rows(stores[0], telemetry_state)) == 200
    for store in stores:
        await store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no database URL"),
        ("mysql://host/db", "not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:////proc/nowhere/x.db", "cannot use"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_configuration_error(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Store.open(url)


def test_a_database_that_is_away_at_the_start_says_so_without_its_password() -> None:
    with pytest.raises(TransientFault, match="does not answer") as caught:
        Store.open("postgresql://user:secret@127.0.0.1:1/db")
    assert "secret" not in str(caught.value)


async def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/plant.db")
    await store.write(
        lambda connection: connection.execute(insert(telemetry_state).values(name="a", value=b"")) and None
    )
    assert open_to_others(tmp_path) == {"plant.db": 0, "plant.db-shm": 0, "plant.db-wal": 0}
    await store.close()


def open_to_others(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o077 for file in folder.glob("plant.db*")}
