"""The planning system, "CapaPlan APS".

    POST  /aps/capacity-notices               {"resource", "machine", "kind": "REDUCED" | "FULL", "cause",
                                               "validFrom", "validTo", "affectedOrder", "reference",
                                               "externalRef"} → 201 {"noticeId": "CN-7001", …}
    GET   /aps/capacity-notices?externalRef=  {"notices": […]}

`externalRef` is stored and searchable, not unique: a repeated POST is a second notice.
Errors are `{"errors": [{"id": "RESOURCE_UNKNOWN", "detail": …}]}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from estate.plant import WORK_CENTER
from estate.systems.child import serve_child
from estate.systems.database import Row
from estate.systems.refusal import Refusal, json_object
from estate.systems.server import SimulatedSystem
from lineshaft.core.clock import rfc3339

__all__ = ["PlanningSystem"]

KINDS = ("REDUCED", "FULL")
SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (resource TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS capacity_notices (notice_id TEXT PRIMARY KEY, resource TEXT,
    machine TEXT, kind TEXT, cause TEXT, valid_from TEXT, valid_to TEXT,
    affected_order TEXT, reference TEXT, external_ref TEXT,
    created_at TEXT);
CREATE INDEX IF NOT EXISTS capacity_notices_ref ON capacity_notices (external_ref);
"""


class PlanningSystem(SimulatedSystem):
    name: ClassVar[str] = "planning"
    schema: ClassVar[str] = SCHEMA
    effects: ClassVar[Sequence[str]] = ("capacity_notices",)

    def seed(self) -> None:
        self.database.insert("resources", {"resource": WORK_CENTER})

    def routes(self) -> list[Route]:
        return [
            Route("/aps/capacity-notices", self._take, methods=["POST"]),
            Route("/aps/capacity-notices", self._find, methods=["GET"]),
        ]

    async def _take(self, request: Request) -> Response:
        body, missing = await json_object(request, ["resource", "kind", "validFrom"])
        if missing:
            raise _refusal(400, [("FIELD_MISSING", name) for name in missing])
        if self.database.row("SELECT 1 FROM resources WHERE resource = ?", body["resource"]) is None:
            raise _refusal(422, [("RESOURCE_UNKNOWN", f"resource {body['resource']} is not planned here")])
        if body["kind"] not in KINDS:
            raise _refusal(422, [("KIND_INVALID", f"kind {body['kind']!r}; one of {KINDS}")])
        with self.database.transaction():
            notice = {
                "notice_id": self.database.number("CN", 7001),
                "resource": body["resource"],
                "machine": body.get("machine"),
                "kind": body["kind"],
                "cause": body.get("cause"),
                "valid_from": body["validFrom"],
                "valid_to": body.get("validTo"),
                "affected_order": body.get("affectedOrder"),
                "reference": body.get("reference"),
                "external_ref": body.get("externalRef"),
                "created_at": rfc3339(datetime.now(UTC)),
            }
            self.database.insert("capacity_notices", notice)
        return JSONResponse(_notice(notice), 201)

    async def _find(self, request: Request) -> Response:
        found = self.database.rows(
            "SELECT * FROM capacity_notices WHERE external_ref = ? ORDER BY rowid",
            request.query_params.get("externalRef", ""),
        )
        return JSONResponse({"notices": [_notice(row) for row in found]})


def _refusal(status: int, errors: list[tuple[str, str]]) -> Refusal:
    return Refusal(status, {"errors": [{"id": code, "detail": detail} for code, detail in errors]})


def _notice(row: Row) -> dict[str, Any]:
    return {
        "noticeId": row["notice_id"],
        "resource": row["resource"],
        "machine": row["machine"],
        "kind": row["kind"],
        "reference": row["reference"],
        "externalRef": row["external_ref"],
    }


if __name__ == "__main__":
    serve_child(lambda options: PlanningSystem(options.data, options.port))
