"""`lineshaft contracts`: from a schema to what is live in an environment."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lineshaft.app.contracts_cli import contracts
from lineshaft.app.live_contracts import take_contracts
from lineshaft.app.settings import load_settings, store_url
from lineshaft.contracts.registry import Party
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.ledger import Audit
from lineshaft.ledger.registry import ContractBook
from lineshaft.store import Store

NAME = "partner.acme.desadv"
SCHEMA = """\
{"type": "object", "required": ["shipment"],
 "properties": {"shipment": {"type": "string"}, "weight": {"type": "number", "x-unit": "KGM"}}}
"""
BREAKING = SCHEMA.replace('["shipment"]', '["shipment", "weight"]')
CONSUMERS = """\
parties:
  acme:
    contact: edi@acme.example
    produces:
      - {contract: partner.acme.desadv, major: 1, fields: [weight]}
"""


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    settings = "{enterprise: acme, plant: leipzig, time_zone: Europe/Berlin, environment: prod}\n"
    (tmp_path / "lineshaft.yaml").write_text(settings)
    (tmp_path / "desadv.json").write_text(SCHEMA)
    (tmp_path / "breaking.json").write_text(BREAKING)
    return tmp_path / "contracts"


def run(*arguments: str, exit_code: int = 0) -> Result:
    done = CliRunner().invoke(contracts, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == exit_code, done.output
    return done


def said(*arguments: str, exit_code: int = 0) -> str:
    return run(*arguments, exit_code=exit_code).stdout


def register(file: str = "desadv.json", *more: str) -> None:
    run("register", file, "--name", NAME, "--owner", "purchasing", *more)


def published(*more: str) -> None:
    register(*(more or ("desadv.json",)))
    run("publish", "--by", "erika", "--reason", "agreed")


def test_a_schema_is_registered_published_and_shown(plant: Path) -> None:
    register()
    assert json.loads((plant / NAME / "1.0.json").read_text()) == json.loads(SCHEMA)
    assert "partner.acme.desadv 1.0 is published" in said("publish", "--by", "erika", "--reason", "agreed")
    assert "there is nothing to publish" in said("publish")
    found = {each["name"]: each for each in json.loads(said("list", "--json"))}
    (version,) = found[NAME]["versions"]
    assert (version["version"], version["state"], version["by"], version["reason"]) == (
        "1.0",
        "published",
        "erika",
        "agreed",
    )
    assert found["maintenance.request.created"]["own"]
    assert "1.0" in said("list", "--kind", "external")
    assert "maintenance" not in said("list", "--kind", "external")
    shown = json.loads(said("show", NAME, "--json"))
    assert shown["shown"] == {"version": "1.0", "document": json.loads(SCHEMA)}
    assert "external, owner purchasing, full_transitive" in said("show", NAME, "--version", "1.0")
    assert '"title"' in said("show", "maintenance.create_request")


def test_ci_is_told_field_rule_and_who_breaks(plant: Path) -> None:
    published()
    (plant / "consumers.yaml").write_text(CONSUMERS)
    assert json.loads(said("check", "contracts", "--json"))["ok"]
    (plant / NAME / "1.1.json").write_text(BREAKING)
    found = json.loads(said("check", "contracts", "--json", exit_code=1))
    (finding,) = found["findings"]
    assert (finding["contract"], finding["version"], finding["field"]) == (NAME, "1.1", "weight")
    assert (finding["rule"], finding["broken"]) == ("required_added", ["acme"])
    text = said("check", "contracts", exit_code=1)
    assert "partner.acme.desadv 1.1 weight: required_added: " in text
    assert "breaks acme" in text
    assert "1 error(s)" in text


def test_a_check_needs_no_settings(plant: Path) -> None:
    published()
    (plant.parent / "lineshaft.yaml").write_text("{enterprise: '${env:A_SECRET_OF_THE_NODE}'}\n")
    assert "ok" in said("check", str(plant))
    (plant.parent / "lineshaft.yaml").unlink()
    assert "ok" in said("check")
    with pytest.raises(ConfigError, match="there is no folder"):
        run("check", "contrats")


def test_what_was_published_on_the_main_branch_is_unchanged(plant: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=e", "-c", "user.email=e@example.com", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *arguments], cwd=plant.parent, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "before there were contracts")
    published()
    assert "ok" in said("check", "--base", "main")
    git("add", ".")
    git("commit", "-m", "desadv 1.0")
    assert "ok" in said("check", "--base", "main")
    for file in sorted(plant.glob("*")):
        file.rename(plant.parent / f"old-{file.name}")
    published("breaking.json")
    assert "ok" in said("check")
    found = json.loads(said("check", "--base", "main", "--json", exit_code=1))["findings"]
    assert [(each["rule"], each["contract"], each["version"]) for each in found] == [
        ("published_is_immutable", NAME, "1.0")
    ]
    with pytest.raises(ConfigError, match="is the revision fetched"):
        run("check", "--base", "origin/none")


def test_a_breaking_schema_needs_a_new_major(plant: Path) -> None:
    published()
    with pytest.raises(ConfigError, match="weight: required_added"):
        register("breaking.json")
    register("breaking.json", "--new-major")
    assert (plant / NAME / "2.0.json").exists()
    with pytest.raises(ConfigError, match="cannot be read"):
        register("missing.json")


def test_promoted_and_drifted(plant: Path) -> None:
    published()
    assert f"new          {NAME} v1 1.0" in said("plan", "--to", "dev")
    said("promote", "--to", "dev")
    assert json.loads(said("plan", "--to", "dev", "--json")) == {"ok": True, "changes": []}
    assert "prod.yaml is written" in said("promote", "--from", "dev", "--to", "prod")
    found = json.loads(said("drift", "--json", exit_code=1))["drift"]
    assert {each["what"] for each in found} == {"not_live"}
    start_node()
    assert json.loads(said("drift", "--json")) == {"ok": True, "environment": "prod", "drift": []}
    published("breaking.json", "--new-major")
    said("promote", "--to", "prod")
    text = said("drift", exit_code=1)
    assert f"{NAME} v2: not_live: promoted 2.0, found nothing" in text
    assert "1 difference(s)" in text


def start_node() -> None:
    """What a node of prod does when it starts; then a consumer registers by API."""
    path = Path("lineshaft.yaml")
    settings, _ = load_settings(path)

    async def start() -> None:
        store, clock = Store.open(store_url(settings, path)), SystemClock()
        book = ContractBook(store, Audit("node-1", clock), clock)
        await take_contracts(book, settings, Path(), by="node-1")
        await book.register_party(Party(party="portal", contract=NAME, major=1), by="key:portal")
        await store.close()

    asyncio.run(start())


def test_a_major_in_use_is_neither_retired_nor_promoted_away(plant: Path) -> None:
    published()
    (plant / "consumers.yaml").write_text(CONSUMERS.replace("produces", "consumes"))
    assert "edi@acme.example" in said("consumers", NAME)
    said("promote", "--to", "prod")
    start_node()
    run("deprecate", NAME, "--major", "1", "--sunset", "2027-06-30", "--reason", "use 2")
    assert "deprecated until 2027-06-30" in said("show", NAME)
    with pytest.raises(ConfigError, match="it has 1 consumer"):
        run("retire", NAME, "--major", "1", "--reason", "over")
    (plant / "consumers.yaml").unlink()
    run("retire", NAME, "--major", "1", "--reason", "over")
    assert f"retired      {NAME} v1 1.0" in said("plan", "--to", "prod")
    recorded = said("consumers", "--recorded", "--json")
    assert [each["party"] for each in json.loads(recorded)] == ["acme", "portal"]
    Path("recorded.json").write_text(recorded)
    assert "breaks acme, portal" in said("plan", "--to", "prod", "--registered", "recorded.json", exit_code=1)
    with pytest.raises(ConfigError, match="prod stays as it is"):
        run("promote", "--to", "prod", "--registered", "recorded.json")
    with pytest.raises(ConfigError, match="consumers --recorded --json"):
        run("plan", "--to", "prod", "--registered", "desadv.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "a.b"], "there is no contract 'a.b'"),
        (["show", "maintenance.create_request", "--version", "7.0"], "has no version 7.0"),
        (["show", "maintenance.create_request", "--version", "one"], "'one' is no version"),
        (["plan", "--from", "dev", "--to", "prod"], "promote --to dev"),
        (["retire", "maintenance.create_request", "--major", "1", "--reason", "x"], "comes with the product"),
    ],
)
def test_errors_name_the_thing_and_the_next_step(plant: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(*arguments)
    assert not plant.exists()
