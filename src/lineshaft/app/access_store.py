"""What the commands of `lineshaft access` share: settings, access file and store."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.access import access_of
from lineshaft.app.settings import load_settings, store_url
from lineshaft.app.terminal import known_settings, out, run_async, said_at
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.ledger import OPERATOR, Audit
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions
from lineshaft.store import Store

__all__ = ["AccessStore", "ActorOption", "ReasonOption", "acting", "print_rows"]

T = TypeVar("T")
ActorOption = Annotated[str, typer.Option("--by", help="Who decides this; default: your login.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept in the audit.")]


class AccessStore:
    """The settings, their access file, and the store that a node may be using at the same time."""

    def __init__(self, config: Path | None) -> None:
        self.path = known_settings(config)
        self.settings, _ = load_settings(self.path)
        found = access_of(self.settings, self.path)
        if found is None:
            raise ConfigError(
                f"{self.path} names no access file: whoever is on this machine may do everything",
                hint="add `access: access.yaml` to the settings",
            )
        self.access = found

    def account(self, name: str, kind: str = "") -> str:
        """raises  ConfigError for an account that is not in the access file, or not of this kind"""
        entry = self.access.accounts.get(name)
        if entry is None:
            known = ", ".join(self.access.accounts) or "none"
            raise ConfigError(f"{self.settings.access} has no account {name!r}", hint=f"known: {known}")
        if kind and entry.kind != kind:
            raise ConfigError(f"account {name!r} is a {entry.kind}, no {kind}", hint=f"kind: {kind}")
        return name

    def ask(self, work: Callable[[StoredCredentials, StoredSessions], Awaitable[T]]) -> T:
        async def do() -> T:
            clock, store = SystemClock(), Store.open(store_url(self.settings, self.path))
            try:
                audit = Audit(OPERATOR, clock)
                return await work(StoredCredentials(store, audit, clock), StoredSessions(store, audit, clock))
            finally:
                await store.close()

        return run_async(do())

    def say_at(self, moment: datetime | None) -> str:
        return said_at(moment.isoformat(), self.settings.zone) if moment else ""


def acting(by: str) -> str:
    """Who is noted in the audit."""
    return by or getpass.getuser()


def print_rows(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    table = Table(*(name.removesuffix("_at").replace("_", " ") for name in columns))
    table.columns[0].no_wrap = True  # what other commands are given
    for row in rows:
        cells = (", ".join(cell) if isinstance(cell := row[name], list) else cell or "" for name in columns)
        table.add_row(*map(escape, cells))
    out.print(table)
