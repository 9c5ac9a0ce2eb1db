"""Events as a system of a plant tells them, and who tells them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.access import Caller
from lineshaft.core.values import Event
from lineshaft.gateway.events.cloudevents import BATCH, STRUCTURED
from lineshaft.gateway.route import Asked
from tests.facts import AT, breach

__all__ = ["HISTORIAN", "NOW", "SOURCE", "asked", "batch", "structured", "threshold_event"]

NOW = AT + timedelta(seconds=3)
SOURCE = "/northspring/leipzig/historian/main"
HISTORIAN = Caller(
    name="key:historian",
    account="historian",
    permissions=frozenset({"publish:equipment.*", "subscribe:equipment.*"}),
    plants=frozenset({"leipzig"}),
    system="historian",
)


def threshold_event(number: int = 1, **changes: Any) -> Event:
    event = THRESHOLD_EXCEEDED.make(
        breach(), plant="leipzig", source=SOURCE, identity=(str(number),), time=AT
    )
    return msgspec.structs.replace(event, **changes)


def structured(number: int = 1, **changes: Any) -> dict[str, Any]:
    document = {
        "specversion": "1.0",
        "id": f"h-{number}",
        "source": SOURCE,
        "type": f"lineshaft.{THRESHOLD_EXCEEDED.type}",
        "time": "2026-03-02T06:00:00Z",
        "data": msgspec.to_builtins(breach(), str_keys=True),
    } | changes
    return {name: value for name, value in document.items() if value is not ...}


def asked(body: Any, caller: Caller = HISTORIAN, media: str = STRUCTURED, **headers: str) -> Asked:
    return Asked(
        caller=caller,
        path={},
        query={},
        headers={"content-type": media} | {name.replace("_", "-"): value for name, value in headers.items()},
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        plant="leipzig",
        correlation_id="story-1",
        request_id="request-1",
    )


def batch(*documents: dict[str, Any], caller: Caller = HISTORIAN) -> Asked:
    return asked(list(documents), caller, BATCH)
