"""Reading a request's body without trusting its size or its sender's speed."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from lineshaft.gateway.problems import problem

__all__ = ["MAX_BODY_BYTES", "read_body"]

MAX_BODY_BYTES = 1024 * 1024
BODY_TIMEOUT_S = 30.0


async def read_body(
    request: Request, *, limit: int = MAX_BODY_BYTES, timeout_s: float = BODY_TIMEOUT_S
) -> bytes | Response:
    """The body, or the refusal to answer with: 413 once the limit is passed, 408 when it takes too long.

    raises  starlette.requests.ClientDisconnect when nobody is left to answer to
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        return _too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    return _too_large(limit)
                parts.append(chunk)
    except TimeoutError:
        return problem(
            HTTPStatus.REQUEST_TIMEOUT,
            code="body_timeout",
            detail=f"the body did not arrive within {timeout_s:g} s",
            headers={"Connection": "close"},
        )
    return b"".join(parts)


def _too_large(limit: int) -> Response:
    return problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        code="body_too_large",
        detail=f"the body is longer than {limit} bytes; send smaller messages",
        headers={"Connection": "close"},
    )
