"""Screens without a server: who looks, and what they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lineshaft.console import Assets, Headline, Page, Shell, Visit, environment
from lineshaft.console.routes import Screen
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.clock import Clock, SystemClock
from tests.console.factory import PLANT

__all__ = ["ELSEWHERE", "VIEWER", "a_shell", "pages_of", "shown"]

ELSEWHERE = Caller(name="x", permissions=frozenset({"*:*"}), plants=frozenset({"lyon"}))
VIEWER = Caller(name="v", permissions=frozenset({"read:*"}), plants=frozenset({"*"}))


def a_shell(clock: Clock | None = None) -> Shell:
    async def none_open(_: object) -> int:
        return 0

    clock = clock or SystemClock()
    headline = Headline(dict, list, none_open, clock, PLANT.name)
    return Shell(environment({"plant": PLANT, "asset": Assets().url}), PLANT, headline, clock)


def pages_of(screen: Screen) -> dict[str, Page]:
    found: Iterable[Page] = screen.pages()
    return {page.path: page for page in found}


async def shown(
    page: Page, caller: Caller = LOCAL, /, *, shows: Callable[[Any], Any] = lambda value: value, **query: str
) -> str:
    """shows: the account's field rules"""
    answer = await page.show(Visit(caller=caller, query=query, shown=shows))
    return bytes(answer.body).decode()
