"""`lineshaft lake …` over a lake of a few readings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from lineshaft.app.lake_cli import lake
from lineshaft.core.errors import ConfigError
from lineshaft.telemetry.lake.lake import Lake
from tests.telemetry.lake.plant import POLICY, TAGS, batch, readings

SETTINGS = """
enterprise: acme
plant: leipzig
time_zone: Europe/Berlin
telemetry:
  tags: tags.csv
  rules: rules.yaml
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "lineshaft.yaml"
    path.write_text(SETTINGS + "  lake: {path: readings, keep: {standard: 100000, fine: 100000}}\n")

    async def fill() -> None:
        opened = await Lake.open(str(tmp_path / "readings"), TAGS, POLICY)
        for first in (1, 3):
            await opened.append(readings(batch(first, 2), [0, 2]))
            await opened.flush()
        await opened.close()

    asyncio.run(fill())
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(lake, [str(arg) for arg in args], catch_exceptions=False)


def test_query_answers_as_a_table_json_or_csv(config: Path) -> None:
    sql = "select tag, count(*) as n, max(time) as last from readings group by tag order by tag"
    assert msgspec.json.decode(run("query", sql, "--config", config, "--json").output) == [
        {"tag": tag, "n": 4, "last": "2026-05-01T12:00:00.004000Z"} for tag in ("t0", "t2")
    ]
    shown = run("query", sql, "--config", config).output
    assert "t2" in shown
    assert "2026-05-01 12:00:00.004000+00:00" in shown
    written = run("query", sql, "--config", config, "--csv").output.splitlines()
    assert written == ['"tag","n","last"'] + [
        f'"{tag}","4","2026-05-01 12:00:00.004000Z"' for tag in ("t0", "t2")
    ]


def test_status_and_compact(config: Path) -> None:
    def status() -> list[tuple[str, int, int]]:
        found = msgspec.json.decode(run("status", "--config", config, "--json").output)
        return [(one["keep"], one["rows"], one["files"]) for one in found]

    assert status() == [("fine", 4, 2), ("standard", 4, 2)]
    assert "4 files became 2" in run("compact", "--config", config).output
    assert status() == [("fine", 4, 1), ("standard", 4, 1)]
    assert "2026-05-01" in run("status", "--config", config).output


def test_settings_without_a_lake_say_what_to_write(config: Path) -> None:
    config.write_text(SETTINGS)
    with pytest.raises(ConfigError, match=r"has no lake \(write `lake: \{\}` under telemetry\)"):
        run("status", "--config", config)
