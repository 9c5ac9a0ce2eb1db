"""Old days go, small files become large ones, and no reading is lost or repeated by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lineshaft.core.errors import TransientFault
from lineshaft.core.lake_policy import LakePolicy
from lineshaft.telemetry.lake import upkeep
from lineshaft.telemetry.lake.lake import Lake
from lineshaft.telemetry.lake.upkeep import Upkeep, holdings, maintain
from tests.telemetry.lake.plant import POLICY, TAGS, ask, batch, files, readings

SAME_DAY = datetime(2026, 5, 1, 20, tzinfo=UTC)
DAY_AFTER = SAME_DAY + timedelta(days=1)
ROWS = (
    "select tag, count(*), count(distinct sequence), round(sum(value), 3) from readings group by 1 order by 1"
)


@pytest.fixture
async def lake(tmp_path: Path) -> AsyncIterator[Lake]:
    """Four files of two classes each, with t0 and t1 in one and t2 in the other."""
    opened = await Lake.open(str(tmp_path), TAGS, POLICY)
    for first in range(1, 41, 10):
        await opened.append(readings(batch(first, 10)))
        await opened.flush()
    yield opened
    await opened.close()


async def test_small_files_of_a_day_become_one_sorted_by_tag(lake: Lake, tmp_path: Path) -> None:
    before = ask(tmp_path, ROWS)
    assert maintain(lake.root, POLICY, DAY_AFTER) == Upkeep(compacted=8, into=2)
    assert maintain(lake.root, POLICY, DAY_AFTER) == Upkeep()
    assert ask(tmp_path, ROWS) == before
    merged = [path for path in DeltaTable(tmp_path / "readings").file_uris() if "keep=standard" in path]
    table = pq.ParquetFile(merged[0]).read(["tag", "sequence"])
    assert table.to_pylist() == [{"tag": tag, "sequence": at} for tag in ("t0", "t1") for at in range(1, 41)]
    assert [(one.table, one.keep, one.rows, one.files) for one in holdings(lake.root, POLICY)] == [
        ("readings", "fine", 40, 1),
        ("readings", "standard", 80, 1),
    ]


async def test_the_day_that_lasts_waits_for_more_files(lake: Lake) -> None:
    few = msgspec.structs.replace(POLICY, compact_files=5)
    assert maintain(lake.root, few, SAME_DAY) == Upkeep()
    assert maintain(lake.root, few, SAME_DAY, eager=True) == Upkeep(compacted=8, into=2)


async def test_days_go_by_retention_class(lake: Lake, tmp_path: Path) -> None:
    assert maintain(lake.root, POLICY, SAME_DAY + timedelta(days=30)).expired == 0
    assert maintain(lake.root, POLICY, SAME_DAY + timedelta(days=31)).expired == 40
    assert [row[0] for row in ask(tmp_path, ROWS)] == ["t0", "t1"]
    assert maintain(lake.root, LakePolicy(), SAME_DAY + timedelta(days=400)).expired == 0
    assert maintain(lake.root, LakePolicy(), SAME_DAY + timedelta(days=401)).expired == 80
    await lake.append(readings(batch(35, 10), [0]))
    await lake.flush()
    assert ask(tmp_path, "select min(sequence), count(*) from readings") == [(41, 4)]


async def test_a_class_that_the_settings_name_no_more_stays(lake: Lake, tmp_path: Path) -> None:
    assert maintain(lake.root, LakePolicy(), SAME_DAY + timedelta(days=5000)).expired == 80
    assert [row[0] for row in ask(tmp_path, ROWS)] == ["t2"]


async def test_files_out_of_use_are_deleted_after_a_time(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maintain(lake.root, POLICY, DAY_AFTER)
    assert len(files(tmp_path)) == 10
    vacuum = DeltaTable.vacuum

    def at_once(table: DeltaTable, hours: int, **options: Any) -> list[str]:
        assert hours == POLICY.vacuum_hours
        return vacuum(table, 0, **options)

    monkeypatch.setattr(DeltaTable, "vacuum", at_once)
    assert maintain(lake.root, POLICY, DAY_AFTER).deleted == 8
    assert len(files(tmp_path)) == 2
    assert [row[1] for row in ask(tmp_path, ROWS)] == [40, 40, 40]


@pytest.mark.parametrize("late", [False, True], ids=["before its commit", "while it commits"])
async def test_of_two_at_once_one_fails_and_leaves_all_as_it_was(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    before = ask(tmp_path, ROWS)
    where, name = (DeltaTable, "create_write_transaction") if late else (upkeep, "_merged")
    real = getattr(where, name)

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        maintain(lake.root, POLICY, DAY_AFTER)
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, meanwhile)
    with pytest.raises(TransientFault, match=f"lake {tmp_path} did not take a commit"):
        maintain(lake.root, POLICY, DAY_AFTER)
    assert ask(tmp_path, ROWS) == before


async def test_the_writer_goes_on_while_files_are_merged(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DeltaTable.create_write_transaction

    def merged_before(*args: Any, **kwargs: Any) -> None:
        monkeypatch.undo()
        maintain(lake.root, POLICY, DAY_AFTER)
        real(*args, **kwargs)

    await lake.append(readings(batch(41, 10)))
    monkeypatch.setattr(DeltaTable, "create_write_transaction", merged_before)
    await lake.flush()
    assert [row[1:3] for row in ask(tmp_path, ROWS)] == [(50, 50)] * 3
