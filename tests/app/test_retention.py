"""`lineshaft retention`: what would go, and what went."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.contracts.catalogue import EVENTS, THRESHOLD_EXCEEDED
from lineshaft.core.clock import SystemClock
from lineshaft.ledger import EventLog
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.facts import AT, breach

LEAST = "enterprise: northspring\nplant: leipzig\ntime_zone: Europe/Berlin\n"


async def two_events(folder: Path) -> None:
    """One of long ago, one of now."""
    store = Store.open(f"sqlite:///{folder / 'data' / 'lineshaft.db'}")
    long_ago = ManualClock(SystemClock().now() - timedelta(days=3))
    for number, clock in enumerate((long_ago, SystemClock())):
        told = THRESHOLD_EXCEEDED.make(breach(), plant="x", source="/x", identity=(str(number),), time=AT)
        await EventLog(store, EVENTS, clock).record([told])
    await store.close()


def test_what_is_older_than_the_settings_say_goes(tmp_path: Path) -> None:
    settings = tmp_path / "lineshaft.yaml"
    settings.write_text(LEAST + "retention: {events_days: 2.5}\n")
    asyncio.run(two_events(tmp_path))

    def told(*words: str) -> dict[str, object]:
        result = CliRunner().invoke(app, ["retention", "--config", str(settings), "--json", *words])
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    dry = told("--dry-run")
    assert (dry["dry_run"], dry["events"], dry["call_payloads"]) == (True, 1, 0)
    assert told("--dry-run") == dry
    assert told() == dry | {"dry_run": False}
    assert told()["events"] == 0
    said = CliRunner().invoke(app, ["retention", "--config", str(settings), "--dry-run"])
    assert "0 events would go" in said.stdout
