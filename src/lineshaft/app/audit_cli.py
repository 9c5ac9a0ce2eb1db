"""`lineshaft audit verify | list`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.settings import load_settings, store_url
from lineshaft.app.terminal import (
    ConfigOption,
    JsonOption,
    ask_store,
    known_settings,
    out,
    print_json,
    run_async,
    said_at,
)
from lineshaft.ledger import ChainHead, audit_rows, verify_audit

__all__ = ["audit"]

audit = typer.Typer(
    help="Who did what, to what, and why, in chains that show every change.", no_args_is_help=True
)


@audit.command("verify")
def verify_command(
    expect: Annotated[
        list[str] | None,
        typer.Option(help="A head noted earlier, CHAIN:SEQ:HASH: the chain must still have it. Repeatable."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute every chain; find edited, removed and reordered rows. Exit code 0 or 1.

    Note the heads that it prints elsewhere, on paper or in another system: with --expect they show also what
    somebody did who computed a whole chain anew.
    """
    noted = [ChainHead.parse(text) for text in expect or ()]
    path = known_settings(config)
    settings, _ = load_settings(path)
    report = run_async(
        ask_store(store_url(settings, path), lambda connection: verify_audit(connection, noted))
    )
    if as_json:
        heads = [str(head) for head in report.heads]
        print_json({"ok": not report.findings} | msgspec.structs.asdict(report) | {"heads": heads})
    else:
        for found in report.findings:
            out.print(f"[bold red]{found.kind:<8}[/] {escape(str(found))}", highlight=False, soft_wrap=True)
        if report.more:
            out.print(f"[bold red]and {report.more} more findings[/]")
        for head in report.heads:
            out.print(f"head {escape(str(head))}", highlight=False, soft_wrap=True)
        out.print(
            f"[green]ok[/] {report.rows} rows in {len(report.heads)} chains"
            if not report.findings
            else f"[bold red]{len(report.findings) + report.more} finding(s)[/] in {report.rows} rows"
        )
    raise typer.Exit(1 if report.findings else 0)


@audit.command("list")
def list_command(
    actor: Annotated[str, typer.Option(help="A login, process or node.")] = "",
    action: Annotated[str, typer.Option(help="Such as call.posted, or call.* for all of a thing.")] = "",
    subject: Annotated[str, typer.Option(help="Id of a call, exception or process.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who did what, the newest first."""
    path = known_settings(config)
    settings, _ = load_settings(path)
    found = run_async(
        ask_store(
            store_url(settings, path),
            lambda connection: audit_rows(
                connection, actor=actor, action=action, subject=subject, limit=limit
            ),
        )
    )
    if as_json:
        print_json(found)
        return
    table = Table("at", "actor", "action", "subject", "reason", "row")
    for row in found:
        told = (row["actor"], row["action"], row["subject"], row["reason"])
        table.add_row(said_at(row["at"], settings.zone), *map(escape, told), f"{row['chain']}:{row['seq']}")
    out.print(table)
