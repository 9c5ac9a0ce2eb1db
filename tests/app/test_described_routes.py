"""The API of a node that does not run, as one document."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from openapi_spec_validator import validate
from typer.testing import CliRunner

from lineshaft.app.cli import app

from .readme_plant import SECRETS, write_readme_plant


def test_the_plant_of_the_readme_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = write_readme_plant(tmp_path)
    said = CliRunner().invoke(app, ["contracts", "export", "openapi", "--config", str(settings)])
    assert said.exit_code == 0
    document = msgspec.json.decode(said.stdout)
    validate(document)
    assert {
        "/api/system/cmms/v1/maintenance/create_request",
        "/api/process/corrective_maintenance/v1",
        "/api/v1/orders/{id}/status",
        "/api/events",
        "/oauth2/token",
        "/webhooks/{system}/{hook}",
    } <= document["paths"].keys()
    assert not list(tmp_path.glob("data/*.db"))
    assert not (tmp_path / "data" / "signing-keys.json").exists()
