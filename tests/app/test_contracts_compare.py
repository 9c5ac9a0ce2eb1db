"""`lineshaft contracts compare`: exit codes, and what is said to people and to machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from lineshaft.app.contracts_compare import compare_command

OLD = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 10}}}
NEW = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 9}}}


def run(tmp_path: Path, old: Any, new: Any, *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(compare_command)
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, document in zip(paths, (old, new), strict=True):
        if document is not None:
            path.write_bytes(document if isinstance(document, bytes) else msgspec.json.encode(document))
    return CliRunner().invoke(app, [*map(str, paths), *arguments])


def test_compatible_is_0_and_not_is_1_by_mode(tmp_path: Path) -> None:
    assert run(tmp_path, OLD, NEW, "--mode", "forward").exit_code == 0
    for mode in ("backward", "full"):
        assert run(tmp_path, OLD, NEW, "--mode", mode).exit_code == 1
    assert run(tmp_path, OLD, NEW).exit_code == 1


def test_json_has_every_reason(tmp_path: Path) -> None:
    told = msgspec.json.decode(run(tmp_path, OLD, NEW, "--mode", "backward", "--json").stdout)
    assert told == {
        "compatible": False,
        "mode": "backward",
        "findings": [
            {
                "path": "/properties/a",
                "field": "a",
                "rule": "maximum_lowered",
                "detail": "maximum was 10, is 9",
                "direction": "backward",
                "witness": {"a": 10},
            }
        ],
    }
    assert msgspec.json.decode(run(tmp_path, OLD, OLD, "--json").stdout)["findings"] == []


def test_people_see_place_rule_and_example(tmp_path: Path) -> None:
    said = run(tmp_path, OLD, NEW, "--mode", "backward").output
    for part in ("/properties/a", "maximum_lowered", "maximum was 10, is 9", '{"a":10}'):
        assert part in said


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "No such file"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        ({"type": "objekt"}, "no valid JSON Schema"),
        ({"$ref": "#/$defs/nope"}, "leads nowhere"),
        (b"[" * 100_000, "no JSON"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_input_is_2_and_named(tmp_path: Path, document: Any, said: str, as_json: bool) -> None:
    result = run(tmp_path, OLD, document, *(["--json"] if as_json else []))
    assert result.exit_code == 2
    assert said in result.output
    assert "new.json" in result.output
    if as_json:
        assert msgspec.json.decode(result.stdout)["error"]
