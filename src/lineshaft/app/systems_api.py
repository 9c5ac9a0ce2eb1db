"""When connected systems are not to be called, over HTTP: the same verbs as `lineshaft systems`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from lineshaft.app.json_api import Decision, actor_of, body_of
from lineshaft.app.system_pauses import SystemPauses
from lineshaft.gateway.route import Answer, ApiRoute, Asked

__all__ = ["pause_routes"]


class _Pause(Decision, frozen=True, kw_only=True):
    """until: RFC 3339; without an offset, in the plant's time zone."""

    until: Annotated[str, msgspec.Meta(max_length=40)]


def pause_routes(pauses: SystemPauses) -> list[ApiRoute]:
    """Under `/api/systems`.

    GET                  the systems, their maintenance windows and pauses
    POST /{name}/pause   {"until", "reason"}
    POST /{name}/resume  {"reason"}

    404 no such system · 422 what is wrong with the body, or a time that is over. On a node that does not know
    its callers each body has `by`: who decides.
    """

    async def listing(_: Asked) -> Answer:
        return Answer(body=await pauses.listing())

    async def pause(asked: Asked) -> Answer:
        body, name = body_of(asked, _Pause), asked.path["name"]
        by = actor_of(asked, body)
        return Answer(body=await pauses.pause(name, body.until, by=by, reason=body.reason), ref=name)

    async def resume(asked: Asked) -> Answer:
        body, name = body_of(asked, Decision), asked.path["name"]
        return Answer(body=await pauses.resume(name, by=actor_of(asked, body), reason=body.reason), ref=name)

    decides: dict[str, Any] = {
        "method": "POST",
        "permission": "decide:systems",
        "tag": "systems",
        "answers": {200: {"type": "object"}},
        "problems": (404, 409, 503),
    }
    return [
        ApiRoute(
            method="GET",
            path="/api/systems",
            name="list_systems",
            summary="Connected systems, their maintenance windows, and which of them are paused",
            permission="read:systems",
            handler=listing,
            tag="systems",
            answers={200: {"type": "array", "items": {"type": "object"}}},
            problems=(503,),
        ),
        ApiRoute(
            path="/api/systems/{name}/pause",
            name="pause_system",
            summary="Send a system nothing until then; what is under way may finish",
            handler=pause,
            request=msgspec.json.schema(_Pause),
            **decides,
        ),
        ApiRoute(
            path="/api/systems/{name}/resume",
            name="resume_system",
            summary="End a pause before its time",
            handler=resume,
            request=msgspec.json.schema(Decision),
            **decides,
        ),
    ]
