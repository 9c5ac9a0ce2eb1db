"""`lineshaft webhooks` and the file of subscriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.app.subscriptions_file import read_subscriptions_file
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.errors import ConfigError, PermanentFault
from lineshaft.core.signing import new_secret, secret_bytes
from lineshaft.gateway.destinations import Destinations

SETTINGS = """\
enterprise: northspring
plant: leipzig
time_zone: Europe/Berlin
outgoing: {hosts: [hooks.example.com]}
"""
ADD = ["webhooks", "add", "portal", "--url", "https://hooks.example.com/in", "--reason", "they asked"]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    (tmp_path / "lineshaft.yaml").write_text(SETTINGS)
    return CliRunner()


def said(cli: CliRunner, *words: str) -> Any:
    found = cli.invoke(app, [*words, "--json"], catch_exceptions=False)
    assert found.exit_code == 0
    return json.loads(found.stdout)


def test_added_paused_and_resumed(cli: CliRunner) -> None:
    made = said(cli, *ADD, "--type", "maintenance.*", "--by", "anna")
    assert len(secret_bytes(made["secret"])) == 32
    (row,) = said(cli, "webhooks", "list")
    assert (row["name"], row["plants"], row["state"], row["created_by"]) == (
        "portal",
        ["leipzig"],
        "active",
        "anna",
    )
    assert "secret" not in row
    assert said(cli, "webhooks", "pause", "portal", "--reason", "they move")["cause"] == "they move"
    assert said(cli, "webhooks", "resume", "portal", "--reason", "moved")["state"] == "active"
    assert said(cli, "webhooks", "deliveries", "portal") == []
    assert said(cli, "webhooks", "redeliver", "portal", "--reason", "lost") == {"waiting": []}
    assert "maintenance.*" in cli.invoke(app, ["webhooks", "list"]).stdout
    actions = [row["action"] for row in said(cli, "audit", "list")]
    assert set(actions) >= {"subscription.added", "subscription.paused", "subscription.resumed"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--type", "maintenance.order.finished.v1"], "no declared event type"),
        (["--type", "equipment.readings.aggregated.v1"], "is analytical"),
        (["--type", "maintenance.*", "--url", "https://evil.example.com/"], "is not declared"),
        (["--type", "maintenance.*", "--url", "https://127.0.0.1/"], "is not declared"),
        (["--type", "maintenance.*", "--url", "file:///etc/passwd"], "only https and http"),
    ],
)
def test_what_cannot_be_added(cli: CliRunner, words: list[str], why: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        cli.invoke(app, [*ADD, *words], catch_exceptions=False)
    assert why in str(wrong.value)


def test_names_are_taken_once_and_have_to_be_there(cli: CliRunner) -> None:
    said(cli, *ADD, "--type", "maintenance.*")
    with pytest.raises(PermanentFault) as taken:
        cli.invoke(app, [*ADD, "--type", "maintenance.*"], catch_exceptions=False)
    assert taken.value.code == "subscription_exists"
    for words in (["pause", "erp", "--reason", "x"], ["deliveries", "erp"]):
        with pytest.raises(PermanentFault) as unknown:
            cli.invoke(app, ["webhooks", *words], catch_exceptions=False)
        assert unknown.value.code == "no_such_subscription"
    with pytest.raises(PermanentFault) as missing:
        cli.invoke(app, ["webhooks", "redeliver", "portal", "no-id", "--reason", "x"], catch_exceptions=False)
    assert missing.value.code == "no_such_delivery"


def test_the_file_of_subscriptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = new_secret()
    monkeypatch.setenv("PORTAL", secret)
    file = tmp_path / "subscriptions.yaml"
    file.write_text("""\
subscriptions:
  - name: portal
    account: customer-portal
    url: https://hooks.example.com/in
    types: ["maintenance.*"]
    plants: [leipzig]
    secret: ${env:PORTAL}
""")
    (found,) = read_subscriptions_file(file, Destinations(["hooks.example.com"]), EVENTS)
    assert (found.secret, found.subscription.account, found.subscription.owner) == (
        secret,
        "customer-portal",
        "integration",
    )


def test_everything_that_is_wrong_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "subscriptions.yaml"
    one = "{name: portal, account: a, url: 'http://10.0.0.1/', types: [nothing.at.all.v1], secret: 'short'}"
    file.write_text(f"subscriptions:\n  - {one}\n  - {one}\n")
    with pytest.raises(ConfigError) as wrong:
        read_subscriptions_file(file, Destinations([]), EVENTS)
    findings = wrong.value.findings
    assert all(finding.startswith(f"{file}:") for finding in findings)
    for word in ("types:", "url:", "plants:", "secret:", "given twice"):
        assert any(word in finding for finding in findings)
    assert "short" not in str(wrong.value)
