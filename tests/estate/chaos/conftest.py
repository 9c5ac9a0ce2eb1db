"""Runs of tests leave no trace behind."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def last_run_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """`lineshaft trace` of the person who runs the tests keeps pointing at that person's last run."""
    monkeypatch.setattr("estate.running.note_last_run", lambda _: None)
