"""`lineshaft systems`: who is not to be called until when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.core.errors import ConfigError, PermanentFault

SETTINGS = """\
enterprise: northspring
plant: leipzig
time_zone: Europe/Berlin
systems:
  erp:
    connector: rest
    title: Tryton
    options: {url: "http://127.0.0.1:1", mapping: erp.yaml}
    policy: {maintenance: [{days: [sat], from: "22:00", to: "02:00"}]}
  cmms: {connector: rest, options: {url: "http://127.0.0.1:1", mapping: cmms.yaml}}
"""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    (tmp_path / "lineshaft.yaml").write_text(SETTINGS)
    return CliRunner()


def listed(cli: CliRunner) -> dict[str, dict[str, object]]:
    found = cli.invoke(app, ["systems", "list", "--json"])
    assert found.exit_code == 0
    return {row["system"]: row for row in json.loads(found.stdout)}


def test_a_system_is_paused_and_resumed_and_both_are_in_the_audit(cli: CliRunner) -> None:
    pause = ["systems", "pause", "ERP", "--until", "2126-11-21T14:00Z", "--reason", "upgrade", "--by", "jo"]
    assert cli.invoke(app, pause).stdout == "erp is paused until 2126-11-21 15:00 CET\n"
    rows = listed(cli)
    assert rows["erp"] == {
        "system": "erp",
        "title": "Tryton",
        "maintenance": ["sat 22:00-02:00"],
        "paused_until": "2126-11-21T14:00:00.000000Z",
        "by": "jo",
        "reason": "upgrade",
    }
    assert rows["cmms"]["paused_until"] is None
    assert "2126-11-21 15:00 CET" in cli.invoke(app, ["systems", "list"]).stdout

    assert cli.invoke(app, ["systems", "resume", "erp", "--reason", "done", "--by", "jo"]).exit_code == 0
    assert listed(cli)["erp"]["paused_until"] is None
    audit = json.loads(cli.invoke(app, ["audit", "list", "--json"]).stdout)
    assert {(row["action"], row["subject"], row["actor"], row["reason"]) for row in audit} == {
        ("system.paused", "erp", "jo", "upgrade"),
        ("system.resumed", "erp", "jo", "done"),
    }


def test_a_time_without_an_offset_is_the_plants(cli: CliRunner) -> None:
    cli.invoke(app, ["systems", "pause", "erp", "--until", "2126-07-01T14:00", "--reason", "x"])
    assert listed(cli)["erp"]["paused_until"] == "2126-07-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("name", "until", "said"),
    [
        ("mes", "2126-07-01T14:00", "there is no system 'mes'"),
        ("erp", "tomorrow", "'tomorrow' is no time"),
        ("erp", "2020-01-01T00:00Z", "is in the past"),
        ("erp", "9999-12-31T23:59:59-14:00", "is no time"),
    ],
)
def test_what_cannot_be_is_refused(name: str, until: str, said: str, cli: CliRunner) -> None:
    result = cli.invoke(app, ["systems", "pause", name, "--until", until, "--reason", "x"])
    assert isinstance(result.exception, ConfigError)
    assert said in result.exception.message


def test_as_json_both_say_what_the_list_says(cli: CliRunner) -> None:
    pause = ["systems", "pause", "ERP", "--until", "2126-11-21T14:00Z", "--reason", "upgrade", "--json"]
    assert json.loads(cli.invoke(app, pause).stdout) == listed(cli)["erp"]
    assert listed(cli)["erp"]["reason"] == "upgrade"
    resume = ["systems", "resume", "erp", "--reason", "done", "--json"]
    assert json.loads(cli.invoke(app, resume).stdout) == listed(cli)["erp"]
    assert listed(cli)["erp"]["paused_until"] is None


@pytest.mark.parametrize("verb", [["pause", "erp", "--until", "2126-11-21T14:00Z"], ["resume", "erp"]])
def test_both_need_a_reason(verb: list[str], cli: CliRunner) -> None:
    cli.invoke(app, ["systems", "pause", "erp", "--until", "2126-01-01T00:00Z", "--reason", "first"])
    before = listed(cli)
    assert cli.invoke(app, ["systems", *verb]).exit_code == 2
    refused = cli.invoke(app, ["systems", *verb, "--reason", " "]).exception
    assert isinstance(refused, PermanentFault)
    assert str(refused) == "a reason is missing (say why, for the audit)"
    assert listed(cli) == before


def test_which_system_masters_what_is_told(cli: CliRunner, tmp_path: Path) -> None:
    mappings = Path(__file__).parents[2] / "estate/plants/leipzig/mappings"
    options = 'url: "http://127.0.0.1:1", webhook_secret: hush'
    systems = "".join(
        f"  {name}: {{connector: rest, options: {{{options}, mapping: {mappings}/{name}.yaml}}}}\n"
        for name in ("cmms", "inventory")
    )
    settings = SETTINGS.partition("systems:")[0] + "systems:\n" + systems
    path = tmp_path / "lineshaft.yaml"
    overrides = "{reservation: inventory, stock_balance: {storage_location: inventory}}"
    path.write_text(f"{settings}authority: {overrides}\n")
    told = cli.invoke(app, ["systems", "authority", "--json"])
    assert told.exit_code == 0, told.output
    rows = {(row["entity"], row["field"]): row["systems"] for row in json.loads(told.stdout)}
    assert rows["maintenance_order", ""] == ["cmms"]
    assert rows["reservation", ""] == rows["stock_balance", "storage_location"] == ["inventory"]
    assert rows["cost_posting", ""] == []
    assert "not connected" in cli.invoke(app, ["systems", "authority"]).stdout
    path.write_text(settings + "authority:\n  reservation: cmms\n")
    with pytest.raises(ConfigError) as refused:
        cli.invoke(app, ["systems", "authority"], catch_exceptions=False)
    (finding,) = refused.value.findings
    assert finding.startswith("lineshaft.yaml:8: authority.reservation cmms is no erp or wms")
