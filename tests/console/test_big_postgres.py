"""The same pages over the same rows in PostgreSQL. It takes minutes, so it runs with `make soak`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psycopg
import pytest

from lineshaft.store import Store
from tests.console.big import build_big
from tests.console.big_postgres import blocks_read, copy_big, scans_without_choice
from tests.console.test_big import BIG, LIMIT_MS, PAGES, BigConsole
from tests.console.watched import Asked
from tests.databases import Postgres

pytestmark = pytest.mark.skipif(not os.environ.get("SOAK_POSTGRES"), reason="`make soak` asks for it")

_BLOCKS = 20_000
"""Of 8 kB, of which PostgreSQL finds several hundred in memory within a millisecond."""
_TIMES = 12
"""More than it takes until a prepared statement may get a plan that knows no parameters."""


@pytest.fixture(scope="module")
def big_url(
    postgres: Postgres, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    file = tmp_path_factory.mktemp("big") / "big.db"
    build_big(migrated_sqlite, file)
    name = postgres.database()
    Store.open(postgres.url(name))._engine.dispose()
    copy_big(file, postgres.url(name))
    file.unlink()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("who", ["all", "some"])
async def test_every_page_comes_at_once_from_postgresql(who: str, big_url: str) -> None:
    store = Store.open(big_url)
    console = BigConsole(store)
    found, wrong = [], []
    with psycopg.connect(big_url, autocommit=True) as connection:
        for target in PAGES:
            with console.watch.during():
                await console.get(target, who)
                asked = {each.statement: each for each in console.watch.asked}.values()
            times = []
            for _ in range(_TIMES):
                started = time.perf_counter()
                await console.get(target, who)
                times.append((time.perf_counter() - started) * 1000)
            took = median(times)
            blocks = sum(blocks_read(connection, each) for each in asked)
            scans = [name for each in asked for name in scans_without_choice(connection, each, BIG)]
            found.append(f"{took:7.1f} ms {blocks:7d} blocks {len(asked):4d} questions  {who} {target}")
            patience = 1 + os.getloadavg()[0] / (os.cpu_count() or 1)
            if blocks > _BLOCKS or scans or took > LIMIT_MS * patience:
                wrong.append(f"{found[-1]} {scans}")
    await store.close()
    print("\n".join(found))
    assert not wrong, "\n".join(wrong)


def test_the_plans_tell_what_no_index_helps_with(big_url: str) -> None:
    """The checker is checked."""
    with psycopg.connect(big_url, autocommit=True) as connection:
        walks = Asked("SELECT count(*) FROM events WHERE data = %s", ("1",))
        assert scans_without_choice(connection, walks, BIG) == ["events"]
        assert blocks_read(connection, walks) > _BLOCKS
        found = Asked("SELECT count(*) FROM processes WHERE finished_at = ''", ())
        assert scans_without_choice(connection, found, BIG) == []
        assert blocks_read(connection, found) < _BLOCKS
