"""Routes as they are declared: who may, what goes in, what may come out.

From one declaration come the HTTP route with its checks, the OpenAPI entry and the rows of the authorisation
matrix. A route cannot be made without saying who may use it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from starlette.responses import Response

from lineshaft.core.access import ALL, Caller
from lineshaft.core.requests import RequestNote
from lineshaft.gateway.policies import EVERYTHING, Shown

__all__ = ["PUBLIC", "Answer", "ApiRoute", "Asked", "Noting", "Parameter", "Retiring", "path_parameters"]

PUBLIC = "public"
"""Permission of what anybody may ask: health, log-in, tokens, and webhooks that carry a signature."""


Noting = Callable[[int, str], RequestNote]
"""From the status of an answer and what came of it: the note of the request, as the ledger keeps it."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, after every check of its route.

    path, query, headers   as sent; header names in lower case
    body                   bytes, at most as long as route and caller allow
    plant                  that the caller acts for here, one that it sees
    correlation_id         of the caller, or new
    address                that the request came from
    shown                  leaves of a value what the account may see; `Answer.body` goes through by itself,
                           what a stream sends does not
    note                   for a handler that writes the note together with what it changes, and then says
                           `Answer.is_noted`; None: it is none of its business
    """

    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    plant: str
    correlation_id: str
    request_id: str
    traceparent: str = ""
    address: str = ""
    shown: Shown = EVERYTHING
    note: Noting | None = None

    @property
    def plants(self) -> Collection[str] | None:
        """Whose rows come out of a route of any plant: of the one that was named, else of all that the caller
        sees; None: of every one."""
        if "plant" in self.query:
            return [self.plant]
        return None if ALL in self.caller.plants else self.caller.plants


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """body: a value to be sent as JSON; ref: id of the call, process or event that came of it.
    is_secret: it is shown once and not recorded; a repeat under its key is only told that it was done.
    is_noted: the request is in the ledger already, see `Asked.note`.

    A handler may give a starlette Response instead, for pages and streams.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}
    ref: str = ""
    is_secret: bool = False
    is_noted: bool = False


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """where: `path`, `query` or `header`; schema: JSON Schema 2020-12 of its text or number."""

    name: str
    where: str
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})
    required: bool = False
    summary: str = ""


class Retiring(msgspec.Struct, frozen=True, kw_only=True):
    """Announced by the headers Deprecation (RFC 9745) and Sunset (RFC 8594). successor: a path."""

    since: date
    sunset: date
    successor: str = ""


class ApiRoute(msgspec.Struct, frozen=True, kw_only=True):
    """path         as in OpenAPI: `/api/v1/orders/{id}/status`; `{key:path}` takes slashes, too
    name          operationId, unique
    permission    `<verb>:<object>`, with path parameters in braces, or PUBLIC
    also          another one that the caller needs, too; without parameters
    handler       raises from the tree in core.errors, which becomes problem details
    request       JSON Schema of the body; None: it takes none, or what `media` says
    media         media types of the body; none: any
    own_checks    the handler checks the body against `request` by itself, in the same pass as it decodes it
    answers       status → JSON Schema of its body, or None where it has none; problems come by themselves
    problems      statuses of problem details that the handler may give, beside those that every route may
    answer_media  of a good answer
    idempotent    changes something: needs an Idempotency-Key, and a repeat gets the recorded answer
    any_plant     its rows have plants, and those of all that the caller sees come out; without, it is about
                  the node's plant, and the query can name no other
    timeout_s     that the handler may take, where that is more than its accounts have; 0: what they have
    same          names of routes that tell the same: what rules hide there is hidden here, too
    payloads      it tells of payloads, see policies.shown_fields
    noted         the ledger keeps who asked, and traces show it; False for what machines ask all the time
    version       `v1`, or with the minor that is served `v1.2`; empty: not versioned
    """

    method: str
    path: str
    name: str
    summary: str
    permission: str
    handler: Callable[[Asked], Awaitable[Answer | Response]]
    also: str = ""
    tag: str = ""
    parameters: Sequence[Parameter] = ()
    request: Mapping[str, Any] | None = None
    media: Sequence[str] = ("application/json",)
    own_checks: bool = False
    answers: Mapping[int, Mapping[str, Any] | None] = msgspec.field(default_factory=lambda: {200: None})
    problems: Sequence[int] = ()
    answer_media: str = "application/json"
    idempotent: bool = False
    any_plant: bool = False
    timeout_s: float = 0.0
    same: Sequence[str] = ()
    payloads: bool = False
    noted: bool = True
    version: str = ""
    retiring: Retiring | None = None

    def __post_init__(self) -> None:
        if not self.permission:
            raise ValueError(f"{self.method} {self.path}: who may use it?")
        if self.permission != PUBLIC and ":" not in self.permission:
            raise ValueError(f"{self.method} {self.path}: {self.permission!r} is no permission, verb:object")

    @property
    def is_public(self) -> bool:
        return self.permission == PUBLIC

    @property
    def is_page(self) -> bool:
        """For browsers: it takes any query, and is in no document of the API."""
        return self.tag == "console" or self.answer_media.startswith("text/html")


def path_parameters(path: str) -> list[tuple[str, bool]]:
    """(name, whether it takes slashes) of each, in order."""
    return [
        (name, kind == "path")
        for part in path.split("{")[1:]
        for name, _, kind in [part.partition("}")[0].partition(":")]
    ]
