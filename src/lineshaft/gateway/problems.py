"""The one error shape of our HTTP APIs: problem details, RFC 9457."""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from lineshaft.core.errors import LineshaftError, TransientFault

__all__ = ["problem", "try_later"]

RETRY_AFTER_S = 5.0


def problem(
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    errors: Sequence[str] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """code: stable snake_case, also the last part of `type`; errors: every finding, one line each."""
    body: dict[str, object] = {
        "type": f"urn:lineshaft:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = list(errors)
    return Response(
        msgspec.json.encode(body), status.value, headers=headers, media_type="application/problem+json"
    )


def try_later(fault: LineshaftError) -> Response:
    """503 with Retry-After in whole seconds: the peer's own, else five."""
    wait_s = fault.retry_after_s if isinstance(fault, TransientFault) else None
    seconds = max(1, math.ceil(RETRY_AFTER_S if wait_s is None else wait_s))
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code=fault.code,
        detail=str(fault),
        headers={"Retry-After": str(seconds)},
    )
