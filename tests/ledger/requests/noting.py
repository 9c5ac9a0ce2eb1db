"""Notes of requests, all of one kind."""

from __future__ import annotations

from lineshaft.core.ids import new_ordered_id
from lineshaft.core.requests import RequestNote

__all__ = ["note"]


def note(ref: str = "") -> RequestNote:
    return RequestNote(
        request_id=new_ordered_id(),
        at="2026-03-02T06:00:00.000000Z",
        caller="key:mes",
        account="mes",
        method="GET",
        route="order",
        path="/api/v1/orders/1",
        plant="leipzig",
        status=200,
        code="",
        duration_ms=1.5,
        correlation_id="story",
        ref=ref,
    )
