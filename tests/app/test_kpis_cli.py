"""Key figures at the command line and over HTTP, with the plant's calendar and targets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.app.kpis_part import kpi_reads, kpi_route, target_doubts
from lineshaft.app.service_levels import USUAL_LEVELS
from lineshaft.app.settings import load_settings, store_url
from lineshaft.insight.kpis import KPIS
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.console.conftest import serving
from tests.insight.kpis.evening import END, Evening

SETTINGS = """\
enterprise: acme
plant: leipzig
time_zone: Europe/Berlin
kpi_targets: {oee: 0.4}
systems:
  shifts: {connector: calendar, options: {file: shifts.yaml}}
"""
SHIFTS = """\
shifts:
  - {id: early, start: "06:00", finish: "14:00", breaks: [{start: "09:00", finish: "09:30"}]}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a plant that has had its evening: from seven in the morning to three in the afternoon, site time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    path = tmp_path / "lineshaft.yaml"
    path.write_text(SETTINGS)
    (tmp_path / "shifts.yaml").write_text(SHIFTS)

    async def record() -> None:
        store = Store.open(store_url(load_settings(path)[0], path))
        await Evening(store).filler()
        await store.close()

    asyncio.run(record())
    return path


def test_the_command_tells_all_or_one_over_a_period_in_site_time(settings: Path) -> None:
    period = ["--from", "2026-03-02T07:00", "--to", "2026-03-02T15:00"]
    answer = CliRunner().invoke(app, ["kpis", "--json", *period, "--kpi", "oee"], catch_exceptions=False)
    board = json.loads(answer.stdout)
    (figure,) = board["figures"]
    assert (board["start_time"], board["end_time"]) == ("2026-03-02T06:00:00Z", "2026-03-02T14:00:00Z")
    assert figure["target"] == 0.4
    (row,) = figure["tables"][0]["rows"]
    assert row[6] == 6.5 * 3600  # seven to two, without the break
    shown = CliRunner().invoke(app, ["kpis", *period, "--plant", "linz"], catch_exceptions=False)
    assert shown.exit_code == 0
    for kpi in KPIS:
        assert kpi.title in shown.stdout


def test_a_time_that_is_none_is_said(settings: Path) -> None:
    answer = CliRunner().invoke(app, ["kpis", "--from", "monday"])
    assert answer.exit_code == 1
    assert "--from 'monday' is no time" in str(answer.exception)


def test_a_target_of_no_kpi_is_found_by_its_line(settings: Path) -> None:
    settings.write_text(SETTINGS.replace("oee:", "oe:"))
    (finding,) = target_doubts(*load_settings(settings))
    assert "lineshaft.yaml:4" in finding
    assert "there is no KPI 'oe'" in finding


async def test_the_api_tells_the_same(settings: Path) -> None:
    found, file = load_settings(settings)
    store, clock = Store.open(store_url(found, settings)), ManualClock(END)
    routes = [kpi_route(kpi_reads(found, file, USUAL_LEVELS, store, clock))]

    async with serving(store, clock=clock, routes=routes) as console:

        async def ask(status: int, **asked: str) -> Any:
            async with console.http.get("/api/v1/kpis", params=asked) as answer:
                assert answer.status == status
                return await answer.json(content_type=None)

        board = await ask(200, period="shift", kpi="unplanned_downtime")
        assert board["end_time"] == "2026-03-02T14:00:00Z"
        assert board["figures"][0]["unit"] == "s"
        await ask(422, kpi="oe")
        await ask(422, period="week")
        for given in ("0001-01-01T00:00:00+14:00", "2026-06-30T23:59:60Z"):
            assert "from: " in (await ask(400, **{"from": given}))["errors"][0]
        early = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}
        board = await ask(200, kpi="oee", plant="linz", **early)
        assert board["plant"] == "linz"
        assert board["figures"][0]["value"] is None
    await store.close()


def test_the_document_tells_of_every_kpi() -> None:
    text = (Path(__file__).parents[2] / "docs" / "kpis.md").read_text()
    for kpi in KPIS:
        for told in (f"[`{kpi.id}`]", f"### {kpi.title}\n", kpi.definition, f"- Formula: {kpi.formula}"):
            assert told in text, f"docs/kpis.md: {kpi.id}: {told!r} is missing"
