"""`lineshaft telemetry browse`: what a server has to offer, as rows of a tag list."""

from __future__ import annotations

import csv
import re
import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.settings import load_settings
from lineshaft.app.terminal import ConfigOption, JsonOption, err, known_settings, out, print_json, run_async
from lineshaft.connectors.opcua import OpcUaOptions, browse_opcua
from lineshaft.core.errors import ConfigError
from lineshaft.core.quantity import UNITS
from lineshaft.telemetry.tags import COLUMNS

__all__ = ["browse_command"]

_NO_NUMBERS = ("String", "ByteString", "DateTime", "LocalizedText", "")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def browse_command(
    source: Annotated[str, typer.Argument(help="Name of an OPC UA source in the settings.")],
    start: Annotated[str, typer.Option(help="Node id to begin at.")] = "i=85",
    as_csv: Annotated[bool, typer.Option("--csv", help="Rows of a tag list, to be completed.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask an OPC UA server for all its variables."""
    path = known_settings(config)
    settings, file = load_settings(path)
    sources = settings.telemetry.sources if settings.telemetry else {}
    if source not in sources:
        raise ConfigError(
            f"{path} has no source {source!r}",
            hint=f"known: {', '.join(sources) or 'none; add it to telemetry'}",
        )
    if sources[source].kind != "opcua":
        raise ConfigError(
            f"source {source!r} is of kind {sources[source].kind}, which cannot be browsed",
            hint="only OPC UA servers tell what they have",
        )
    options = file.read(OpcUaOptions, ["telemetry", "sources", source, "options"])

    async def ask() -> list[dict[str, str]]:
        return [
            {name: getattr(row, name) for name in row.__struct_fields__}
            async for row in browse_opcua(source, options, path.resolve().parent, start)
        ]

    found = run_async(ask())
    if as_json:
        print_json(found)
    elif as_csv:
        _write_rows(found, options.topic or f"opcua/{source}")
    else:
        table = Table("node id", "path", "type", "unit", "value")
        for row in found:
            table.add_row(*map(escape, row.values()))
        out.print(table)


def _write_rows(found: list[dict[str, str]], topic: str) -> None:
    """Of the variables that hold a number. What only the plant knows is left empty."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="")
    writer.writeheader()
    left_out = 0
    for row in found:
        if row["data_type"] in _NO_NUMBERS or row["data_type"].endswith("[]"):
            left_out += 1
            continue
        last = row["path"].rpartition("/")[2]
        writer.writerow(
            {
                "tag": row["path"].replace("/", "."),
                "topic": topic,
                "metric": row["node_id"],
                "property": "_".join(_WORDS.findall(last)).lower(),
                "unit": row["unit"] if row["unit"] in UNITS else "",
            }
        )
    if left_out:
        err.print(f"{left_out} variables that hold no single number are left out", highlight=False)
