"""Groups of commands that are imported when they are asked for: a command pays for itself alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

__all__ = ["on_demand"]


def on_demand(commands: Mapping[str, tuple[str, str]]) -> type[TyperGroup]:
    """The class of a group, for `typer.Typer(cls=…)`, that has these commands beside its own.

    commands   by name: `module:attribute` in lineshaft.app, a function or a Typer, and how its help begins
    """

    class OnDemand(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            # what help and completion list; nothing is run by them
            self.commands.update(
                {name: TyperCommand(name, help=said) for name, (_, said) in commands.items()}
            )

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in commands:
                command = _imported(name, commands[name][0])
            return name, command, rest

    return OnDemand


def _imported(name: str, reference: str) -> Any:
    module, _, attribute = reference.partition(":")
    found = getattr(import_module(f"lineshaft.app.{module}"), attribute)
    group = typer.Typer()
    if isinstance(found, typer.Typer):
        group.add_typer(found, name=name)
    else:
        group.command(name)(found)
    return get_group(group).commands[name]
