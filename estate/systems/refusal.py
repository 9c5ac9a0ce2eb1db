"""How a simulated system says no: a status and an error body in its own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

__all__ = ["Refusal", "answer_refusal", "json_object"]


class Refusal(Exception):
    """Ends a request with `status` and `body`; nothing took effect."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = dict(body)


async def answer_refusal(_: Request, error: Exception) -> Response:
    """Starlette's handler for Refusal."""
    assert isinstance(error, Refusal)  # noqa: S101 - registered for this class only
    return JSONResponse(error.body, error.status)


async def json_object(request: Request, required: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The body of a request, and which required members it lacks (all, when it is no JSON object)."""
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        return {}, list(required)
    if not isinstance(body, dict):
        return {}, list(required)
    return body, [name for name in required if body.get(name) in (None, "")]
