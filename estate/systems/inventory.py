"""The warehouse system, "StoreKeeper WMS".

    GET   /v1/stock?sku=&facility=      {"sku", "facility", "onHand", "allocated", "uom", "rop", "roq",
                                         "ledgerSeq", "asOf"}
    POST  /v1/allocations               {"sku", "facility", "qty", "uom", "demandRef", "demandLine",
                                         "neededBy", "externalRef"}
                                        → 201 {"allocationId": "AL-5001", "status": "ALLOCATED", …}
    GET   /v1/allocations?externalRef=  {"results": […]}
    POST  /v1/allocations/{id}/pick     {"qty", "externalRef"} → {"pickId", "status": "PICKED"}
    GET   /v1/picks?externalRef=
    POST  /v1/allocations/{id}/release  {"externalRef"} → {"releaseId", "allocationId", "status": "CANCELLED"}
    GET   /v1/releases?externalRef=
    PUT   /v1/stock/{sku}/ledger        {"facility", "onHand", "uom", "sourceSeq", "asOf", "externalRef"}
    GET   /v1/ledger-updates?externalRef=

`onHand` mirrors the ERP's book stock: only the ledger update changes it, and one whose `sourceSeq` is not
newer than the last is answered `"applied": false` and ignored, which makes it idempotent by nature. A pick
or a release ends its allocation and leaves `onHand` alone; a second one is refused, as the allocation is
closed. An allocation's `externalRef` is stored and searchable, not unique: a repeated POST promises the stock
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from estate.plant import STOCK
from estate.systems.child import serve_child
from estate.systems.database import Row
from estate.systems.refusal import Refusal, json_object
from estate.systems.server import SimulatedSystem
from lineshaft.core.clock import rfc3339

__all__ = ["InventorySystem"]

FACILITY = "LEJ1"
UNITS = {"C62": "EA", "KGM": "KG", "LTR": "L"}
SCHEMA = """
CREATE TABLE IF NOT EXISTS stock (sku TEXT, facility TEXT, on_hand REAL, uom TEXT,
    reorder_point REAL, reorder_quantity REAL, ledger_seq TEXT, as_of TEXT, PRIMARY KEY (sku, facility));
CREATE TABLE IF NOT EXISTS allocations (allocation_id TEXT PRIMARY KEY, sku TEXT, facility TEXT,
    qty REAL, uom TEXT, demand_ref TEXT, demand_line INTEGER, needed_by TEXT,
    status TEXT, external_ref TEXT, created_at TEXT);
CREATE INDEX IF NOT EXISTS allocations_ref ON allocations (external_ref);
CREATE TABLE IF NOT EXISTS picks (pick_id TEXT PRIMARY KEY, allocation_id TEXT, qty REAL, external_ref TEXT,
    created_at TEXT);
CREATE TABLE IF NOT EXISTS releases (release_id TEXT PRIMARY KEY, allocation_id TEXT, external_ref TEXT,
    created_at TEXT);
CREATE TABLE IF NOT EXISTS ledger_updates (update_id TEXT PRIMARY KEY, sku TEXT, facility TEXT, on_hand REAL,
    uom TEXT, source_seq TEXT, as_of TEXT, applied INTEGER, external_ref TEXT);
"""


class InventorySystem(SimulatedSystem):
    name: ClassVar[str] = "inventory"
    schema: ClassVar[str] = SCHEMA
    effects: ClassVar[Sequence[str]] = ("allocations", "picks", "releases", "ledger_updates")
    state: ClassVar[Sequence[str]] = ("stock",)

    def seed(self) -> None:
        for item in STOCK:
            self.database.insert(
                "stock",
                {
                    "sku": item.material,
                    "facility": FACILITY,
                    "on_hand": item.on_hand,
                    "uom": UNITS[item.unit],
                    "reorder_point": item.reorder_point,
                    "reorder_quantity": item.reorder_quantity,
                    "ledger_seq": "0",
                    "as_of": _now(),
                },
            )

    def routes(self) -> list[Route]:
        return [
            Route("/v1/stock", self._stock_of, methods=["GET"]),
            Route("/v1/allocations", self._allocate, methods=["POST"]),
            Route("/v1/allocations", self._allocations, methods=["GET"]),
            Route("/v1/allocations/{allocation_id}/pick", self._pick, methods=["POST"]),
            Route("/v1/picks", self._picks, methods=["GET"]),
            Route("/v1/allocations/{allocation_id}/release", self._release, methods=["POST"]),
            Route("/v1/releases", self._releases, methods=["GET"]),
            Route("/v1/stock/{sku}/ledger", self._update_ledger, methods=["PUT"]),
            Route("/v1/ledger-updates", self._ledger_updates, methods=["GET"]),
        ]

    async def _stock_of(self, request: Request) -> Response:
        sku, facility = request.query_params.get("sku", ""), request.query_params.get("facility", "")
        stock = self._stock(sku, facility)
        return JSONResponse(
            {
                "sku": sku,
                "facility": facility,
                "onHand": stock["on_hand"],
                "allocated": self._allocated(sku, facility),
                "uom": stock["uom"],
                "rop": stock["reorder_point"],
                "roq": stock["reorder_quantity"],
                "ledgerSeq": stock["ledger_seq"],
                "asOf": stock["as_of"],
            }
        )

    async def _allocate(self, request: Request) -> Response:
        body = await _complete_object(request, ["sku", "facility", "qty", "uom", "demandRef"])
        stock = self._stock(body["sku"], body["facility"])
        _same_unit(body, stock)
        free = stock["on_hand"] - self._allocated(body["sku"], body["facility"])
        if body["qty"] > free:
            raise _refusal(409, "INSUFFICIENT_STOCK", f"{body['sku']}: {free:g} {stock['uom']} free")
        with self.database.transaction():
            allocation_id = self.database.number("AL", 5001)
            self.database.insert(
                "allocations",
                {
                    "allocation_id": allocation_id,
                    "sku": body["sku"],
                    "facility": body["facility"],
                    "qty": body["qty"],
                    "uom": body["uom"],
                    "demand_ref": body["demandRef"],
                    "demand_line": body.get("demandLine"),
                    "needed_by": body.get("neededBy"),
                    "status": "ALLOCATED",
                    "external_ref": body.get("externalRef"),
                    "created_at": _now(),
                },
            )
        return JSONResponse(_allocation(self._must_allocation(allocation_id)), 201)

    async def _allocations(self, request: Request) -> Response:
        found = self._by_reference("allocations", request)
        return JSONResponse({"results": [_allocation(row) for row in found]})

    async def _pick(self, request: Request) -> Response:
        body = await _complete_object(request, ["qty"])
        allocation = self._open_allocation(request.path_params["allocation_id"])
        with self.database.transaction():
            pick = {
                "pick_id": self.database.number("PK", 1),
                "allocation_id": allocation["allocation_id"],
                "qty": body["qty"],
                "external_ref": body.get("externalRef"),
                "created_at": _now(),
            }
            self.database.insert("picks", pick)
            self.database.execute(
                "UPDATE allocations SET status = 'PICKED' WHERE allocation_id = ?", pick["allocation_id"]
            )
        return JSONResponse(_pick(pick))

    async def _picks(self, request: Request) -> Response:
        found = self._by_reference("picks", request)
        return JSONResponse({"results": [_pick(row) for row in found]})

    async def _release(self, request: Request) -> Response:
        body = await _complete_object(request, [])
        allocation = self._open_allocation(request.path_params["allocation_id"])
        with self.database.transaction():
            release = {
                "release_id": self.database.number("RL", 1),
                "allocation_id": allocation["allocation_id"],
                "external_ref": body.get("externalRef"),
                "created_at": _now(),
            }
            self.database.insert("releases", release)
            self.database.execute(
                "UPDATE allocations SET status = 'CANCELLED' WHERE allocation_id = ?",
                release["allocation_id"],
            )
        return JSONResponse(_released(release))

    async def _releases(self, request: Request) -> Response:
        found = self._by_reference("releases", request)
        return JSONResponse({"results": [_released(row) for row in found]})

    async def _update_ledger(self, request: Request) -> Response:
        body = await _complete_object(request, ["facility", "onHand", "uom", "sourceSeq"])
        sku = request.path_params["sku"]
        stock = self._stock(sku, body["facility"])
        _same_unit(body, stock)
        newer = _order(body["sourceSeq"]) > _order(stock["ledger_seq"])
        with self.database.transaction():
            update = {
                "update_id": self.database.number("LU", 1),
                "sku": sku,
                "facility": body["facility"],
                "on_hand": body["onHand"],
                "uom": body["uom"],
                "source_seq": body["sourceSeq"],
                "as_of": body.get("asOf"),
                "applied": int(newer),
                "external_ref": body.get("externalRef"),
            }
            self.database.insert("ledger_updates", update)
            if newer:
                self.database.execute(
                    "UPDATE stock SET on_hand = ?, ledger_seq = ?, as_of = ? WHERE sku = ? AND facility = ?",
                    body["onHand"],
                    body["sourceSeq"],
                    body.get("asOf"),
                    sku,
                    body["facility"],
                )
        return JSONResponse(_update(update))

    async def _ledger_updates(self, request: Request) -> Response:
        found = self._by_reference("ledger_updates", request)
        return JSONResponse({"results": [_update(row) for row in found]})

    def _by_reference(self, table: str, request: Request) -> list[Row]:
        return self.database.rows(
            f"SELECT * FROM {table} WHERE external_ref = ? ORDER BY rowid",  # noqa: S608 - our own names
            request.query_params.get("externalRef", ""),
        )

    def _stock(self, sku: str, facility: str) -> Row:
        found = self.database.row("SELECT * FROM stock WHERE sku = ? AND facility = ?", sku, facility)
        if found is None:
            raise _refusal(404, "SKU_NOT_STOCKED", f"{sku!r} is not stocked at {facility!r}")
        return found

    def _allocated(self, sku: str, facility: str) -> float:
        row = self.database.row(
            "SELECT COALESCE(SUM(qty), 0) AS total FROM allocations"
            " WHERE sku = ? AND facility = ? AND status = 'ALLOCATED'",
            sku,
            facility,
        )
        return 0.0 if row is None else float(row["total"])

    def _open_allocation(self, allocation_id: str) -> Row:
        found = self._must_allocation(allocation_id)
        if found["status"] != "ALLOCATED":
            raise _refusal(409, "ALLOCATION_CLOSED", f"{allocation_id} {found['status']}")
        return found

    def _must_allocation(self, allocation_id: str) -> Row:
        found = self.database.row("SELECT * FROM allocations WHERE allocation_id = ?", allocation_id)
        if found is None:
            raise _refusal(404, "ALLOCATION_UNKNOWN", f"{allocation_id} does not exist")
        return found


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"code": code, "message": message})


async def _complete_object(request: Request, required: Sequence[str]) -> dict[str, Any]:
    body, missing = await json_object(request, required)
    if missing:
        raise _refusal(400, "BAD_BODY", f"missing: {', '.join(missing)}")
    return body


def _same_unit(body: dict[str, Any], stock: Row) -> None:
    if body["uom"] != stock["uom"]:
        raise _refusal(422, "UOM_MISMATCH", f"{stock['sku']} is kept in {stock['uom']}, not {body['uom']}")


def _order(sequence: str) -> tuple[int, str]:
    """Numbers by value, text of equal length by text."""
    digits = str(sequence).lstrip("0")
    return (len(digits), digits)


def _allocation(row: Row) -> dict[str, Any]:
    return {
        "allocationId": row["allocation_id"],
        "sku": row["sku"],
        "facility": row["facility"],
        "qty": row["qty"],
        "uom": row["uom"],
        "demandRef": row["demand_ref"],
        "demandLine": row["demand_line"],
        "status": row["status"],
        "externalRef": row["external_ref"],
    }


def _pick(row: Row) -> dict[str, Any]:
    return {
        "pickId": row["pick_id"],
        "allocationId": row["allocation_id"],
        "qty": row["qty"],
        "status": "PICKED",
        "externalRef": row["external_ref"],
    }


def _released(row: Row) -> dict[str, Any]:
    return {
        "releaseId": row["release_id"],
        "allocationId": row["allocation_id"],
        "status": "CANCELLED",
        "externalRef": row["external_ref"],
    }


def _update(row: Row) -> dict[str, Any]:
    return {
        "updateId": row["update_id"],
        "sku": row["sku"],
        "onHand": row["on_hand"],
        "sourceSeq": row["source_seq"],
        "applied": bool(row["applied"]),
        "externalRef": row["external_ref"],
    }


def _now() -> str:
    return rfc3339(datetime.now(UTC))


if __name__ == "__main__":
    serve_child(lambda options: InventorySystem(options.data, options.port))
