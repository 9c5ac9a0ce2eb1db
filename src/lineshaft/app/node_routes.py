"""What a node tells of itself over HTTP, and its trace of a business key as JSON."""

from __future__ import annotations

from lineshaft.core.ports import ReadModel
from lineshaft.gateway.route import PUBLIC, Answer, ApiRoute, Asked, Parameter

__all__ = ["health_route", "trace_route"]


def health_route(plant: str) -> ApiRoute:
    async def health(_: Asked) -> Answer:
        return Answer(body={"state": "active", "plant": plant})

    text = {"type": "string"}
    return ApiRoute(
        method="GET",
        path="/health",
        name="health",
        summary="That this node answers",
        permission=PUBLIC,
        handler=health,
        tag="node",
        answers={
            200: {
                "type": "object",
                "required": ["state", "plant"],
                "properties": {"state": text, "plant": text},
            }
        },
    )


def trace_route(reads: ReadModel) -> ApiRoute:
    async def trace(asked: Asked) -> Answer:
        return Answer(body=await reads.trace(asked.path["key"]))

    return ApiRoute(
        method="GET",
        path="/api/v1/trace/{key:path}",
        name="trace",
        summary="From device reading through event, process and call to the document number, and back",
        permission="read:trace",
        handler=trace,
        tag="trace",
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
        version="v1",
    )
