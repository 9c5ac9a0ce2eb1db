"""The maintenance system, "Fixwell CMMS".

    GET   /api/assets/{assetNo}             {"assetNo", "designation", "machineRef", "usualSpares": […]}
    POST  /api/work-requests                {"assetNo", "symptom", "priority": "2-HIGH", "origin": "CBM",
                                             "brokenSince", "externalRef"}
                                            → 201 {"requestNo": "WR-1001", "workOrderNo": "WO-2001", …}
    GET   /api/work-requests?externalRef=   {"items": […]}
    GET   /api/work-orders?assetNo=&status=open
    GET   /api/work-orders/{workOrderNo}
    POST  /api/work-orders/{workOrderNo}/notes
                                            {"text", "kind": "FINDING", "externalRef"} → 201 {"noteNo", …}
    GET   /api/notes?externalRef=
    PATCH /api/work-orders/{workOrderNo}/task
                                            {"status": "PARTS_RESERVED" | "PARTS_AWAITED", "remark",
                                             "partLines": [{"pos", "partNo", "qty", "uom",
                                             "reservationRef"}], "externalRef"}
    GET   /api/task-updates?externalRef=
    POST  /api/work-orders/{workOrderNo}/parts-arrived
    GET   /api/planned-work?assetNo=&from=&until=
    POST  /api/planned-work                 {"assetNo", "title", "begin", "end"} → 201 {"planNo", …}
    DELETE /api/planned-work/{planNo}
    POST  /api/work-orders/{workOrderNo}/completion      what a technician reports
    PUT   /api/webhook                      {"url", "secret", "duplicates"}

`externalRef` is stored and searchable, not unique: a repeated POST or PATCH is a second document. Only a
completion can happen once, as an order that is DONE takes no other. A completed order is told to the webhook
as `{"eventKind": "WORK_ORDER_DONE", "deliveryId", "sentAt", "order": {…}}`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from estate.plant import MACHINES, Machine
from estate.systems import cmms_orders, cmms_plans, webhooks_out
from estate.systems.child import serve_child
from estate.systems.cmms_orders import OrderBook, error
from estate.systems.cmms_plans import PlanBook
from estate.systems.refusal import json_object
from estate.systems.server import SimulatedSystem
from estate.systems.webhooks_out import WebhookSender, WebhookTarget
from estate.technician import Completion, Technician

__all__ = ["CmmsSystem"]


class CmmsSystem(SimulatedSystem):
    """webhook     who is told of completed orders; None: as the database says, `PUT /api/webhook` sets it
    technician  who works on the orders; None: nobody, orders wait for `complete`
    machines    whose assets it knows
    """

    name: ClassVar[str] = "cmms"
    schema: ClassVar[str] = cmms_orders.SCHEMA + cmms_plans.SCHEMA + webhooks_out.SCHEMA
    effects: ClassVar[Sequence[str]] = (
        "work_requests",
        "work_orders",
        "notes",
        "task_updates",
        "completions",
    )
    state: ClassVar[Sequence[str]] = ("deliveries", "plans")

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        webhook: WebhookTarget | None = None,
        technician: Technician | None = None,
        machines: Sequence[Machine] = MACHINES,
        retry_base_s: float = 0.5,
    ) -> None:
        super().__init__(data_dir, port)
        self._webhook = webhook
        self._technician = technician
        self._machines = machines
        self._retry_base_s = retry_base_s

    async def started(self) -> None:
        if self._webhook is not None:
            self.webhooks.aim(self._webhook)
        self.tasks.append(asyncio.create_task(self.webhooks.run(), name="cmms webhooks"))
        if self._technician is not None:
            work = self._technician.work(self.book, self.complete)
            self.tasks.append(asyncio.create_task(work, name="technician"))

    def opened(self) -> None:
        self.book = OrderBook(self.database, self._machines)
        self.plans = PlanBook(self.database)
        self.webhooks = WebhookSender(self.database, retry_base_s=self._retry_base_s)

    def seed(self) -> None:
        self.book.seed()

    async def complete(self, order_no: str, completion: Completion) -> None:
        """The order is DONE and its message on its way, both or neither."""
        with self.database.transaction():
            document = self.book.complete(order_no, completion)
            self.webhooks.enqueue("WORK_ORDER_DONE", document)

    def routes(self) -> list[Route]:
        return [
            Route("/api/assets/{asset_no}", self._asset),
            Route("/api/work-requests", self._open_request, methods=["POST"]),
            Route("/api/work-requests", self._requests, methods=["GET"]),
            Route("/api/work-orders", self._orders, methods=["GET"]),
            Route("/api/work-orders/{order_no}", self._order, methods=["GET"]),
            Route("/api/work-orders/{order_no}/notes", self._add_note, methods=["POST"]),
            Route("/api/notes", self._notes, methods=["GET"]),
            Route("/api/work-orders/{order_no}/task", self._update_task, methods=["PATCH"]),
            Route("/api/task-updates", self._task_updates, methods=["GET"]),
            Route("/api/work-orders/{order_no}/parts-arrived", self._parts_arrived, methods=["POST"]),
            Route("/api/planned-work", self._planned, methods=["GET"]),
            Route("/api/planned-work", self._plan, methods=["POST"]),
            Route("/api/planned-work/{plan_no}", self._cancel, methods=["DELETE"]),
            Route("/api/work-orders/{order_no}/completion", self._complete, methods=["POST"]),
            Route("/api/webhook", self._aim, methods=["PUT"]),
        ]

    async def _asset(self, request: Request) -> Response:
        return JSONResponse(self.book.asset(request.path_params["asset_no"]))

    async def _open_request(self, request: Request) -> Response:
        body = await _complete_object(request, ["assetNo", "symptom", "priority"])
        return JSONResponse(self.book.open_request(body), 201)

    async def _requests(self, request: Request) -> Response:
        return _items(self.book.requests(request.query_params.get("externalRef", "")))

    async def _orders(self, request: Request) -> Response:
        asset_no = request.query_params.get("assetNo", "")
        return _items(self.book.orders(asset_no, request.query_params.get("status") == "open"))

    async def _order(self, request: Request) -> Response:
        return JSONResponse(self.book.order(request.path_params["order_no"]))

    async def _add_note(self, request: Request) -> Response:
        body = await _complete_object(request, ["text"])
        return JSONResponse(self.book.add_note(request.path_params["order_no"], body), 201)

    async def _notes(self, request: Request) -> Response:
        return _items(self.book.notes("external_ref", request.query_params.get("externalRef", "")))

    async def _update_task(self, request: Request) -> Response:
        body = await _complete_object(request, ["status"])
        return JSONResponse(self.book.update_task(request.path_params["order_no"], body))

    async def _task_updates(self, request: Request) -> Response:
        return _items(self.book.task_updates("external_ref", request.query_params.get("externalRef", "")))

    async def _parts_arrived(self, request: Request) -> Response:
        self.book.parts_arrived(request.path_params["order_no"])
        return Response(status_code=204)

    async def _planned(self, request: Request) -> Response:
        asset_no, begin, end = (request.query_params.get(name, "") for name in ("assetNo", "from", "until"))
        self.book.asset(asset_no)
        return _items(self.plans.between(asset_no, begin, end))

    async def _plan(self, request: Request) -> Response:
        body = await _complete_object(request, ["assetNo", "title", "begin", "end"])
        self.book.asset(body["assetNo"])
        planned = self.plans.plan(body["assetNo"], body["title"], body["begin"], body["end"])
        return JSONResponse(planned, 201)

    async def _cancel(self, request: Request) -> Response:
        self.plans.cancel(request.path_params["plan_no"])
        return Response(status_code=204)

    async def _complete(self, request: Request) -> Response:
        try:
            completion = msgspec.json.decode(await request.body(), type=Completion)
        except msgspec.DecodeError as failure:
            raise error(422, "BODY_INVALID", str(failure)) from failure
        await self.complete(request.path_params["order_no"], completion)
        return JSONResponse(self.book.order(request.path_params["order_no"]), 201)

    async def _aim(self, request: Request) -> Response:
        try:
            self.webhooks.aim(msgspec.json.decode(await request.body(), type=WebhookTarget))
        except msgspec.DecodeError as failure:
            raise error(422, "BODY_INVALID", str(failure)) from failure
        return Response(status_code=204)


async def _complete_object(request: Request, required: Sequence[str]) -> dict[str, Any]:
    body, missing = await json_object(request, required)
    if missing:
        raise error(400, "FIELD_MISSING", f"missing: {', '.join(missing)}")
    return body


def _items(items: list[dict[str, Any]]) -> Response:
    return JSONResponse({"items": items, "total": len(items)})


def _system(options: argparse.Namespace) -> CmmsSystem:
    target = None
    if options.webhook:
        secret = os.environ.get("CMMS_WEBHOOK_SECRET", "")
        target = WebhookTarget(url=options.webhook, secret=secret, duplicates=options.duplicates)
    technician = None
    if options.technician_delay_s >= 0:
        technician = Technician(
            delay_s=options.technician_delay_s,
            people=options.technicians,
            parts_arrive_after_s=options.parts_arrive_after_s,
        )
    return CmmsSystem(options.data, options.port, webhook=target, technician=technician)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--webhook", default="", help="URL; the secret is in $CMMS_WEBHOOK_SECRET")
    parser.add_argument("--duplicates", type=int, default=1, help="copies of each webhook")
    parser.add_argument("--technician-delay-s", type=float, default=2.0, help="below 0: no technician")
    parser.add_argument("--technicians", type=int, default=1, help="people who book on each order")
    parser.add_argument("--parts-arrive-after-s", type=float, default=None)


if __name__ == "__main__":
    serve_child(_system, _arguments)
