"""`lineshaft contracts compare OLD.json NEW.json`: may the new version of a schema follow the old one?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.terminal import JsonOption, err, out, print_json
from lineshaft.contracts.compatibility import Finding, Mode, compare
from lineshaft.core.errors import ConfigError

__all__ = ["compare_command"]

SchemaArgument = Annotated[Path, typer.Argument(help="JSON Schema, 2020-12 or back to draft-06.")]


def compare_command(
    old: SchemaArgument,
    new: SchemaArgument,
    mode: Annotated[
        Mode,
        typer.Option(
            help="backward: new readers take what old writers write; forward: the inverse; full: both."
        ),
    ] = Mode.FULL,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions of a JSON Schema. Exit code 0 compatible, 1 not, 2 a file that is no schema."""
    try:
        found = compare(_schema(old), _schema(new), mode, names=(str(old), str(new)))
    except ConfigError as error:
        if as_json:
            print_json({"error": error.message, "hint": error.hint})
        else:
            err.print(f"[bold red]{error.code}[/]: {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    if as_json:
        print_json({"compatible": not found, "mode": mode, "findings": [_told(finding) for finding in found]})
    else:
        _print(old, new, mode, found)
    raise typer.Exit(1 if found else 0)


def _schema(path: Path) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="name a file with a JSON Schema") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no JSON: {error}", hint="name a file with a JSON Schema") from error


def _told(finding: Finding) -> dict[str, Any]:
    told: dict[str, Any] = {**msgspec.structs.asdict(finding), "field": finding.field}
    told["witness"] = msgspec.json.decode(finding.witness) if finding.witness else None
    return told


def _print(old: Path, new: Path, mode: Mode, found: list[Finding]) -> None:
    if not found:
        out.print(
            f"[green]compatible[/] {escape(str(new))} may follow {escape(str(old))} ({mode})", soft_wrap=True
        )
        return
    table = Table("path", "rule", "what", "breaks", "for example")
    for column in table.columns:
        column.overflow = "fold"
    for each in found:
        table.add_row(*map(escape, (each.path or "/", each.rule, each.detail, each.direction, each.witness)))
    out.print(table)
    out.print(f"[bold red]{len(found)} reason(s)[/] why {escape(str(new))} may not follow {escape(str(old))}")
