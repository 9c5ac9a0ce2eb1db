"""The manufacturing execution system, "LineView MES".

    GET  /mes/machines/{machine}/situation
         {"machine", "workCentre", "running": {"jobNo", "orderNo", "article", "target": {"qty", "unit"},
          "good": {"qty", "unit"}, "finishBy"} | null}
    GET  /mes/machines/{machine}/counts?from=&until=
         {"machine", "countPoint", "job": {"orderNo", "operation", "article", "status": "RUN", "target",
          "total", "good", "scrap", "overPct", "blocked", "lotRequired", "lot"} | null}
    GET  /mes/machines/{machine}/stop-reason?from=&until=&signal=
         {"machine", "reason": {"code", "final", "erp"} | null}
    POST /mes/machines/{machine}/stop-reason    {"from", "until", "code"}, what an operator enters → 204

The good quantity grows with time from the start of the database on, up to the target. A stop without a reason
of an operator has the one that the machine signals, if it is in the MES's tree.
`PUT /_running {"running": false}` stops the job, for tests of an idle line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from estate.plant import MACHINES, ORDER, REASONS, WORK_CENTER, Machine
from estate.systems.child import serve_child
from estate.systems.database import Row
from estate.systems.refusal import Refusal, json_object
from estate.systems.server import SimulatedSystem
from lineshaft.core.clock import rfc3339

__all__ = ["MesSystem"]

PIECE = "PCE"
SCHEMA = """
CREATE TABLE IF NOT EXISTS machines (machine TEXT PRIMARY KEY, work_centre TEXT, counts INTEGER);
CREATE TABLE IF NOT EXISTS jobs (job_no TEXT PRIMARY KEY, order_no TEXT, operation TEXT, work_centre TEXT,
    article TEXT, lot TEXT, status TEXT, blocked INTEGER, target REAL, over_pct REAL, good_at_start REAL,
    units_per_s REAL, started_at TEXT, finish_by TEXT, running INTEGER);
CREATE TABLE IF NOT EXISTS reasons (code TEXT PRIMARY KEY, final INTEGER, erp INTEGER);
CREATE TABLE IF NOT EXISTS stop_reasons (machine TEXT, from_at TEXT, until_at TEXT, code TEXT);
"""


class MesSystem(SimulatedSystem):
    """machines: those that it knows."""

    name: ClassVar[str] = "mes"
    schema: ClassVar[str] = SCHEMA
    effects: ClassVar[Sequence[str]] = ()
    state: ClassVar[Sequence[str]] = ("jobs", "stop_reasons")

    def __init__(self, data_dir: Path, port: int = 0, *, machines: Sequence[Machine] = MACHINES) -> None:
        super().__init__(data_dir, port)
        self._machines = machines

    def seed(self) -> None:
        for machine in self._machines:
            place = {"machine": machine.equipment, "work_centre": WORK_CENTER}
            self.database.insert("machines", place | {"counts": int(machine.counts)})
        for reason in REASONS:
            known = {"code": reason.code, "final": int(reason.is_leaf), "erp": int(reason.postable)}
            self.database.insert("reasons", known)
        now = datetime.now(UTC)
        self.database.insert(
            "jobs",
            {
                "job_no": ORDER.job,
                "order_no": ORDER.number,
                "operation": ORDER.operation,
                "work_centre": WORK_CENTER,
                "article": ORDER.material,
                "lot": ORDER.lot,
                "status": "RUN",
                "blocked": 0,
                "target": ORDER.planned,
                "over_pct": ORDER.over_pct,
                "good_at_start": ORDER.good_at_start,
                "units_per_s": ORDER.units_per_s,
                "started_at": rfc3339(now),
                "finish_by": rfc3339(now + timedelta(hours=ORDER.due_in_h)),
                "running": 1,
            },
        )

    def routes(self) -> list[Route]:
        return [
            Route("/mes/machines/{machine}/situation", self._situation),
            Route("/mes/machines/{machine}/counts", self._counts),
            Route("/mes/machines/{machine}/stop-reason", self._stop_reason, methods=["GET"]),
            Route("/mes/machines/{machine}/stop-reason", self._enter_reason, methods=["POST"]),
            Route("/_running", self._run, methods=["PUT"]),
        ]

    async def _situation(self, request: Request) -> Response:
        found = self._machine(request)
        job, running = self._job(found), None
        if job is not None:
            running = {
                "jobNo": job["job_no"],
                "orderNo": job["order_no"],
                "article": job["article"],
                "target": _pieces(job["target"]),
                "good": _pieces(_made(job, datetime.now(UTC))),
                "finishBy": job["finish_by"],
            }
        return JSONResponse(
            {"machine": found["machine"], "workCentre": found["work_centre"], "running": running}
        )

    async def _counts(self, request: Request) -> Response:
        found, (begin, end) = self._machine(request), _period(request.query_params)
        job, told = self._job(found), None
        if job is not None:
            told = {
                "orderNo": job["order_no"],
                "operation": job["operation"],
                "article": job["article"],
                "status": job["status"],
                "target": _pieces(job["target"]),
                "total": _pieces(_made(job, end)),
                "good": _pieces(_made(job, end) - _made(job, begin)),
                "scrap": _pieces(0),
                "overPct": job["over_pct"],
                "blocked": bool(job["blocked"]),
                "lotRequired": True,
                "lot": job["lot"],
            }
        return JSONResponse({"machine": found["machine"], "countPoint": bool(found["counts"]), "job": told})

    async def _stop_reason(self, request: Request) -> Response:
        found, (begin, end) = self._machine(request), _period(request.query_params)
        entered = self.database.row(
            "SELECT code FROM stop_reasons WHERE machine = ? AND from_at < ? AND until_at > ?"
            " ORDER BY rowid DESC",
            found["machine"],
            rfc3339(end),
            rfc3339(begin),
        )
        code = entered["code"] if entered else request.query_params.get("signal", "")
        known, reason = self.database.row("SELECT * FROM reasons WHERE code = ?", code), None
        if known is not None:
            reason = {"code": code, "final": bool(known["final"]), "erp": bool(known["erp"])}
        return JSONResponse({"machine": found["machine"], "reason": reason})

    async def _enter_reason(self, request: Request) -> Response:
        found = self._machine(request)
        body, missing = await json_object(request, ["from", "until", "code"])
        if missing:
            raise Refusal(400, {"fault": "BODY", "info": f"missing: {', '.join(missing)}"})
        if self.database.row("SELECT * FROM reasons WHERE code = ?", body["code"]) is None:
            raise Refusal(422, {"fault": "NO_SUCH_REASON", "info": f"{body['code']} is not in the tree"})
        begin, end = _period(body)
        row = {"machine": found["machine"], "from_at": rfc3339(begin), "until_at": rfc3339(end)}
        with self.database.transaction():
            self.database.insert("stop_reasons", row | {"code": body["code"]})
        return Response(status_code=204)

    async def _run(self, request: Request) -> Response:
        body, missing = await json_object(request, ["running"])
        if missing:
            raise Refusal(400, {"fault": "BODY", "info": 'expected {"running": true | false}'})
        with self.database.transaction():
            self.database.execute("UPDATE jobs SET running = ?", int(bool(body["running"])))
        return Response(status_code=204)

    def _machine(self, request: Request) -> Row:
        machine = request.path_params["machine"]
        found = self.database.row("SELECT * FROM machines WHERE machine = ?", machine)
        if found is None:
            raise Refusal(404, {"fault": "NO_SUCH_MACHINE", "info": f"machine {machine} is not in this MES"})
        return found

    def _job(self, machine: Row) -> Row | None:
        return self.database.row(
            "SELECT * FROM jobs WHERE work_centre = ? AND running = 1", machine["work_centre"]
        )


def _made(job: Row, at: datetime) -> float:
    running_s = max(0.0, (at - datetime.fromisoformat(job["started_at"])).total_seconds())
    return float(min(job["target"], job["good_at_start"] + int(running_s * job["units_per_s"])))


def _pieces(quantity: float) -> dict[str, Any]:
    return {"qty": quantity, "unit": PIECE}


def _period(asked: Any) -> tuple[datetime, datetime]:
    try:
        begin, end = (datetime.fromisoformat(asked[name]) for name in ("from", "until"))
        return begin.astimezone(UTC), end.astimezone(UTC)
    except (KeyError, TypeError, ValueError) as failure:
        raise Refusal(400, {"fault": "BAD_TIME", "info": "from and until have to be times"}) from failure


if __name__ == "__main__":
    serve_child(lambda options: MesSystem(options.data, options.port))
