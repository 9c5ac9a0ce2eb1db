"""The manufacturing execution system, "LineView MES": reads only.

    GET  /mes/machines/{machine}/situation
         {"machine", "workCentre", "running": {"jobNo", "orderNo", "article", "target": {"qty", "unit"},
          "good": {"qty", "unit"}, "finishBy"} | null}

The good quantity grows with time from the start of the database on, up to the target. There is nothing to
repeat, as nothing is written; `PUT /_running {"running": false}` stops the job, for tests of an idle line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from estate.plant import MACHINES, ORDER, WORK_CENTER, Machine
from estate.systems.child import serve_child
from estate.systems.refusal import Refusal, json_object
from estate.systems.server import SimulatedSystem
from lineshaft.core.clock import rfc3339

__all__ = ["MesSystem"]

PIECE = "PCE"
SCHEMA = """
CREATE TABLE IF NOT EXISTS machines (machine TEXT PRIMARY KEY, work_centre TEXT);
CREATE TABLE IF NOT EXISTS jobs (job_no TEXT PRIMARY KEY, order_no TEXT, work_centre TEXT, article TEXT,
    target REAL, good_at_start REAL, units_per_s REAL, started_at TEXT, finish_by TEXT, running INTEGER);
"""


class MesSystem(SimulatedSystem):
    """machines: those that it knows."""

    name: ClassVar[str] = "mes"
    schema: ClassVar[str] = SCHEMA
    effects: ClassVar[Sequence[str]] = ()
    state: ClassVar[Sequence[str]] = ("jobs",)

    def __init__(self, data_dir: Path, port: int = 0, *, machines: Sequence[Machine] = MACHINES) -> None:
        super().__init__(data_dir, port)
        self._machines = machines

    def seed(self) -> None:
        for machine in self._machines:
            self.database.insert("machines", {"machine": machine.equipment, "work_centre": WORK_CENTER})
        now = datetime.now(UTC)
        self.database.insert(
            "jobs",
            {
                "job_no": ORDER.job,
                "order_no": ORDER.number,
                "work_centre": WORK_CENTER,
                "article": ORDER.material,
                "target": ORDER.planned,
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
            Route("/_running", self._run, methods=["PUT"]),
        ]

    async def _situation(self, request: Request) -> Response:
        machine = request.path_params["machine"]
        found = self.database.row("SELECT * FROM machines WHERE machine = ?", machine)
        if found is None:
            raise Refusal(404, {"fault": "NO_SUCH_MACHINE", "info": f"machine {machine} is not in this MES"})
        return JSONResponse(
            {
                "machine": machine,
                "workCentre": found["work_centre"],
                "running": self._job(found["work_centre"]),
            }
        )

    async def _run(self, request: Request) -> Response:
        body, missing = await json_object(request, ["running"])
        if missing:
            raise Refusal(400, {"fault": "BODY", "info": 'expected {"running": true | false}'})
        with self.database.transaction():
            self.database.execute("UPDATE jobs SET running = ?", int(bool(body["running"])))
        return Response(status_code=204)

    def _job(self, work_centre: str) -> dict[str, Any] | None:
        job = self.database.row("SELECT * FROM jobs WHERE work_centre = ? AND running = 1", work_centre)
        if job is None:
            return None
        running_s = (datetime.now(UTC) - datetime.fromisoformat(job["started_at"])).total_seconds()
        good = min(job["target"], job["good_at_start"] + int(running_s * job["units_per_s"]))
        return {
            "jobNo": job["job_no"],
            "orderNo": job["order_no"],
            "article": job["article"],
            "target": {"qty": job["target"], "unit": PIECE},
            "good": {"qty": good, "unit": PIECE},
            "finishBy": job["finish_by"],
        }


if __name__ == "__main__":
    serve_child(lambda options: MesSystem(options.data, options.port))
