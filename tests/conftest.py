"""Both databases, for every test that asks for a `store`."""

from __future__ import annotations

import gc
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from lineshaft.store import Store
from lineshaft.store.schema import METADATA
from tests.databases import Postgres, PostgresDidNotStart
from tests.examples import settle_examples

Reopen = Callable[[], Store]

settle_examples()

_LOG = structlog.get_config()
_LOG["processors"][-1] = structlog.dev.ConsoleRenderer(
    colors=False, exception_formatter=structlog.dev.plain_traceback
)


_IN_MEMORY = Path("/dev/shm")
_PLENTY = 8 * 2**30


def _temporary_files_in_memory(config: pytest.Config) -> None:
    """Every commit of a store waits for the disk, which takes longer than what most tests do between them.
    They go where TMPDIR says, if it does: set it to keep what a failed test leaves."""
    if "TMPDIR" in os.environ or hasattr(config, "workerinput") or not _IN_MEMORY.is_dir():
        return
    for left in _IN_MEMORY.glob("lineshaft-tests-*"):
        if not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    (available,) = re.findall(r"MemAvailable: *([0-9]+) kB", Path("/proc/meminfo").read_text())
    if min(shutil.disk_usage(_IN_MEMORY).free, int(available) * 1024) < _PLENTY:
        return
    folder = _IN_MEMORY / f"lineshaft-tests-{os.getpid()}"
    folder.mkdir(mode=0o711)  # PostgreSQL runs as somebody else
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    config.add_cleanup(partial(shutil.rmtree, folder, ignore_errors=True))


def pytest_configure(config: pytest.Config) -> None:
    """Compile once, not in each of the hundreds of processes that tests start: where nothing may be written
    beside the sources, the bytecode goes into the environment, and later runs have it, too."""
    _temporary_files_in_memory(config)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(sys.prefix) / "bytecode")


def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end: nothing is gained by looking through them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    """As nobody left it changed: a log is the same for every test, whichever ran before. A traceback with
    colours and all that its frames hold takes a hundred times longer than a plain one."""
    structlog.configure(**_LOG)


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
