"""Pages as they are declared: where, who may see them, and what makes them from a visit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from lineshaft.console.visible import visible
from lineshaft.core.access import ALL, Caller, permits

__all__ = ["Page", "Visit"]

T = TypeVar("T")


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request for a page, after the checks of the gateway: the caller has the page's permission.

    query    as sent, each name once
    shown    leaves of a payload what the account may see; what a screen shows of one goes through it
    told     the same for what the API tells, of which a screen shows parts; see `seen`
    headers  names in lower case
    """

    caller: Caller
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    shown: Callable[[Any], Any] = lambda value: value
    told: Callable[[Any], Any] = lambda value: value

    def seen(self, facts: T) -> T:
        """Facts in the form of the API without what the account may not see; see visible."""
        left = self.told(facts)
        if left is facts:
            return facts
        found: T = visible(facts, left)
        return found

    @property
    def plants(self) -> frozenset[str] | None:
        """Whose rows may be shown; None: those of every plant."""
        return None if ALL in self.caller.plants else self.caller.plants

    def may(self, permission: str) -> bool:
        return permits(self.caller, permission)

    def asked(self, name: str, longest: int = 200) -> str:
        """A parameter of the query without space around it, cut to what a search can mean."""
        return self.query.get(name, "").strip()[:longest]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """path        beginning with `/`; `{ref:path}` takes slashes, too
    name        unique, `console-<screen>`
    permission  `<verb>:<object>`; empty: anybody, before the log-in, too
    media       of its answer
    same        names of API routes that tell the same facts: the account's field rules for them hold here
    payloads    it tells of payloads
    """

    path: str
    name: str
    show: Callable[[Visit], Awaitable[Response]]
    permission: str = "read:console"
    media: str = "text/html"
    same: tuple[str, ...] = ()
    payloads: bool = False
