"""`lineshaft contracts plan | promote | drift`: what is live in which environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from lineshaft.app.contracts_folder import FolderOption, contracts_at, contracts_folder
from lineshaft.app.settings import load_settings, store_url
from lineshaft.app.terminal import (
    ConfigOption,
    JsonOption,
    ask_store,
    known_settings,
    out,
    print_json,
    run_async,
)
from lineshaft.contracts.registry import (
    Change,
    Party,
    Registration,
    declared_contracts,
    drift,
    live_contracts,
    planned,
    promote,
)
from lineshaft.core.errors import ConfigError
from lineshaft.ledger.registry.contract_rows import live_rows

__all__ = ["drift_command", "plan_command", "promote_command"]

FromOption = Annotated[str, typer.Option("--from", help="Environment; default: what is newest published.")]
ToOption = Annotated[str, typer.Option("--to", help="Environment, such as test.")]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", help="A contract; repeatable; default: all.")]
RegisteredOption = Annotated[
    Path | None,
    typer.Option(help="What `contracts consumers --recorded --json` said at a node of the target."),
]


def plan_command(
    target: ToOption,
    source: FromOption = "",
    only: OnlyOption = None,
    registered: RegisteredOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what promoting would change, and whom it would break. Exit code 0, or 1 if it is refused."""
    found = contracts_at(contracts_folder(config, folder))
    changes = planned(found, source, target, only=only or (), registered=_parties(registered))
    _show(changes, as_json)
    raise typer.Exit(1 if any(each.broken for each in changes) else 0)


def promote_command(
    target: ToOption,
    source: FromOption = "",
    only: OnlyOption = None,
    registered: RegisteredOption = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what is live in an environment, to be reviewed in Git; refused where it breaks a consumer."""
    where = contracts_folder(config, folder)
    found = contracts_at(where)
    changes = promote(found, source, target, only=only or (), registered=_parties(registered))
    _show(changes, as_json)
    if not as_json:
        out.print(f"{where / 'environments' / target}.yaml is written", soft_wrap=True)


def drift_command(
    folder: FolderOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Compare what was promoted with what this node has live and what its code declares. Exit code 0 or 1."""
    path = known_settings(config)
    settings, _ = load_settings(path)
    promoted = live_contracts(contracts_at(contracts_folder(path, folder)), settings.environment)
    recorded = run_async(ask_store(store_url(settings, path), live_rows))
    found = drift(promoted, recorded, declared_contracts())
    if as_json:
        print_json({"ok": not found, "environment": settings.environment, "drift": found})
    else:
        for each in found:
            out.print(escape(str(each)), highlight=False, soft_wrap=True)
        said = f"[bold red]{len(found)} difference(s)[/]" if found else "[green]ok[/]"
        out.print(f"{said} {len(promoted)} promoted, {len(recorded)} live", highlight=False)
    raise typer.Exit(1 if found else 0)


def _parties(file: Path | None) -> list[Party]:
    if file is None:
        return []
    try:
        return [*msgspec.json.decode(file.read_bytes(), type=list[Registration])]
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{file} cannot be used: {error}", hint="write it with `contracts consumers --recorded --json`"
        ) from error


def _show(changes: list[Change], as_json: bool) -> None:
    if as_json:
        print_json({"ok": not any(each.broken for each in changes), "changes": changes})
        return
    for each in changes:
        versions = " → ".join(dict.fromkeys(filter(None, (each.before, each.after))))
        sunset = f" until {each.sunset}" if each.sunset else ""
        broken = f" [bold red]breaks {escape(', '.join(each.broken))}[/]" if each.broken else ""
        head = f"{each.what:<12} {each.contract} v{each.major} {versions}{sunset}{broken}"
        out.print(head, highlight=False, soft_wrap=True)
        for found in each.breaks:
            out.print(f"    {escape(str(found))}", highlight=False, soft_wrap=True)
    if not changes:
        out.print("nothing would change")
