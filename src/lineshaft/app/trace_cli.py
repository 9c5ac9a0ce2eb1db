"""`lineshaft trace`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from lineshaft.app.settings import load_settings, store_url
from lineshaft.app.terminal import ConfigOption, JsonOption, ask_store, known_settings, out, run_async
from lineshaft.app.trace_view import print_trace
from lineshaft.ledger.trace import trace as explain

__all__ = ["trace"]


def trace(
    key: Annotated[
        str, typer.Argument(help="Business key, document number, or id of an event, call or process.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain: from device reading through event, process and call to the document number, and back.

    Without --config and ./lineshaft.yaml it reads the data of the last scenario or demo.
    """
    path = known_settings(config)
    settings, _ = load_settings(path)
    found = run_async(ask_store(store_url(settings, path), lambda connection: explain(connection, key)))
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        print_trace(out, found, settings.zone)
    raise typer.Exit(0 if found["stories"] else 1)
