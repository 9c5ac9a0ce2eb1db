"""What SQL sees of a lake, and that it can do nothing else."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.model.condition import Evidence
from lineshaft.model.equipment_state import PackMLState, StateChange
from lineshaft.telemetry.lake.facts_tables import FACTS
from lineshaft.telemetry.lake.lake import Lake
from lineshaft.telemetry.lake.query import query, write_csv
from lineshaft.telemetry.lake.upkeep import maintain
from tests.telemetry.lake.plant import POLICY, TAGS, ask, batch, files, readings

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

WINDOW = ReadingsAggregate(
    tag="t0",
    equipment_id="EQ-0",
    physical_asset_id="A-0",
    property="state",
    rule="minutes",
    rule_version="1",
    start_time=START,
    end_time=START + MINUTE,
    unit="C62",
    count=3,
    min=1.0,
    max=6.0,
    mean=3.5,
    last=6.0,
    time_in_state={"execute": 40.0, "held": 20.0},
)
COUNT = CountAggregate(
    equipment_id="EQ-0",
    physical_asset_id="A-0",
    property="good_count",
    rule="good",
    rule_version="1",
    epoch=START,
    start_time=START,
    end_time=START + MINUTE,
    from_count=100,
    to_count=142,
    quantity=Quantity(value=Decimal(42), unit="C62"),
)
STATE = StateChange(
    equipment_id="EQ-0",
    physical_asset_id="A-0",
    rule="state",
    rule_version="1",
    state=PackMLState.HELD,
    previous=None,
    start_time=START,
    detected_at=START,
    evidence=Evidence(topic="plant/x", position="RAW:9", time=START, value=11.0),
)


@pytest.fixture
async def lake(tmp_path: Path) -> AsyncIterator[Lake]:
    opened = await Lake.open(str(tmp_path), TAGS, POLICY)
    yield opened
    await opened.close()


def spoil(path: Path) -> None:
    """Its rows cannot be read any more; what it says of them at its end can."""
    data = path.read_bytes()
    rows = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(b"\xff" * rows + data[rows:])


async def keep(lake: Lake, *facts: Value) -> None:
    await lake.append(None, facts)
    await lake.flush()


async def test_the_newest_revision_of_a_window_is_seen(lake: Lake, tmp_path: Path) -> None:
    await keep(lake, WINDOW, msgspec.structs.replace(WINDOW, revision=2, count=5))
    await keep(lake, msgspec.structs.replace(WINDOW, revision=1, count=4))
    await keep(lake, msgspec.structs.replace(WINDOW, start_time=START + MINUTE, end_time=START + 2 * MINUTE))
    columns = "start_time, revision, count, mean, time_in_state['held']"
    told = [(START, 2, 5, 3.5, 20.0), (START + MINUTE, 0, 3, 3.5, 20.0)]
    assert ask(tmp_path, f"select {columns} from aggregates order by 1") == told
    assert ask(tmp_path, "select count(*) from aggregates_rows") == [(4,)]
    maintain(lake.root, POLICY, START + timedelta(days=1))
    assert ask(tmp_path, f"select {columns} from aggregates order by 1") == told


async def test_facts_that_are_told_again_after_a_crash_are_seen_once(lake: Lake, tmp_path: Path) -> None:
    for _ in range(2):
        await keep(lake, WINDOW, COUNT, STATE)
    assert ask(tmp_path, "select count(*) from aggregates") == [(1,)]
    assert ask(tmp_path, "select quantity, unit, complete, to_count from counts") == [
        (42.0, "C62", True, 142.0)
    ]
    assert ask(tmp_path, "select state, state_name, previous, mode, position from states") == [
        (11, "held", None, None, "RAW:9")
    ]
    after_reset = msgspec.structs.replace(COUNT, epoch=START + timedelta(seconds=30))
    await keep(lake, after_reset)
    assert ask(tmp_path, "select count(*) from counts") == [(2,)]


async def test_a_fact_that_no_column_holds_stops_no_other(lake: Lake, tmp_path: Path) -> None:
    await keep(lake, STATE, msgspec.structs.replace(STATE, rule="poisoned", state=2**80))
    assert ask(tmp_path, "select rule, state from states") == [("state", 11)]


def test_every_field_of_a_fact_has_its_column() -> None:
    for kind in FACTS:
        fields = set(kind.made_of.__struct_fields__) - {"evidence"}
        assert fields <= set(kind.shape.fields.names), kind.shape.name


async def test_a_lake_without_anything_answers(tmp_path: Path) -> None:
    assert ask(tmp_path, "select count(*) from readings") == [(0,)]
    assert ask(tmp_path, "select * from aggregates") == []
    assert files(tmp_path) == []


async def test_conditions_skip_files_of_other_days_and_times(lake: Lake, tmp_path: Path) -> None:
    day_us = 86_400_000_000
    first = int(START.timestamp()) * 1_000_000
    for day in range(3):
        await lake.append(readings(batch(day + 1), [0], time=first + day * day_us))
        await lake.flush()
    for path in files(tmp_path):
        if "day=2026-05-02" not in str(path):
            spoil(path)
    with pytest.raises(ConfigError):
        ask(tmp_path, "select sequence from readings")
    assert ask(tmp_path, "select sequence from readings where day = '2026-05-02'") == [(2,)]
    between = "time > '2026-05-01 13:00:00Z' and time < '2026-05-03 11:00:00Z'"
    assert ask(tmp_path, f"select sequence from readings where {between} and tag = 't0'") == [(2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{folder}/out.csv'",
        "select * from read_csv('/etc/passwd')",
        "attach '{folder}/other.db'",
        "set enable_external_access = true",
        "copy (select 1) to '{part}'",
        "explain analyze copy (select 1) to '{part}'",
        "select 1; copy (select 1) to '{part}'",
        "select * from read_text('{folder}/../other.txt')",
        "insert into readings select * from readings",
        "select secret_of_the_caller from secret",
        "selct 1",
    ],
)
async def test_nothing_but_reading_is_possible(lake: Lake, tmp_path: Path, sql: str) -> None:
    (tmp_path.parent / "other.txt").write_text("secret")
    await lake.append(readings(batch(1), [0]))
    await lake.flush()
    with pytest.raises(ConfigError, match="the lake did not take"):
        ask(tmp_path, sql.format(folder=tmp_path, part=files(tmp_path)[0]))
    assert ask(tmp_path, "select count(*) from readings") == [(1,)]
    assert not (tmp_path / "out.csv").exists()


async def test_columns_and_plans_can_be_asked_for(lake: Lake, tmp_path: Path) -> None:
    assert ("tag", "VARCHAR") in [row[:2] for row in ask(tmp_path, "describe readings")]
    assert [name for name, *_ in ask(tmp_path, "show tables")] == sorted(
        [kind for name in ("readings", "aggregates", "counts", "states") for kind in (name, f"{name}_rows")]
    )


async def test_too_large_a_question_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?i)memory"):
        query(str(tmp_path), "select list(i) from range(100_000_000) r(i)", POLICY, memory_mb=64)


async def test_csv_has_times_lists_and_maps_as_text(lake: Lake, tmp_path: Path) -> None:
    await keep(lake, WINDOW)
    found = query(str(tmp_path), "select tag, start_time, time_in_state, null as x from aggregates", POLICY)
    to = io.BytesIO()
    write_csv(found, to)
    assert to.getvalue().decode().splitlines() == [
        '"tag","start_time","time_in_state","x"',
        '"t0","2026-05-01 12:00:00.000000Z","[(\'execute\', 40.0), (\'held\', 20.0)]",',
    ]
