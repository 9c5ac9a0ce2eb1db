from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.app.bench.calls import bench_calls
from lineshaft.app.bench.databases import Databases
from lineshaft.app.bench.node_red import NodeRed
from lineshaft.app.last_run import cache_dir

INSTALLED = cache_dir() / "node-red" / "complete"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for; the cache is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("LINESHAFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lineshaft.app.bench.npm.sysconfig.get_path", lambda name: str(folder))
    return folder


def a_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_npm_it_is_said_and_left_out(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert NodeRed.found() is None
    assert "install node and npm" in capsys.readouterr().err


def test_what_npm_says_is_told_and_it_is_tried_again_next_time(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_program(programs / "node", "exit 0")
    a_program(programs / "npm", "echo there is no network >&2; exit 1")
    for _ in range(2):
        assert NodeRed.found() is None
        assert "npm: there is no network" in capsys.readouterr().err


def test_it_is_installed_once(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_program(programs / "node", "exit 0")
    package = cache_dir() / "node-red/node_modules/node-red/package.json"
    made = f'/bin/mkdir -p {package.parent} && echo \'{{"version": "4.9.9"}}\' > {package}'
    a_program(programs / "npm", made)
    first = NodeRed.found()
    (programs / "npm").write_text("#!/bin/sh\nexit 1\n")
    second = NodeRed.found()
    assert first is not None
    assert second is not None
    assert first.version == second.version == "4.9.9"


@pytest.mark.skipif(not INSTALLED.exists(), reason="`lineshaft bench calls` puts Node-RED into the cache")
async def test_node_red_posts_each_fact_once() -> None:
    node_red = NodeRed.found()
    assert node_red is not None
    found = await bench_calls(Databases(sqlite=None, postgres=None), 0.3, node_red)
    figures = found["node_red"]
    assert (found["sqlite"], found["postgres"]) == (None, None)
    assert figures["posts_s"] > 0
    assert figures["p99_ms"] > 0
    assert figures["duplicates"] == 0
    assert figures["version"] == node_red.version
