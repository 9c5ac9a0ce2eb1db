"""What the commands share: options, where the settings are, the terminal, and how a command runs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console

from lineshaft.app.last_run import last_run_settings
from lineshaft.core.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "ConfigOption",
    "JsonOption",
    "ask_store",
    "err",
    "known_settings",
    "out",
    "print_json",
    "run_async",
    "said_at",
    "settings_path",
]

T = TypeVar("T")
out = Console(width=None if sys.stdout.isatty() else 250)
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; default $LINESHAFT_CONFIG, then ./lineshaft.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def settings_path(given: Path | None) -> Path:
    path = given or Path(os.environ.get("LINESHAFT_CONFIG", "lineshaft.yaml"))
    if not path.exists():
        raise ConfigError(f"there is no settings file {path}", hint="name it with --config")
    return path


def known_settings(given: Path | None) -> Path:
    """As settings_path, and where there are none, those of the last scenario or demo."""
    own = given or Path(os.environ.get("LINESHAFT_CONFIG", "lineshaft.yaml"))
    path = own if given or own.exists() else last_run_settings()
    if path is None:
        raise ConfigError("there is no settings file and no earlier scenario run", hint="use --config")
    return path


async def ask_store(url: str, question: Callable[[Connection], T]) -> T:
    """raises  ConfigError for an unusable database, TransientFault when it does not answer"""
    from lineshaft.store import Store  # noqa: PLC0415 - slow, and not every command has a question

    store = Store.open(url)
    try:
        return await store.read(question)
    finally:
        await store.close()


def said_at(at: str, zone: ZoneInfo) -> str:
    """A time of the store as people of the plant read it."""
    return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M:%S}" if at else ""


def print_json(document: Any) -> None:
    print(msgspec.json.encode(document).decode())


def run_async(
    work: Coroutine[Any, Any, T], *, new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> T:
    """A part's own error, out of the task groups around it."""
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(work)
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
