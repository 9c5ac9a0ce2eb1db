"""The governed side is measured as it is, beside the bare one; what is answered is what is kept."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lineshaft.app.bench.commands import bench
from lineshaft.app.bench.gateway import measure
from lineshaft.app.bench.gateway.wrk import found_wrk
from lineshaft.core.errors import ConfigError

FIGURES = {"req_s", "p50_ms", "p99_ms", "half_req_s", "cores", "limited_by"}


@pytest.fixture
def _wrk() -> None:
    try:
        found_wrk()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("_wrk")
def test_governed_beside_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 1)
    monkeypatch.setattr(measure, "pypi_installed", lambda *_: None)
    done = CliRunner().invoke(bench, ["gateway", "--json", "--seconds", "1"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert set(found) == {"governed", "starlette", "fastapi"}
    assert found["fastapi"] is None
    ratio = found["governed"].pop("ratio_to_starlette")
    assert ratio == pytest.approx(found["governed"]["req_s"] / found["starlette"]["req_s"], abs=0.001)
    for name in ("governed", "starlette"):
        figures = found[name]
        assert set(figures) == FIGURES
        assert figures["req_s"] > figures["half_req_s"] > 0
        assert 0 < figures["p50_ms"] <= figures["p99_ms"]
        assert figures["cores"]["server"] > 0
