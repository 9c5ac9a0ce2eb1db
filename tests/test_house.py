"""What the README, the decisions and the import rules say about the house is so."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from lineshaft.app.cli import app
from lineshaft.contracts.catalogue import CAPABILITIES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lineshaft"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
LEFT_OPEN = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
WRITTEN = {".py", ".html", ".css", ".js", ".yaml", ".csv", ".sql", ".toml", ".cfg"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Every `lineshaft …` line of the README's shell blocks, in words, without the program."""
    lines = [line.split("#")[0] for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line) for line in lines]
    return [each[1:] for each in words if each and Path(each[0]).name == "lineshaft"]


def test_the_room_map_names_the_folders() -> None:
    section = README.split("\n## Rooms\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z_]+)/` \|", section, flags=re.MULTILINE)) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_and_what_is_public(room: str) -> None:
    module = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(module)
    public = {
        (alias.asname or alias.name)
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lineshaft.")
        for alias in node.names
    }
    assigned = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if public:
        named = ast.literal_eval(assigned["__all__"])
        assert set(named) <= public | set(assigned) | {
            node.target.id
            for node in module.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        assert named == sorted(named, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_every_room_has_an_import_contract() -> None:
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    held = {
        rules[section]["source_modules"].strip().removeprefix("lineshaft."): rules[section]
        for section in rules.sections()
        if rules[section].get("type") == "forbidden"
    }
    assert sorted({*held, "app"} - {"lineshaft"}) == ROOMS
    for room in set(ROOMS) - {"app"}:
        forbidden = {line.strip() for line in held[room]["forbidden_modules"].split()}
        name = held[room]["name"].removeprefix(f"{room} imports ")
        allowed = [] if name == "no other room" else name.removesuffix(" only").split(", ")
        assert forbidden == {f"lineshaft.{other}" for other in ROOMS if other not in (room, *allowed)}


def test_the_import_rules_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_left_open() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in WRITTEN
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if LEFT_OPEN.search(line)
    ]
    assert found == []


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    assert DECISIONS


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem[:4])
def test_a_decision_has_context_decision_and_consequence(decision: Path) -> None:
    lines = decision.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# {decision.name[:4]} ")
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequence",
    ]
    assert 10 <= len(lines) <= 30


def test_the_readme_shows_commands() -> None:
    assert {"check", "doctor", "run", "scenario", "trace"} <= {words[0] for words in commands()}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_readme_exists_with_its_options(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    with typer.Context(command, info_name="lineshaft") as context:
        while isinstance(command, TyperGroup):
            name, command, words = command.resolve_command(context, words)
        command.make_context(name, words, parent=context).close()


@pytest.mark.parametrize(
    "target", [line.split()[1] for line in "\n".join(blocks("sh")).splitlines() if line.startswith("make ")]
)
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_readme_lists_every_variant_of_the_scenario() -> None:
    from estate.scenarios.s2 import SCENARIO

    section = README.split("\n## Scenario S2\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, flags=re.MULTILINE) == list(SCENARIO.variants)


def test_a_capability_is_declared_under_its_own_name() -> None:
    assert {name: capability.capability for name, capability in CAPABILITIES.items()} == {
        name: name for name in CAPABILITIES
    }
