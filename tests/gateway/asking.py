"""Asks an ASGI application as a server does, without one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.types import ASGIApp, Message

from lineshaft.core.access import Caller, Refused

__all__ = ["Accounts", "Reply", "ask"]


class Reply(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem, whose shape is looked at."""
        assert self.headers["content-type"] == "application/problem+json"
        told = self.json
        assert told["status"] == self.status
        assert told["type"].endswith(told["code"])
        assert told["title"]
        assert told["detail"]
        return str(told["code"])


async def ask(
    app: ASGIApp,
    method: str,
    target: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    content: bytes | None = None,
) -> Reply:
    """body: sent as JSON; content: bytes as they are."""
    path, _, query = target.partition("?")
    sent = {"host": "plant.example"}
    if content is None:
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            sent["content-type"] = "application/json"
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    sent["content-length"] = str(len(content))
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": ("192.0.2.1", 40000),
    }
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    await app(scope, receive, send)
    assert told[0]["type"] == "http.response.start"
    return Reply(
        told[0]["status"],
        {name.decode(): value.decode() for name, value in told[0]["headers"]},
        b"".join(message.get("body", b"") for message in told[1:]),
    )


class Accounts:
    """An authenticator that takes the account's name for its key."""

    def __init__(self, *callers: Caller) -> None:
        self.callers = {caller.account: caller for caller in callers}

    async def caller(self, authorization: str, cookie: str) -> Caller:
        name = (authorization or cookie).removeprefix("Bearer ")
        if name not in self.callers:
            raise Refused("the key is not valid here")
        return self.callers[name]
