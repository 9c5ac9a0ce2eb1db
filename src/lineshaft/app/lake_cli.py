"""`lineshaft lake query | status | compact`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.settings import LakeSettings, lake_root, load_settings
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json
from lineshaft.core.errors import ConfigError
from lineshaft.telemetry.lake import needs_lake_extra

__all__ = ["lake"]

_MOST_SHOWN = 200

lake = typer.Typer(help="Readings, windows, counts and states as they were kept.", no_args_is_help=True)


@lake.command("query")
def query_command(
    sql: Annotated[str, typer.Argument(help="One statement over readings, aggregates, counts and states.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
    memory_mb: Annotated[int, typer.Option(min=64, help="The query may take so much.")] = 1024,
) -> None:
    """Ask by SQL; changes nothing, and may be used while the node runs."""
    root, policy = _lake(config)
    with needs_lake_extra():
        from lineshaft.telemetry.lake.query import query, write_csv  # noqa: PLC0415 - an extra
    found = query(root, sql, policy, memory_mb=memory_mb)
    if as_csv:
        write_csv(found, sys.stdout.buffer)
    elif as_json:
        print_json(found.to_pylist())
    else:
        table = Table(*found.column_names)
        for row in found.slice(0, _MOST_SHOWN).to_pylist():
            table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
        out.print(table)
        if found.num_rows > _MOST_SHOWN:
            out.print(f"{_MOST_SHOWN} of {found.num_rows} rows; --csv or --json writes all")


@lake.command("status")
def status_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Rows, files, size and days of each table and retention class."""
    root, policy = _lake(config)
    with needs_lake_extra():
        from lineshaft.telemetry.lake.upkeep import holdings  # noqa: PLC0415 - an extra
    found = holdings(root, policy)
    if as_json:
        print_json(found)
        return
    table = Table("table", "keep", "days kept", "rows", "files", "MB", "oldest", "newest")
    for one in found:
        days = policy.classes.get(one.keep) if one.keep else policy.facts_days
        table.add_row(
            one.table,
            one.keep,
            "for ever" if days is None else f"{days:g}",
            f"{one.rows:,}",
            str(one.files),
            f"{one.bytes / 1e6:,.1f}",
            one.oldest,
            one.newest,
        )
    out.print(table)


@lake.command("compact")
def compact_command(
    config: ConfigOption = None,
    due: Annotated[bool, typer.Option("--due", help="Only what a node does by itself.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete days that are too old, make large files of small ones, delete files out of use."""
    root, policy = _lake(config)
    with needs_lake_extra():
        from lineshaft.telemetry.lake.upkeep import maintain  # noqa: PLC0415 - an extra
    done = maintain(root, policy, datetime.now(UTC), eager=not due)
    if as_json:
        print_json(done)
    else:
        out.print(
            f"{done.compacted} files became {done.into}, {done.expired:,} old rows taken out,"
            f" {done.deleted} unused files deleted"
        )


def _lake(config: Path | None) -> tuple[str, LakeSettings]:
    path = known_settings(config)
    telemetry = load_settings(path)[0].telemetry
    if telemetry is None or telemetry.lake is None:
        raise ConfigError(f"{path} has no lake", hint="write `lake: {}` under telemetry")
    return lake_root(telemetry.lake, path.parent), telemetry.lake
