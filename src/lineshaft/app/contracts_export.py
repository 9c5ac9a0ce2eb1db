"""`lineshaft contracts export`: the contracts as documents that other tools read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from lineshaft import __version__
from lineshaft.app.contracts_folder import FolderOption, contracts_at, contracts_folder
from lineshaft.app.described_routes import described_routes
from lineshaft.app.plant_data import read_plant
from lineshaft.app.terminal import ConfigOption, err, known_settings
from lineshaft.contracts.asyncapi import asyncapi_document
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.entries import Entry, entries
from lineshaft.contracts.markdown import catalogue_markdown, contract_markdown
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.gateway.openapi import openapi_document

__all__ = ["export_command"]


class Format(StrEnum):
    ASYNCAPI = "asyncapi"
    OPENAPI = "openapi"
    MARKDOWN = "markdown"


def export_command(
    format: Annotated[
        Format,
        typer.Argument(
            help="asyncapi: 3.0, of the events; openapi: 3.1, of all that a node of these settings serves;"
            " markdown: of every contract."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File; for markdown also a folder, of a page each."),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="asyncapi: only what this kind of system sends and receives.")
    ] = "",
    host: Annotated[str, typer.Option(help="asyncapi: host:port of the NATS server.")] = "",
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the contracts as AsyncAPI, OpenAPI or Markdown."""
    if format is Format.ASYNCAPI:
        document = asyncapi_document(EVENTS.values(), version=__version__, host=host, kind=kind)
        if not document["channels"]:
            kinds = {each for event in EVENTS.values() for each in (*event.producers, *event.consumers)}
            known = ", ".join(sorted(kinds))
            raise ConfigError(f"no kind of system {kind!r} has events", hint=f"known: {known}")
        _write_json(output, document)
        return
    if format is Format.OPENAPI:
        routes = described_routes(read_plant(known_settings(config), SystemClock()))
        _write_json(output, openapi_document(routes, __version__))
        return
    contracts = contracts_at(contracts_folder(config, folder))
    known_entries = entries(contracts.contracts.values(), parties=contracts.parties)
    if output is not None and output.is_dir():
        _pages(output, known_entries)
    else:
        _write(output, catalogue_markdown(known_entries))


def _pages(folder: Path, known: list[Entry]) -> None:
    for entry in known:
        _write(folder / f"{entry.name}.v{entry.major}.md", contract_markdown(entry))
    err.print(f"{len(known)} pages in {folder}", highlight=False)


def _write_json(output: Path | None, document: dict[str, Any]) -> None:
    _write(output, msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def _write(output: Path | None, text: str) -> None:
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}", hint="name another --output") from error
