"""The day that a plant of pictures has behind it is one that the product itself could have noted."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from estate.past import copy_stories, live_through
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.core.clock import rfc3339
from lineshaft.insight.kpis import KpiReads
from lineshaft.insight.service_levels import service_levels
from lineshaft.store import Store
from lineshaft.store.schema import calls, events, processes
from tests.clocks import ManualClock
from tests.console.factory import EPISODE, Factory
from tests.rows import rows

WEDNESDAY = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@pytest.fixture
async def store(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Store]:
    file = tmp_path / "lineshaft.db"
    shutil.copy(migrated_sqlite, file)
    store = Store.open(f"sqlite:///{file}")
    yield store
    await store.close()


async def test_a_day_gives_the_filler_an_oee_that_can_be(store: Store) -> None:
    await live_through(store, WEDNESDAY, random.Random(1))
    told = await rows(store, events)
    assert {row["plant"] for row in told} == {"leipzig"}
    assert all(rfc3339(WEDNESDAY - timedelta(hours=26)) < row["time"] < rfc3339(WEDNESDAY) for row in told)
    levels = service_levels(EVENTS, CAPABILITIES)
    reads = KpiReads(store, levels, ManualClock(WEDNESDAY), zone=ZoneInfo("Europe/Berlin"), site="leipzig")
    board = await reads.board(None, start=WEDNESDAY - timedelta(hours=24), end=WEDNESDAY, kpi="oee")
    (oee,) = board.figures
    assert oee.value is not None
    assert 0.4 < oee.value < 1


async def test_stories_are_copied_into_the_day_before(store: Store) -> None:
    await Factory(store).repaired()
    before = {table: len(await rows(store, table)) for table in (calls, processes)}
    await copy_stories(store, 3, random.Random(1))
    for table, count in before.items():
        assert len(await rows(store, table)) == 4 * count
    copied = [row for row in await rows(store, processes) if row["started_at"] < rfc3339(EPISODE)]
    assert len({row["process_id"] for row in copied}) == 3
    known = {row["correlation_id"] for row in await rows(store, events)}
    assert {row["correlation_id"] for row in copied} <= known
