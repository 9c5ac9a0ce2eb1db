"""Scenario runs of tests leave no trace behind, and may take the time that a first ERP build needs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def last_run_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`lineshaft trace` of the person who runs the tests keeps pointing at that person's last run."""
    monkeypatch.setattr("estate.running.note_last_run", lambda _: None)
    monkeypatch.setattr("estate.scenarios.s2.runs_dir", lambda: tmp_path)
