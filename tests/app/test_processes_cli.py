"""`lineshaft processes`: seen, steered, and every command that it shows can be given."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.app.node_address import NodeAddress
from lineshaft.core.errors import ContractViolation, LineshaftError
from lineshaft.processes.refusals import AmbiguousProcess, NoSuchProcess, NotPossible, ReasonMissing
from tests.waiting import until

from .steered_plant import REFUSED, SteeredPlant

WHY = ("--reason", "the period is open")
POSTING = '{"reference": "other", "amount": 9}'
BOOKED = '{"reference": "r1-ext", "amount": 5}'


class Terminal:
    def __init__(self) -> None:
        self._runner = CliRunner()

    def say(self, *words: str, exit_code: int = 0, given: str | None = None) -> str:
        """What is printed, on lines as long as they are."""
        done = self._runner.invoke(app, ["processes", *words], input=given)
        if isinstance(done.exception, LineshaftError):
            raise done.exception
        assert done.exit_code == exit_code, done.output
        return done.output

    def told(self, *words: str, exit_code: int = 0, given: str | None = None) -> Any:
        return json.loads(self.say(*words, "--json", exit_code=exit_code, given=given))


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SteeredPlant:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    made = SteeredPlant(tmp_path, monkeypatch)
    asyncio.run(made.begin())
    return made


@pytest.fixture
def cli(plant: SteeredPlant) -> Terminal:
    return Terminal()


def test_the_list_says_what_each_is_about(cli: Terminal) -> None:
    waiting, parked = sorted(cli.told("list"), key=lambda row: row["business_key"])
    assert (parked["state"], parked["cause"], parked["owner"]) == ("parked", str(REFUSED), "controlling")
    assert waiting["waits_for"][0]["key"] == "r1-ext"
    text = cli.say("list")
    assert f"{parked['process_id'][:8]} " in text
    assert "period 3 is closed" in text
    assert "finance.posting.booked.v1" in text
    assert [row["type"] for row in cli.told("list", "--state", "parked")] == ["paying"]
    assert [row["type"] for row in cli.told("list", "--waiting-for", "r1-ext")] == ["asking"]
    assert "there are none" in cli.say("list", "--state", "completed")
    first = cli.say("list", "--limit", "1")
    assert "the newest 1; --limit shows more, --after " in first
    cursor = first.rpartition("--after ")[2].partition(" those")[0]
    (second,) = cli.told("list", "--limit", "1", "--after", cursor)
    assert [row["process_id"] for row in cli.told("list")][1] == second["process_id"]
    assert cli.told("list", "--plant", "elsewhere") == []


def test_one_is_shown_with_commands_to_copy(cli: Terminal, plant: SteeredPlant) -> None:
    shown = cli.told("show", "pay/r1")
    text = cli.say("show", shown["process_id"][:8], "--config", str(plant.settings))
    assert "step 0         call books.post rejected" in text
    assert '"reference":"r1-1"' in text
    commands = [each["command"] for each in shown["next"]]
    assert len(commands) == 5
    for command in commands:
        assert f"{command} --config {plant.settings}" in text


def test_every_command_that_it_shows_can_be_given(cli: Terminal, plant: SteeredPlant, tmp_path: Path) -> None:
    """Typed in as they are shown, with the gaps filled."""
    (tmp_path / "FILE").write_text(POSTING)
    for command in [each["command"] for each in cli.told("show", "pay/r1")["next"]]:
        words = shlex.split(command.replace("…", "why"))[2:]
        assert cli.told(*words)["process_id"] == words[1]
        with pytest.raises(NotPossible, match="pay/r1 is retrying"):
            cli.told("correct", "pay/r1", "--value", POSTING, *WHY)
        plant.park_again()


def test_retried_it_is_taken_up_when_a_node_runs(cli: Terminal, plant: SteeredPlant) -> None:
    told = cli.told("retry", "pay/r1", *WHY)
    assert (told["action"], told["state"], told["node_runs"]) == ("retry", "retrying", False)
    plant.run_until("completed")
    shown = cli.told("show", "pay/r1")
    assert shown["result"] == {"text": "D-r1-1 D-r1-2"}
    (action,) = shown["actions"]
    assert (action["actor"], action["reason"]) == (getpass.getuser(), WHY[1])


def test_it_says_whether_a_node_runs(cli: Terminal, plant: SteeredPlant) -> None:
    address = plant.settings.parent / "data" / "node.json"
    assert "no node runs on this data folder" in cli.say("retry", "pay/r1", *WHY)
    plant.park_again()
    running = NodeAddress(pid=os.getpid(), console="", mqtt="", nats="")
    address.write_bytes(msgspec.json.encode(running))
    assert "no node runs" not in cli.say("retry", "pay/r1", *WHY)
    plant.park_again()
    address.write_bytes(msgspec.json.encode(msgspec.structs.replace(running, pid=2**22 + 1)))
    assert cli.told("retry", "pay/r1", *WHY)["node_runs"] is False


def test_a_value_is_checked_before_anything_is_changed(cli: Terminal, plant: SteeredPlant) -> None:
    refused = cli.told("correct", "pay/r1", "--value", '{"reference": 7}', *WHY, exit_code=1)
    assert any("reference" in finding for finding in refused["findings"])
    assert "finding" in cli.say("correct", "pay/r1", "--value", "{", *WHY, exit_code=1)
    assert "the value can be taken" in cli.say("correct", "pay/r1", "--value", POSTING, "--dry-run", *WHY)
    assert cli.told("show", "pay/r1")["actions"] == []
    with pytest.raises(LineshaftError, match="the value @gone cannot be read: No such file"):
        cli.say("correct", "pay/r1", "--value", "@gone", *WHY)
    assert cli.told("correct", "pay/r1", "--value", "-", *WHY, given=POSTING)["findings"] == []
    plant.run_until("completed")
    assert plant.answers.references == ["other", "r1-2"]


def test_an_awaited_event_can_be_given_by_hand(cli: Terminal, plant: SteeredPlant) -> None:
    with pytest.raises(ContractViolation, match="breaks its contract"):
        cli.say("skip", "ask/r1", *WHY)
    cli.say("skip", "ask/r1", "--value", BOOKED, "--by", "anna", *WHY)

    async def asks() -> None:
        async with plant.running() as house:

            async def asked() -> bool:
                return "approval" in [step["kind"] for step in await house.steps()]

            await until(asked)
            await house.in_state("waiting")

    asyncio.run(asks())
    assert "a decision as controller: Pay 5?" in cli.say("show", "ask/r1")
    with pytest.raises(LineshaftError, match="does not ask cleaner for a decision"):
        cli.say("approve", "ask/r1", "--role", "cleaner", *WHY)
    assert cli.told("refuse", "ask/r1", "--role", "controller", *WHY)["action"] == "refuse"
    assert [each["action"] for each in cli.told("show", "ask/r1")["actions"]] == ["skip", "refuse"]


def test_it_is_ended_in_three_ways(cli: Terminal, plant: SteeredPlant) -> None:
    cli.say("abort", "pay/r1", *WHY)
    assert cli.told("cancel", "ask/r1", "--now", *WHY)["state"] == "terminated"
    plant.run_until("aborted")
    states = {row["business_key"]: row["state"] for row in cli.told("list", "--state", "finished")}
    assert states == {"pay/r1": "aborted", "ask/r1": "terminated"}
    with pytest.raises(NotPossible, match="pay/r1 is aborted: no cancel now"):
        cli.say("cancel", "pay/r1", *WHY)
    forked = cli.told("fork", "pay/r1", "--step", "0", *WHY)["forked"]
    assert "cancel" in [each["action"] for each in cli.told("show", forked)["next"]]
    cli.say("cancel", forked, *WHY)
    plant.run_until("cancelled")


def test_all_is_in_the_audit(cli: Terminal) -> None:
    cli.say("cancel", "ask/r1", "--by", "anna", *WHY)
    rows = json.loads(CliRunner().invoke(app, ["audit", "list", "--json"]).stdout)
    assert [(row["actor"], row["action"], row["reason"]) for row in rows] == [
        ("anna", "process.cancelled", WHY[1])
    ]
    assert CliRunner().invoke(app, ["audit", "verify"]).exit_code == 0


def test_what_is_archived_can_be_seen_and_no_more(cli: Terminal) -> None:
    cli.say("cancel", "ask/r1", "--now", *WHY)
    assert cli.told("archive", "--dry-run") == {"archived": 1, "deleted": 0, "dry_run": True}
    assert "1 processes archived, 0 deleted from the archive" in cli.say("archive")
    assert [row["business_key"] for row in cli.told("list")] == ["pay/r1"]
    assert cli.told("show", "ask/r1")["archived"]
    assert "terminated, in the archive" in cli.say("show", "ask/r1")
    with pytest.raises(NotPossible, match="asking ask/r1 is archived: no fork any more"):
        cli.say("fork", "ask/r1", "--step", "0", *WHY)


def test_instances_are_moved_to_a_version_that_is_loaded(cli: Terminal) -> None:
    tried = cli.told("migrate", "paying", "--from", "1", "--to", "1", "--dry-run")
    assert (tried["fitting"], tried["moved"], tried["dry_run"]) == (1, 0, True)
    assert "1 would be moved to v1, 0 do not fit" in cli.say(
        "migrate", "paying", "--from", "1", "--to", "1", "--dry-run"
    )
    with pytest.raises(LineshaftError, match="paying v2 is not loaded"):
        cli.say("migrate", "paying", "--from", "1", "--to", "2", *WHY)
    with pytest.raises(ReasonMissing, match="migrate needs a reason"):
        cli.say("migrate", "paying", "--from", "1", "--to", "1")


def test_which_one_is_meant_has_to_be_clear(cli: Terminal) -> None:
    with pytest.raises(NoSuchProcess, match="there is no process 'nothing'"):
        cli.say("show", "nothing")
    with pytest.raises(AmbiguousProcess, match=r"paying pay/r1 \(parked\)"):
        cli.say("retry", "PUMP-7", *WHY)
    assert "--reason" in cli.say("retry", "pay/r1", exit_code=2)
    with pytest.raises(ReasonMissing, match="retry needs a reason"):
        cli.say("retry", "pay/r1", "--reason", " ")
