"""The CMMS's order book: what its tables hold and what may happen to a work order.

A work order is RELEASED when opened, WAITING_PARTS or READY by its task, and DONE when completed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from estate.plant import MACHINES, Machine
from estate.systems.database import Database, Row
from estate.systems.refusal import Refusal
from estate.technician import Completion, WaitingOrder
from lineshaft.core.clock import rfc3339

__all__ = ["SCHEMA", "OrderBook", "error"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS assets (asset_no TEXT PRIMARY KEY, machine_ref TEXT, name TEXT, criticality TEXT,
    cost_centre TEXT);
CREATE TABLE IF NOT EXISTS spares (asset_no TEXT, pos INTEGER, part_no TEXT, qty REAL, uom TEXT);
CREATE TABLE IF NOT EXISTS work_requests (request_no TEXT PRIMARY KEY, asset_no TEXT, symptom TEXT,
    priority TEXT, origin TEXT, broken_since TEXT, external_ref TEXT, work_order_no TEXT, created_at TEXT);
CREATE INDEX IF NOT EXISTS work_requests_ref ON work_requests (external_ref);
CREATE TABLE IF NOT EXISTS work_orders (work_order_no TEXT PRIMARY KEY, request_no TEXT, asset_no TEXT,
    title TEXT, status TEXT, task_remark TEXT, part_lines TEXT, opened_at TEXT, task_at TEXT);
CREATE INDEX IF NOT EXISTS work_orders_asset ON work_orders (asset_no);
CREATE INDEX IF NOT EXISTS work_orders_status ON work_orders (status);
CREATE TABLE IF NOT EXISTS notes (note_no TEXT PRIMARY KEY, work_order_no TEXT, text TEXT, kind TEXT,
    external_ref TEXT, created_at TEXT);
CREATE TABLE IF NOT EXISTS task_updates (update_no TEXT PRIMARY KEY, work_order_no TEXT, status TEXT,
    remark TEXT, part_lines TEXT, external_ref TEXT, created_at TEXT);
CREATE TABLE IF NOT EXISTS completions (work_order_no TEXT PRIMARY KEY, document TEXT, created_at TEXT);
"""
OPEN = ("RELEASED", "WAITING_PARTS", "READY")
TASK_STATUS = {"PARTS_RESERVED": "READY", "PARTS_AWAITED": "WAITING_PARTS"}
PRIORITIES = ("1-URGENT", "2-HIGH", "3-NORMAL", "4-LOW")
CRITICALITY = {1: "A", 2: "B", 3: "C"}
UNITS = {"C62": "EA", "KGM": "KG", "LTR": "L"}


def error(status: int, code: str, text: str) -> Refusal:
    return Refusal(status, {"error": {"code": code, "text": text}})


class OrderBook:
    """changed: set whenever an order's state changes, for whoever waits for work."""

    def __init__(self, database: Database, machines: Sequence[Machine] = MACHINES) -> None:
        self._database = database
        self._machines = machines
        self.changed = asyncio.Event()

    def seed(self) -> None:
        for machine in self._machines:
            self._database.insert(
                "assets",
                {
                    "asset_no": machine.asset,
                    "machine_ref": machine.equipment,
                    "name": machine.name,
                    "criticality": CRITICALITY[machine.criticality],
                    "cost_centre": machine.cost_center,
                },
            )
            for position, part in enumerate(machine.repair_kit, 1):
                line = {"pos": position, "part_no": part.material, "qty": part.quantity}
                self._database.insert("spares", {"asset_no": machine.asset, **line, "uom": UNITS[part.unit]})

    def asset(self, asset_no: str) -> dict[str, Any]:
        found = self._database.row("SELECT * FROM assets WHERE asset_no = ?", asset_no)
        if found is None:
            raise error(404, "ASSET_UNKNOWN", f"asset {asset_no} does not exist")
        spares = self._database.rows("SELECT * FROM spares WHERE asset_no = ? ORDER BY pos", asset_no)
        return {
            "assetNo": asset_no,
            "designation": found["name"],
            "machineRef": found["machine_ref"],
            "criticalityClass": found["criticality"],
            "costCentre": found["cost_centre"],
            "usualSpares": [
                {"pos": part["pos"], "partNo": part["part_no"], "qty": part["qty"], "uom": part["uom"]}
                for part in spares
            ],
        }

    def open_request(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request that becomes an order at once. The external reference may repeat."""
        self.asset(body["assetNo"])
        if body["priority"] not in PRIORITIES:
            raise error(422, "PRIORITY_INVALID", f"priority {body['priority']!r}; one of {PRIORITIES}")
        now = _now()
        with self._database.transaction():
            request_no = self._database.number("WR", 1001)
            order_no = self._database.number("WO", 2001)
            self._database.insert(
                "work_requests",
                {
                    "request_no": request_no,
                    "asset_no": body["assetNo"],
                    "symptom": body["symptom"],
                    "priority": body["priority"],
                    "origin": body.get("origin", "MANUAL"),
                    "broken_since": body.get("brokenSince"),
                    "external_ref": body.get("externalRef"),
                    "work_order_no": order_no,
                    "created_at": now,
                },
            )
            self._database.insert(
                "work_orders",
                {
                    "work_order_no": order_no,
                    "request_no": request_no,
                    "asset_no": body["assetNo"],
                    "title": body["symptom"],
                    "status": "RELEASED",
                    "task_remark": "",
                    "part_lines": "[]",
                    "opened_at": now,
                    "task_at": now,
                },
            )
        return self._request(self._must("work_requests", "request_no", request_no))

    def requests(self, external_ref: str) -> list[dict[str, Any]]:
        found = self._database.rows(
            "SELECT * FROM work_requests WHERE external_ref = ? ORDER BY rowid", external_ref
        )
        return [self._request(row) for row in found]

    def orders(self, asset_no: str, open_only: bool) -> list[dict[str, Any]]:
        self.asset(asset_no)
        found = self._database.rows("SELECT * FROM work_orders WHERE asset_no = ? ORDER BY rowid", asset_no)
        return [self._order(row) for row in found if row["status"] in OPEN or not open_only]

    def order(self, order_no: str) -> dict[str, Any]:
        row = self._must("work_orders", "work_order_no", order_no)
        completed = self._database.row("SELECT * FROM completions WHERE work_order_no = ?", order_no)
        document = {**self._order(row), "task": {"remark": row["task_remark"]}}
        document["task"]["partLines"] = msgspec.json.decode(row["part_lines"])
        document["notes"] = self.notes("work_order_no", order_no)
        document["completion"] = msgspec.json.decode(completed["document"]) if completed else None
        return document

    def add_note(self, order_no: str, body: dict[str, Any]) -> dict[str, Any]:
        self._open_order(order_no)
        with self._database.transaction():
            note_no = self._database.number("N", 1)
            self._database.insert(
                "notes",
                {
                    "note_no": note_no,
                    "work_order_no": order_no,
                    "text": body["text"],
                    "kind": body.get("kind", "REMARK"),
                    "external_ref": body.get("externalRef"),
                    "created_at": _now(),
                },
            )
        return self.notes("note_no", note_no)[0]

    def notes(self, column: str, value: str) -> list[dict[str, Any]]:
        found = self._database.rows(f"SELECT * FROM notes WHERE {column} = ? ORDER BY rowid", value)  # noqa: S608
        return [
            {
                "noteNo": row["note_no"],
                "workOrderNo": row["work_order_no"],
                "text": row["text"],
                "kind": row["kind"],
                "externalRef": row["external_ref"],
            }
            for row in found
        ]

    def update_task(self, order_no: str, body: dict[str, Any]) -> dict[str, Any]:
        self._open_order(order_no)
        status = TASK_STATUS.get(body["status"])
        if status is None:
            raise error(422, "TASK_STATUS_INVALID", f"{body['status']!r}; one of {tuple(TASK_STATUS)}")
        lines, now = msgspec.json.encode(body.get("partLines") or []).decode(), _now()
        with self._database.transaction():
            update_no = self._database.number("TU", 1)
            self._database.insert(
                "task_updates",
                {
                    "update_no": update_no,
                    "work_order_no": order_no,
                    "status": body["status"],
                    "remark": body.get("remark", ""),
                    "part_lines": lines,
                    "external_ref": body.get("externalRef"),
                    "created_at": now,
                },
            )
            self._database.execute(
                "UPDATE work_orders SET status = ?, task_remark = ?, part_lines = ?, task_at = ?"
                " WHERE work_order_no = ?",
                status,
                body.get("remark", ""),
                lines,
                now,
                order_no,
            )
        self.changed.set()
        return self.task_updates("update_no", update_no)[0]

    def task_updates(self, column: str, value: str) -> list[dict[str, Any]]:
        found = self._database.rows(
            f"SELECT * FROM task_updates WHERE {column} = ? ORDER BY rowid",  # noqa: S608
            value,
        )
        return [
            {
                "updateNo": row["update_no"],
                "workOrderNo": row["work_order_no"],
                "status": row["status"],
                "remark": row["remark"],
                "partLines": msgspec.json.decode(row["part_lines"]),
                "externalRef": row["external_ref"],
            }
            for row in found
        ]

    def parts_arrived(self, order_no: str) -> None:
        """The storekeeper has put the awaited parts on the bench."""
        self._open_order(order_no)
        with self._database.transaction():
            self._database.execute(
                "UPDATE work_orders SET status = 'READY', task_at = ? WHERE work_order_no = ?"
                " AND status = 'WAITING_PARTS'",
                _now(),
                order_no,
            )
        self.changed.set()

    def waiting_orders(self) -> list[WaitingOrder]:
        found = self._database.rows(
            "SELECT * FROM work_orders WHERE status IN ('READY', 'WAITING_PARTS') ORDER BY task_at"
        )
        return [
            WaitingOrder(
                number=row["work_order_no"],
                ready=row["status"] == "READY",
                since=datetime.fromisoformat(row["task_at"]),
                part_lines=msgspec.json.decode(row["part_lines"]),
            )
            for row in found
        ]

    def complete(self, order_no: str, completion: Completion) -> dict[str, Any]:
        """Inside a transaction of the caller, who tells the world in the same one. Once only."""
        row = self._open_order(order_no)
        parts = [
            {"issueNo": self._database.number("ISS", 3001), **msgspec.to_builtins(part)}
            for part in completion.parts_used
        ]
        document = {
            "workOrderNo": order_no,
            "requestNo": row["request_no"],
            "assetNo": row["asset_no"],
            "startedAt": completion.started_at,
            "finishedAt": completion.finished_at,
            "causeCode": completion.cause_code,
            "remedyCode": completion.remedy_code,
            "labour": [msgspec.to_builtins(booking) for booking in completion.labour],
            "partsUsed": parts,
        }
        self._database.insert(
            "completions",
            {
                "work_order_no": order_no,
                "document": msgspec.json.encode(document).decode(),
                "created_at": _now(),
            },
        )
        self._database.execute("UPDATE work_orders SET status = 'DONE' WHERE work_order_no = ?", order_no)
        return document

    def _open_order(self, order_no: str) -> Row:
        row = self._must("work_orders", "work_order_no", order_no)
        if row["status"] not in OPEN:
            raise error(409, "ORDER_CLOSED", f"work order {order_no} is {row['status']}")
        return row

    def _must(self, table: str, column: str, number: str) -> Row:
        found = self._database.row(f"SELECT * FROM {table} WHERE {column} = ?", number)  # noqa: S608
        if found is None:
            raise error(404, "ORDER_UNKNOWN", f"{number} does not exist")
        return found

    @staticmethod
    def _request(row: Row) -> dict[str, Any]:
        return {
            "requestNo": row["request_no"],
            "workOrderNo": row["work_order_no"],
            "assetNo": row["asset_no"],
            "priority": row["priority"],
            "status": "CONVERTED",
            "externalRef": row["external_ref"],
            "createdAt": row["created_at"],
        }

    @staticmethod
    def _order(row: Row) -> dict[str, Any]:
        return {
            "workOrderNo": row["work_order_no"],
            "requestNo": row["request_no"],
            "assetNo": row["asset_no"],
            "title": row["title"],
            "status": row["status"],
            "openedAt": row["opened_at"],
        }


def _now() -> str:
    return rfc3339(datetime.now(UTC))
