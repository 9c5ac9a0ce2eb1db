"""`lineshaft contracts`: look at contracts and check them. What changes them is in modules beside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.contracts_folder import FolderOption, contracts_at, contracts_folder, contracts_of_revision
from lineshaft.app.on_demand import on_demand
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
    Contract,
    Kind,
    Party,
    Version,
    check,
    declared_contracts,
    read_contracts,
)
from lineshaft.core.errors import ConfigError

__all__ = ["BESIDE", "contracts"]

BESIDE = {
    "compare": (
        "contracts_compare:compare_command",
        "Compare two versions of a JSON Schema. Exit code 0 compatible, 1 not, 2 a file that is no schema.",
    ),
    "register": (
        "contracts_change:register_command",
        "Check a schema and write it as the draft of the next version.",
    ),
    "publish": (
        "contracts_change:publish_command",
        "Check drafts and list them as published: they cannot be changed any more.",
    ),
    "deprecate": ("contracts_change:deprecate_command", "Tell consumers to leave a major by a date."),
    "retire": ("contracts_change:retire_command", "End a major that no consumer is registered for any more."),
    "plan": (
        "contracts_environments:plan_command",
        "Show what promoting would change, and whom it would break. Exit code 0, or 1 if it is refused.",
    ),
    "promote": (
        "contracts_environments:promote_command",
        "Write what is live in an environment, to be reviewed in Git; refused where it breaks a consumer.",
    ),
    "drift": (
        "contracts_environments:drift_command",
        "Compare what was promoted with what this node has live and what its code declares."
        " Exit code 0 or 1.",
    ),
    "export": (
        "contracts_export:export_command",
        "Write the contracts as AsyncAPI, OpenAPI or Markdown.",
    ),
}
contracts = typer.Typer(
    cls=on_demand(BESIDE),
    help="Contracts: versions, who uses them, what would break, what is live where.",
    no_args_is_help=True,
)
NameArgument = Annotated[str, typer.Argument(help="Such as maintenance.request.created.")]


@contracts.command("list")
def list_command(
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every contract with the versions that are published, and their state."""
    found = contracts_at(contracts_folder(config, folder)).contracts
    chosen = [each for _, each in sorted(found.items()) if kind in (None, each.kind)]
    if as_json:
        print_json([_row(each) for each in chosen])
        return
    table = Table("contract", "kind", "owner", "from", "versions")
    table.columns[0].no_wrap = True  # what other commands are given
    for each in chosen:
        row = _row(each)
        versions = ", ".join(
            one["version"] if one["state"] == "published" else f"{one['version']} {one['state']}"
            for one in row["versions"]
        )
        where = "product" if each.is_own else "plant"
        table.add_row(each.name, each.kind, escape(each.owner), where, versions)
    out.print(table)


@contracts.command("show")
def show_command(
    name: NameArgument,
    version: Annotated[str, typer.Option(help="Such as 1.0; default: the newest published.")] = "",
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One contract: its state, who uses it, and the document of a version."""
    found = contracts_at(contracts_folder(config, folder))
    contract = found.contract(name)
    try:
        chosen = contract.find(Version.parse(version)) if version else None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if version and chosen is None:
        known = ", ".join(str(each.version) for each in contract.versions)
        raise ConfigError(f"{name} has no version {version}", hint=f"there is {known or 'none'}")
    if chosen is None and contract.versions:
        chosen = (contract.published() or contract.drafts)[-1]
    users = [each for each in found.parties if each.contract == name]
    document = chosen.document if chosen else {}
    if as_json:
        shown = {"version": str(chosen.version) if chosen else "", "document": document}
        print_json({**_row(contract), "parties": [_party(each) for each in users], "shown": shown})
        return
    out.print(f"[bold]{name}[/]  {contract.kind}, owner {escape(contract.owner)}, {contract.compatibility}")
    for one in _row(contract)["versions"]:
        sunset = f" until {one['sunset']}" if one["sunset"] else ""
        out.print(
            f"  {one['version']:<6} {one['state']}{sunset}  {one['at']}  {one['digest']}", soft_wrap=True
        )
    for each in users:
        used = f": {', '.join(each.fields)}" if each.fields else ""
        out.print(f"  v{each.major} {each.role} {escape(each.party + used)}", highlight=False)
    out.print_json(msgspec.json.encode(document).decode())


@contracts.command("check")
def check_command(
    path: Annotated[Path | None, typer.Argument(help="Folder of the contracts; see --folder.")] = None,
    base: Annotated[
        str, typer.Option(help="Git revision that is built on: what was published there must be unchanged.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """For CI: say everything that breaks a rule or somebody. Exit code 0 or 1."""
    folder = contracts_folder(config, path)
    if not folder.is_dir() and path is not None:
        raise ConfigError(f"there is no folder {folder}", hint="name the one with registry.yaml")
    before = contracts_of_revision(folder, base) if base else None
    now = read_contracts(folder)
    findings = check(now, declared_contracts(), before)
    if as_json:
        print_json({"ok": not findings, "contracts": len(now.contracts), "findings": findings})
    else:
        for finding in findings:
            out.print(escape(str(finding)), highlight=False, soft_wrap=True)
        said = f"[green]ok[/] {len(now.contracts)} contracts"
        out.print(f"[bold red]{len(findings)} error(s)[/]" if findings else said, highlight=False)
    raise typer.Exit(1 if findings else 0)


@contracts.command("consumers")
def consumers_command(
    name: Annotated[str, typer.Argument(help="A contract; default: all.")] = "",
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Those in the database of this node, by API registered too.")
    ] = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who consumes and produces what, of consumers.yaml or as a node has it recorded."""
    parties: list[Party]
    if recorded:
        from lineshaft.ledger.registry.contract_rows import party_rows  # noqa: PLC0415 - slow, for this alone

        path = known_settings(config)
        url = store_url(load_settings(path)[0], path)
        parties = [*run_async(ask_store(url, lambda connection: party_rows(connection, name)))]
    else:
        found = contracts_at(contracts_folder(config, folder)).parties
        parties = [each for each in found if name in ("", each.contract)]
    if as_json:
        print_json(parties)
        return
    table = Table("contract", "major", "role", "party", "fields", "environments", "contact")
    for each in sorted(parties, key=lambda each: (each.contract, each.major, each.role, each.party)):
        told = (each.party, ", ".join(each.fields), ", ".join(each.environments), each.contact)
        table.add_row(each.contract, str(each.major), each.role, *map(escape, told))
    out.print(table)


def _row(contract: Contract) -> dict[str, Any]:
    return {
        "name": contract.name,
        "kind": contract.kind,
        "owner": contract.owner,
        "compatibility": contract.compatibility,
        "own": contract.is_own,
        "versions": [
            {
                "version": str(each.version),
                "state": contract.state(each),
                "sunset": contract.major_state(each.version.major).sunset,
                "digest": each.digest,
                "at": each.at,
                "by": each.by,
                "reason": each.reason,
            }
            for each in contract.versions
        ],
    }


def _party(party: Party) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(party).items() if name != "contract"}
