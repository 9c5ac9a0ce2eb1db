"""The ERP's own view: arrange stock, and count what was posted, without the product's connector.

Plain REST as the auditor. Receipts and stock corrections never show among consumptions: those are done
movements into MNT, and corrections go to Lost and Found.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from estate.erp.server import TrytonServer

__all__ = ["Books"]

Row = dict[str, Any]
TIMEOUT_S = 60


class Books:
    """Look-ups and arrangements in one running ERP; all raise aiohttp.ClientError when it is down."""

    def __init__(self, server: TrytonServer) -> None:
        self._server = server

    async def set_stock(self, material: str, quantity: float) -> None:
        """Make `quantity`, in the material's own unit, the stock on hand in STO, by an inventory."""
        async with self._session() as erp:
            product = await erp.one("product.product", "code", material)
            storage = await erp.one("stock.location", "code", "STO")
            values = {
                "location": storage["id"],
                "company": 1,
                "lines": [["create", [{"product": product["id"], "quantity": quantity}]]],
            }
            inventory = await erp.post("stock.inventory", values)
            await erp.post(f"stock.inventory/{inventory['id']}/confirm", {})

    async def receive(self, material: str, quantity: float, reference: str = "") -> str:
        """A goods receipt from SUP-100 into STO; returns its document number."""
        async with self._session() as erp:
            product = await erp.one("product.product", "code", material, "default_uom", "cost_price")
            supplier = await erp.one("party.party", "code", "SUP-100")
            source = await erp.one("stock.location", "type", "supplier")
            places = ("input_location", "storage_location")
            warehouse = await erp.one("stock.location", "type", "warehouse", *places)
            company = (await erp.find("company.company", [], "currency"))[0]
            move = {
                "product": product["id"],
                "unit": product["default_uom"],
                "quantity": quantity,
                "from_location": source["id"],
                "to_location": warehouse["input_location"],
                "unit_price": product["cost_price"],
                "currency": company["currency"],
                "company": company["id"],
            }
            values = {
                "reference": reference or f"DN-{uuid.uuid4().hex[:8]}",
                "supplier": supplier["id"],
                "warehouse": warehouse["id"],
                "warehouse_input": warehouse["input_location"],
                "warehouse_storage": warehouse["storage_location"],
                "company": company["id"],
                "incoming_moves": [["create", [move]]],
            }
            receipt = await erp.post("stock.shipment.in", values, "number")
            for button in ("receive", "do"):
                await erp.post(f"stock.shipment.in/{receipt['id']}/{button}", {})
            return str(receipt["number"])

    async def stock_on_hand(self, material: str) -> float:
        """What lies in STO at the end of the company's day, in the material's own unit."""
        async with self._session() as erp:
            storage = await erp.one("stock.location", "code", "STO")
            company = (await erp.find("company.company", [], "timezone"))[0]
            today = datetime.now(ZoneInfo(company["timezone"])).date()
            context = {
                "locations": [storage["id"]],
                "with_childs": True,
                "stock_date_end": {
                    "__class__": "date",
                    "year": today.year,
                    "month": today.month,
                    "day": today.day,
                },
            }
            product = await erp.one("product.product", "code", material, "quantity", context=context)
            return float(product["quantity"])

    async def requisitions(self) -> list[Row]:
        """{number, key, reference, material, quantity, state, requests: states of the purchase requests}."""
        async with self._session() as erp:
            fields = ("number", "description", "state", "lines.product.code", "lines.quantity")
            rows = await erp.find("purchase.requisition", [], *fields, "lines.purchase_requests.state")
        return [
            {
                "number": row["number"],
                **_reference(row["description"]),
                "material": line["product"]["code"],
                "quantity": line["quantity"],
                "state": row["state"],
                "requests": [request["state"] for request in line["purchase_requests"]],
            }
            for row in rows
            for line in row["lines"]
        ]

    async def consumptions(self) -> list[Row]:
        """Done movements into MNT: {number, key, reference, material, quantity, cost_price, date, state}."""
        async with self._session() as erp:
            rows = await erp.find(
                "stock.move",
                [["to_location.code", "=", "MNT"], ["state", "=", "done"]],
                *("shipment", "product.code", "quantity", "cost_price", "effective_date", "state"),
            )
            documents = {
                f"stock.shipment.internal,{row['id']}": row
                for row in await erp.find("stock.shipment.internal", [], "number", "reference")
            }
        return [
            {
                "number": documents.get(row["shipment"], {}).get("number"),
                **_reference(documents.get(row["shipment"], {}).get("reference")),
                "material": row["product"]["code"],
                "quantity": row["quantity"],
                "cost_price": row["cost_price"]["decimal"],
                "date": _iso(row["effective_date"]),
                "state": row["state"],
            }
            for row in rows
        ]

    async def labour_costs(self) -> list[Row]:
        """Debits of posted moves of journal MNT: {number, key, reference, account, amount, date, state}."""
        async with self._session() as erp:
            rows = await erp.find(
                "account.move",
                [["journal.code", "=", "MNT"], ["state", "=", "posted"]],
                *("number", "description", "date", "state", "lines.account.code", "lines.debit"),
            )
        return [
            {
                "number": row["number"],
                **_reference(row["description"]),
                "account": line["account"]["code"],
                "amount": line["debit"]["decimal"],
                "date": _iso(row["date"]),
                "state": row["state"],
            }
            for row in rows
            for line in row["lines"]
            if float(line["debit"]["decimal"])
        ]

    async def postings(self) -> list[Row]:
        """All that went through lineshaft's door: {key, record, number}."""
        async with self._session() as erp:
            return await erp.find("lineshaft.posting", [], "key", "record", "number")

    def _session(self) -> _Rest:
        return _Rest(self._server)


class _Rest:
    """One HTTP session as the auditor."""

    def __init__(self, server: TrytonServer) -> None:
        self._session = aiohttp.ClientSession(
            base_url=f"{server.url}/erp/rest/model/",
            headers={"Authorization": f"Bearer {server.auditor_key}"},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )

    async def __aenter__(self) -> _Rest:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def find(
        self, model: str, domain: Sequence[Any], *fields: str, context: dict[str, Any] | None = None
    ) -> list[Row]:
        query = [
            ("d", _encoded(domain)),
            ("o", _encoded([["id", "ASC"]])),
            *(("f", field) for field in fields),
        ]
        async with self._session.get(model, params=query, headers=_context(context)) as answer:
            rows: list[Row] = await _checked(answer)
            return rows

    async def one(
        self, model: str, field: str, value: str, *fields: str, context: dict[str, Any] | None = None
    ) -> Row:
        rows = await self.find(model, [[field, "=", value]], field, *fields, context=context)
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} records of {model} with {field} {value!r}")
        return rows[0]

    async def post(self, path: str, values: dict[str, Any], *fields: str) -> Row:
        query = [("f", field) for field in ("id", *fields)]
        async with self._session.post(path, params=query, json=values, headers=_context({})) as answer:
            row: Row = await _checked(answer)
            return row


async def _checked(answer: aiohttp.ClientResponse) -> Any:
    if answer.status >= 400:
        raise aiohttp.ClientError(f"{answer.method} {answer.url}: {answer.status} {await answer.text()}")
    return await answer.json(content_type=None)


def _context(more: dict[str, Any] | None) -> dict[str, str]:
    """`company` decides sequences and cost prices; the warning that an inventory may raise is accepted."""
    return {"X-Tryton-Context": _encoded({"company": 1, "_skip_warnings": True, **(more or {})})}


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _reference(text: str | None) -> Row:
    """Documents of lineshaft carry `<idempotency key> <business reference>`."""
    key, _, reference = (text or "").partition(" ")
    return {"key": key, "reference": reference}


def _iso(value: dict[str, int]) -> str:
    return f"{value['year']:04}-{value['month']:02}-{value['day']:02}"
