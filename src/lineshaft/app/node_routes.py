"""The trace of a business key as JSON."""

from __future__ import annotations

from lineshaft.core.ports import ReadModel
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter

__all__ = ["trace_route"]


def trace_route(reads: ReadModel) -> ApiRoute:
    async def trace(asked: Asked) -> Answer:
        return Answer(body=await reads.trace(asked.path["key"], asked.plants))

    return ApiRoute(
        method="GET",
        path="/api/v1/trace/{key:path}",
        name="trace",
        summary="From device reading through event, process and call to the document number, and back",
        permission="read:trace",
        handler=trace,
        tag="trace",
        same=("console-trace",),
        payloads=True,
        parameters=(
            Parameter(
                name="key",
                where="path",
                required=True,
                summary="Business key, document number, or id of an event, call, process or request",
            ),
        ),
        answers={
            200: {
                "type": "object",
                "required": ["stories"],
                "properties": {"stories": {"type": "array", "items": {"type": "object"}}},
            }
        },
        problems=(503,),
        any_plant=True,
        version="v1",
    )
