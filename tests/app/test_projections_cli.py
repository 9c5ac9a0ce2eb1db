"""`lineshaft projections`: how far rows for consumers are, and making them anew."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.app.settings import load_settings, store_url
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.ledger import EventLog
from lineshaft.store import Store
from tests.ledger.projections.plant_events import told


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """With two events in its log that no node has applied."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    settings = tmp_path / "lineshaft.yaml"
    settings.write_text("{enterprise: acme, plant: leipzig, time_zone: Europe/Berlin}\n")

    async def record() -> None:
        store = Store.open(store_url(load_settings(settings)[0], settings))
        some = [told("production.order.released", id="A"), told("equipment.state.changed")]
        await EventLog(store, EVENTS, SystemClock()).record(some)
        await store.close()

    asyncio.run(record())
    return tmp_path


def said(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["projections", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_what_is_behind_is_told_and_made_good(plant: Path) -> None:
    before = said("status")
    assert (before["behind_events"], before["complete_to"], before["rows"]["order_status"]) == (2, "", 0)
    assert "2 events and" in CliRunner().invoke(app, ["projections", "status"]).stdout
    assert said("rebuild") == {"applied": 2, "kept": False}
    after = said("status")
    assert (after["behind_events"], after["rebuilding"], after["rows"]["order_status"]) == (0, False, 1)
    assert after["rows"]["asset_status"] == 2
    assert "up to date" in CliRunner().invoke(app, ["projections", "status"]).stdout
    assert said("rebuild", "--keep") == {"applied": 2, "kept": True}
    assert said("status")["rows"] == after["rows"]
    assert "2 events applied" in CliRunner().invoke(app, ["projections", "rebuild"]).stdout
