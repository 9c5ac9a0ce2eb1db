"""Reading a request's body without trusting its size or its sender's speed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from lineshaft.gateway.problems import Refusal

__all__ = ["read_all"]


async def read_all(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """raises  Refusal, 413, once the limit is passed; ClientDisconnect when nobody is left to answer to"""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _larger_than(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise _larger_than(limit)
        return body
    parts, size = [body], len(body)
    while message.get("more_body") and size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise _larger_than(limit)
    return b"".join(parts)


def _larger_than(limit: int) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is longer than {limit} bytes",
        code="body_too_large",
        hint="send smaller messages",
    )
