"""Both databases, for every test that asks for a `store`."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from lineshaft.store import Store
from lineshaft.store.schema import METADATA
from tests.databases import Postgres, PostgresDidNotStart

Reopen = Callable[[], Store]


def pytest_configure(config: pytest.Config) -> None:
    """Compile once, not in each of the hundreds of processes that tests start: where nothing may be written
    beside the sources, the bytecode goes into a folder that is gone afterwards."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        compiled = tempfile.TemporaryDirectory(prefix="lineshaft-bytecode-", ignore_cleanup_errors=True)
        os.environ["PYTHONPYCACHEPREFIX"] = compiled.name
        config.add_cleanup(compiled.cleanup)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server per session and xdist worker. The tests need it: they fail without."""
    try:
        server = Postgres()
        server.start()
    except (PostgresDidNotStart, OSError) as error:
        pytest.fail(f"PostgreSQL did not start, and these tests need it: {error}", pytrace=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    name = postgres.database()
    _migrate(postgres.url(name))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.database()
    yield server.url(name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database without rows."""
    if request.param == "sqlite":
        path = tmp_path / "lineshaft.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = request.getfixturevalue("migrated_postgres")
    server.clear(name, [table.name for table in METADATA.sorted_tables])  # a tenth of a new database's time
    yield server.url(name)


@pytest_asyncio.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = Store.open(store_url)
    yield opened
    await opened.close()


def _migrate(url: str) -> None:
    import asyncio

    opened = Store.open(url)
    asyncio.run(opened.close())
