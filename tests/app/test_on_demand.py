"""Commands are imported when they are asked for, and what lists them says the same as they do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner

from lineshaft.app.cli import COMMANDS, app
from lineshaft.app.contracts_cli import BESIDE, contracts

LISTED = [(app, COMMANDS, name) for name in COMMANDS] + [(contracts, BESIDE, name) for name in BESIDE]
PROGRAM = Path(sys.executable).with_name("lineshaft")


def loaded_by(*words: str, folder: Path) -> set[str]:
    """The modules that are there when the command has ended, however it ended."""
    program = (
        "import atexit, sys; from lineshaft.app.cli import main;"
        " atexit.register(lambda: print(chr(10), *sys.modules)); main()"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LINESHAFT_")}
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=environ | {"LINESHAFT_CACHE": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(("group", "commands", "name"), LISTED, ids=[name for _, _, name in LISTED])
def test_what_is_listed_is_how_the_help_begins(group: typer.Typer, commands: Any, name: str) -> None:
    found = typer.main.get_command(group)
    assert isinstance(found, TyperGroup)
    _, command, rest = found.resolve_command(typer.Context(found), [name, "--help"])
    assert command is not None
    assert command.help is not None
    assert (command.name, rest) == (name, ["--help"])
    assert " ".join(command.help.split("\n\n")[0].split()) == commands[name][1]


@pytest.mark.parametrize(
    ("words", "not_needed"),
    [
        (("--help",), {"lineshaft.store", "lineshaft.ledger", "lineshaft.app.settings", "sqlalchemy"}),
        (("version",), {"lineshaft.store", "lineshaft.ledger", "lineshaft.app.settings", "sqlalchemy"}),
        (
            ("contracts", "compare", "old", "new"),
            {"lineshaft.store", "lineshaft.ledger", "lineshaft.backbone", "sqlalchemy"},
        ),
        (("trace", "4711"), {"lineshaft.app.node", "lineshaft.backbone", "alembic", "numpy", "nats"}),
    ],
    ids=lambda part: part[0] if isinstance(part, tuple) else "",
)
def test_a_command_pays_for_itself_alone(
    words: tuple[str, ...], not_needed: set[str], tmp_path: Path
) -> None:
    loaded = loaded_by(*words, folder=tmp_path)
    assert "lineshaft.app.cli" in loaded
    assert not loaded & not_needed


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    said = CliRunner().invoke(app, ["trase"])
    assert said.exit_code == 2
    assert "Did you mean 'trace'?" in " ".join(said.output.split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("lineshaft tr", "trace"), ("lineshaft contracts comp", "compare"), ("lineshaft lake q", "query")],
)
def test_a_shell_completes_commands_at_every_depth(typed: str, offered: str) -> None:
    done = subprocess.run(
        [PROGRAM],
        env=os.environ
        | {"_LINESHAFT_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == [offered]
