"""Everything that is appended is in the lake once when a flush has returned, whatever happened before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.telemetry.lake import readings_table
from lineshaft.telemetry.lake.lake import Lake
from lineshaft.telemetry.lake.parts import write_part
from lineshaft.telemetry.readings import BAD, STALE
from lineshaft.telemetry.tags import TagList
from tests.telemetry.lake.plant import NOON_US, POLICY, TAGS, ask, batch, files, readings, tag

SEQUENCES = "select tag, list(sequence order by sequence) from readings group by tag order by tag"


@pytest.fixture
async def lake(tmp_path: Path) -> AsyncIterator[Lake]:
    opened = await Lake.open(str(tmp_path), TAGS, POLICY)
    yield opened
    await opened.close()


async def reopened(lake: Lake) -> Lake:
    await lake.close()
    return await Lake.open(lake.root, TAGS, POLICY)


async def test_a_reading_is_kept_with_all_that_is_known_of_it(lake: Lake, tmp_path: Path) -> None:
    await lake.append(readings(batch(7), [2], value=4.25, quality=BAD, historical=True))
    await lake.append(readings(batch(8), [0], value=float("nan"), quality=STALE))
    await lake.flush()
    day, time = date(2026, 5, 1), datetime(2026, 5, 1, 12, 0, 0, 7000, tzinfo=UTC)
    later = time.replace(microsecond=8000)
    columns = "keep, day, time, tag, equipment_id, value, quality, historical, received, position"
    assert ask(tmp_path, f"select {columns} from readings order by sequence") == [
        ("fine", day, time, "t2", "EQ-1", 4.25, "bad", True, time.replace(microsecond=7300), "RAW:7"),
        (
            "standard",
            day,
            later,
            "t0",
            "EQ-0",
            None,
            "stale",
            False,
            later.replace(microsecond=8300),
            "RAW:8",
        ),
    ]


async def test_what_comes_again_after_a_crash_is_left_out(lake: Lake, tmp_path: Path) -> None:
    await lake.append(readings(batch(1, 5)))
    await lake.flush()
    await lake.append(readings(batch(6, 5)))  # never flushed
    again = await reopened(lake)
    await again.append(readings(batch(3, 2)))
    await again.append(readings(batch(5, 8)))
    await again.flush()
    await again.close()
    assert ask(tmp_path, SEQUENCES) == [(name, list(range(1, 13))) for name in ("t0", "t1", "t2")]


async def test_a_stream_made_anew_counts_from_one_again(lake: Lake, tmp_path: Path) -> None:
    await lake.append(readings(batch(1, 5), [0]))
    await lake.append(readings(batch(2, 1, stream="OTHER"), [1]))
    await lake.flush()
    await lake.append(readings(batch(1, 3, created="later"), [0]))
    await lake.flush()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 1, 2, 2, 3, 3, 4, 5]), ("t1", [2])]


async def test_virtual_tags_of_a_message_are_kept_though_its_readings_are_on_disk(
    lake: Lake, tmp_path: Path
) -> None:
    await lake.append(readings(batch(1, 4), [0]))
    await lake.flush()
    await lake.append(readings(batch(1, 4), [3]))
    await lake.flush()
    again = await reopened(lake)
    await again.append(readings(batch(3, 3), [0]))
    await again.append(readings(batch(3, 3), [3]))
    await again.flush()
    await again.close()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2, 3, 4, 5]), ("t3", [1, 2, 3, 4, 5])]


async def test_only_what_passed_is_kept(lake: Lake, tmp_path: Path) -> None:
    some = readings(batch(1, 4), [0])
    await lake.append(some, (), np.array([True, False, False, True]))
    await lake.append(readings(batch(5, 1), [0]), (), np.array([False]))
    await lake.append(None)
    await lake.flush()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 4])]


async def test_late_readings_are_of_their_own_day_and_impossible_times_of_the_day_they_came(
    lake: Lake, tmp_path: Path
) -> None:
    day_us = 86_400_000_000
    for sequence, time in enumerate([NOON_US, NOON_US - day_us, -1, 2**62], start=1):
        await lake.append(readings(batch(sequence), [0, 2], time=time))
    await lake.flush()
    may_first, before = date(2026, 5, 1), date(2026, 4, 30)
    assert ask(
        tmp_path,
        "select keep, day, list(sequence order by sequence) from readings group by all order by 1, 2",
    ) == [
        ("fine", before, [2]),
        ("fine", may_first, [1, 3, 4]),
        ("standard", before, [2]),
        ("standard", may_first, [1, 3, 4]),
    ]
    assert ask(
        tmp_path, "select sequence from readings where tag = 't0' and time < '1970-01-01 00:00:00Z'"
    ) == [(3,)]


async def test_a_changed_tag_list_does_not_rename_what_waits(lake: Lake, tmp_path: Path) -> None:
    await lake.append(readings(batch(1), [0]))
    lake.change(TagList([tag(9), tag(0)]))
    await lake.append(readings(batch(2), [0]))
    with pytest.raises(ConfigError, match=r"keep 'fien' is no retention class.*did you mean 'fine'"):
        lake.change(TagList([tag(4, "fien")]))
    await lake.append(readings(batch(3), [1]))
    await lake.flush()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 3]), ("t9", [2])]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_commit_without_an_answer_counts_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    commit = DeltaTable.create_write_transaction

    def broken(*args: object, **kwargs: object) -> None:
        if lost == "after":
            commit(*args, **kwargs)
        raise CommitFailedError("the connection broke")

    await lake.append(readings(batch(1, 3), [0]))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaTable, "create_write_transaction", broken)
        if lost == "before":
            with pytest.raises(TransientFault, match="did not take a commit: the connection broke"):
                await lake.flush()
        else:
            await lake.flush()
    await lake.append(readings(batch(4), [0]))
    await lake.flush()
    assert lake.waiting == 0
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2, 3, 4])]
    assert len(files(tmp_path)) == (1 if lost == "before" else 2)


async def test_a_full_disk_is_told_and_what_waits_is_written_when_there_is_room(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def full(*args: object, **kwargs: object) -> object:
        if written:
            raise OSError(28, "No space left on device")
        written.append(write_part(*args, **kwargs))  # type: ignore[arg-type]
        return written[0]

    await lake.append(readings(batch(1)))  # two classes, two files
    with monkeypatch.context() as patch:
        patch.setattr(readings_table, "write_part", full)
        with pytest.raises(TransientFault, match=f"lake {tmp_path}.*No space left on device.*make room"):
            await lake.flush()
    assert files(tmp_path) == []
    await lake.flush()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1]), ("t1", [1]), ("t2", [1])]


async def test_appending_waits_for_the_disk_when_too_much_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = msgspec.structs.replace(POLICY, flush_rows=10**6, most_rows=6)
    lake = await Lake.open(str(tmp_path), TAGS, policy)
    refused = asyncio.Event()
    loop = asyncio.get_running_loop()

    def full(*_: object, **__: object) -> None:
        loop.call_soon_threadsafe(refused.set)
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(readings_table, "write_part", full)
        await lake.append(readings(batch(1)))
        assert not refused.is_set()
        waits = asyncio.create_task(lake.append(readings(batch(2))))
        await refused.wait()
        assert not waits.done()
    await waits
    assert lake.waiting == 0
    await lake.close()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2]), ("t1", [1, 2]), ("t2", [1, 2])]


async def test_many_rows_are_written_without_being_asked(tmp_path: Path) -> None:
    lake = await Lake.open(str(tmp_path), TAGS, msgspec.structs.replace(POLICY, flush_rows=6))
    await lake.append(readings(batch(1, 2)))
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
    assert lake.waiting == 0
    await lake.close()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2]), ("t1", [1, 2]), ("t2", [1, 2])]


async def test_a_cancelled_flush_loses_and_repeats_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*args: object, **kwargs: object) -> object:
        loop.call_soon_threadsafe(begun.set)
        return write_part(*args, **kwargs)  # type: ignore[arg-type]

    await lake.append(readings(batch(1, 3), [0]))
    monkeypatch.setattr(readings_table, "write_part", slow)
    flush = asyncio.create_task(lake.flush())
    await begun.wait()
    flush.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flush
    await lake.append(readings(batch(4), [0]))
    await lake.flush()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2, 3, 4])]


async def test_a_commit_torn_by_a_power_cut_is_dropped_at_the_next_start(lake: Lake, tmp_path: Path) -> None:
    await lake.append(readings(batch(1), [0]))
    await lake.flush()
    (tmp_path / "readings/_delta_log/00000000000000000002.json").touch()
    again = await reopened(lake)
    await again.append(readings(batch(2), [0]))
    await again.flush()
    await again.close()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2])]


async def test_a_lake_by_url_works_like_a_folder(tmp_path: Path) -> None:
    lake = await Lake.open(f"file://{tmp_path}", TAGS, POLICY)
    await lake.append(readings(batch(1, 2), [0]))
    await lake.flush()
    again = await reopened(lake)
    await again.append(readings(batch(1, 3), [0]))
    await again.flush()
    await again.close()
    assert ask(tmp_path, SEQUENCES) == [("t0", [1, 2, 3])]


async def test_a_class_without_retention_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="tag 't5': keep 'raw' is no retention class of the lake; known: standard"
    ):
        await Lake.open(str(tmp_path), TagList([tag(5, "raw")]), POLICY)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    with pytest.raises(TransientFault, match=f"lake {tmp_path}.*Permission denied.*right to write"):
        await Lake.open(str(tmp_path), TAGS, POLICY)


async def test_a_log_of_something_else_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "readings/_delta_log"
    log.mkdir(parents=True)
    protocol = '{"protocol":{"minReaderVersion":99,"minWriterVersion":99}}\n'
    schema = '{\\"type\\":\\"struct\\",\\"fields\\":[]}'
    meta = (
        '{"metaData":{"id":"1","format":{"provider":"parquet","options":{}},'
        f'"schemaString":"{schema}","partitionColumns":[],"configuration":{{}}}}}}\n'
    )
    (log / "00000000000000000000.json").write_text(protocol + meta)
    with pytest.raises((PermanentFault, TransientFault), match=f"lake {tmp_path}"):
        await Lake.open(str(tmp_path), TAGS, POLICY)
