"""Each bench measures, says what it promised, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from typer.testing import CliRunner

from lineshaft.app.bench.commands import bench
from lineshaft.core.errors import ConfigError
from tests.databases import Postgres
from tests.waiting import soon

WAITING_FIGURES = {"instances", "rss_mb", "core_percent", "wake_p50_ms", "wake_p99_ms"}
PROCESS_FIGURES = {"wf_s", "dbos_wf_s", "ratio", "p50_ms", "p99_ms"}
CALL_FIGURES = {"posts_s", "p99_ms", "duplicates", "bare_posts_s", "ratio", "cpu_s_per_1000", "limited_by"}
SPEEDS = {"posts_s", "p99_ms", "bare_posts_s", "ratio"}
BENCH = [sys.executable, "-m", "lineshaft.app", "bench"]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For the temporary files of a bench; the user that PostgreSQL runs as can reach what is in it."""
    monkeypatch.delenv("LINESHAFT_BENCH_POSTGRES", raising=False)
    with tempfile.TemporaryDirectory(prefix="lineshaft-test-") as name:
        Path(name).chmod(0o711)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def left_of(folder: Path) -> list[str]:
    """Files, and processes that were started with this folder in their environment."""
    running = [
        str(one.info["pid"])
        for one in psutil.process_iter(["pid", "environ"])
        if one.pid != os.getpid() and (one.info["environ"] or {}).get("TMPDIR") == str(folder)
    ]
    return [*running, *map(str, folder.iterdir())]


def leaves_nothing(folder: Path) -> None:
    """Processes end with the bench that started them, and may take a moment after it."""
    soon(lambda: not left_of(folder), lambda: f"{left_of(folder)} is left")


def test_all_of_them_on_both_databases_with_what_is_there(folder: Path, tmp_path: Path) -> None:
    without_wrk = {"PATH": str(Path(sys.executable).parent), "LINESHAFT_CACHE": str(tmp_path)}
    done = subprocess.run(
        [*BENCH, "all", "--json", "--no-node-red", "--seconds", "0.1", "--waiting", "60"],
        env=os.environ | without_wrk,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"processes", "calls"}
    assert "no gateway: there is no wrk" in done.stderr
    waiting = found["processes"].pop("waiting")
    for figures in (waiting, waiting["sqlite"], waiting["postgres"]):
        assert set(figures) >= WAITING_FIGURES
        assert figures["instances"] == 60
        assert figures["rss_mb"] > 0
        assert 0 < figures["wake_p50_ms"] <= figures["wake_p99_ms"]
    assert set(found["processes"]) == {"sqlite", "postgres"}
    assert found["processes"]["postgres"].pop("two_workers_wf_s") > 0
    for figures in found["processes"].values():
        assert set(figures) == PROCESS_FIGURES
        assert all(value > 0 for value in figures.values())
        assert figures["p50_ms"] <= figures["p99_ms"]
    assert set(found["calls"]) == {"sqlite", "postgres", "node_red"}
    assert found["calls"].pop("node_red") is None
    for figures in found["calls"].values():
        assert set(figures) == CALL_FIGURES
        assert all(figures[speed] > 0 for speed in SPEEDS)
        assert figures["duplicates"] == 0
    leaves_nothing(folder)


def test_a_server_that_is_there_keeps_its_databases_as_they_were(postgres: Postgres, folder: Path) -> None:
    def databases() -> list[str]:
        with psycopg.connect(postgres.url("postgres")) as connection:
            return [name for (name,) in connection.execute("select datname from pg_database order by 1")]

    before = databases()
    environment = {"LINESHAFT_BENCH_POSTGRES": postgres.url("postgres")}
    done = CliRunner().invoke(
        bench,
        ["calls", "--no-node-red", "--store", "postgres", "--seconds", "0.1"],
        env=environment,
        catch_exceptions=False,
    )
    assert "bare_posts_s" in done.stdout
    assert databases() == before
    leaves_nothing(folder)


def test_only_the_database_that_is_asked_for_is_measured(folder: Path) -> None:
    asked = ["calls", "--json", "--no-node-red", "--store", "sqlite", "--seconds", "0.1"]
    found = json.loads(CliRunner().invoke(bench, asked, catch_exceptions=False).stdout)
    assert set(found["sqlite"]) == CALL_FIGURES
    assert found["postgres"] is None


def test_without_dbos_it_is_said_and_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineshaft.app.bench.processes.find_spec", lambda name: None)
    asked = ["processes", "--json", "--store", "sqlite", "--seconds", "0.1", "--waiting", "0"]
    done = CliRunner().invoke(bench, asked, catch_exceptions=False)
    found = json.loads(done.stdout)["sqlite"]
    assert (found["dbos_wf_s"], found["ratio"]) == (None, None)
    assert found["wf_s"] > 0
    assert "install `dbos`" in done.stderr


def test_a_url_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no URL of a PostgreSQL database"):
        CliRunner().invoke(
            bench, ["calls", "--no-node-red", "--postgres-url", "no url"], catch_exceptions=False
        )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_ended_in_the_middle_it_leaves_nothing_behind(how: signal.Signals, folder: Path) -> None:
    running = subprocess.Popen(
        [*BENCH, "all", "--no-node-red", "--seconds", "3"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # a shell's background jobs, these tests perhaps among them, ignore it, and so would their children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    give_up_at = time.monotonic() + 120
    while not list(folder.glob("**/bench-2.db")):  # both sides are there
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    running.send_signal(how)
    assert running.wait(120) != 0
    leaves_nothing(folder)
