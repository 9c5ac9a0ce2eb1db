"""Canonical requests as Tryton documents: the arguments of `lineshaft.posting.post`.

Every document carries `<idempotency key> <business reference>` in its own reference or description field.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from lineshaft.connectors.tryton.settings import TrytonSettings
from lineshaft.core.errors import BusinessFault
from lineshaft.core.ids import fingerprint
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value
from lineshaft.model.finance import LabourPosting
from lineshaft.model.inventory import ConsumptionPosting
from lineshaft.model.procurement import PurchaseRequisition

__all__ = [
    "consumption",
    "fingerprint_of",
    "labour_cost",
    "quantity_of",
    "requisition",
    "storage_of",
]

Document = dict[str, Any]

# UNECE Rec 20 code: Tryton's symbol
SYMBOLS = {
    "C62": "u",
    "H87": "u",
    "KGM": "kg",
    "GRM": "g",
    "LTR": "l",
    "MTQ": "m³",
    "SEC": "s",
    "MIN": "min",
    "HUR": "h",
}
CODES = {symbol: code for code, symbol in SYMBOLS.items() if code != "H87"}


def requisition(settings: TrytonSettings, key: str, request: PurchaseRequisition) -> Document:
    """A purchase requisition, approved and processed, so that purchasing finds its requests."""
    storage_of(settings, request.site)
    line = {
        "product": _find("product.product", code=request.material_definition_id),
        "quantity": float(request.quantity.value),
        "unit": _unit(request.quantity.unit),
    }
    values = {
        "description": f"{key} {request.reference}",
        "supply_date": _date(request.required_date),
        "lines": [["create", [line]]],
    }
    return _document(key, request, "purchase.requisition", values, ["wait", "approve", "process"])


def consumption(settings: TrytonSettings, key: str, request: ConsumptionPosting) -> Document:
    """An internal shipment out of the site's storage, done; first assigned, so that missing stock is refused.

    raises  BusinessFault(invalid_lot): this ERP keeps no lots
    """
    if request.material_lot_id:
        raise BusinessFault(
            f"lot {request.material_lot_id} of {request.material_definition_id}: this ERP keeps no lots",
            code="invalid_lot",
            owner="warehouse",
        )
    places = {
        "from_location": _find("stock.location", code=storage_of(settings, request.site)),
        "to_location": _find("stock.location", code=settings.consumption_location),
    }
    move = {
        "product": _find("product.product", code=request.material_definition_id),
        "quantity": float(request.quantity.value),
        "unit": _unit(request.quantity.unit),
        **places,
    }
    values = {
        "reference": f"{key} {request.maintenance_order_id}",
        "effective_date": _date(request.posting_date),
        "moves": [["create", [move]]],
        **places,
    }
    return _document(key, request, "stock.shipment.internal", values, ["wait", "assign_try", "do"])


def labour_cost(settings: TrytonSettings, key: str, request: LabourPosting) -> Document:
    """A posted account move: debit labour, credit clearing.

    raises  BusinessFault(mapping_error) when the amount is not in the company's currency
    """
    if request.currency != settings.currency:
        raise BusinessFault(
            f"labour of {request.maintenance_order_id} is in {request.currency}, not {settings.currency}",
            code="mapping_error",
            owner="finance",
        )
    text = f"{request.operation} {request.person_id} {request.hours} h, cost centre {request.cost_center}"
    lines = [
        _line(settings.labour_account, text, debit=request.amount),
        _line(settings.clearing_account, text, credit=request.amount),
    ]
    values = {
        "journal": _find("account.journal", code=settings.journal),
        "date": _date(request.posting_date),
        "description": f"{key} {request.maintenance_order_id}",
        "lines": [["create", lines]],
    }
    return _document(key, request, "account.move", values, ["post"])


def fingerprint_of(request: Value) -> str:
    return fingerprint(msgspec.json.encode(request, order="deterministic"))


def storage_of(settings: TrytonSettings, site: str) -> str:
    """Code of the location that holds the site's stock. raises BusinessFault(unknown_reference)"""
    try:
        return settings.storage[site]
    except KeyError:
        known = ", ".join(settings.storage)
        raise BusinessFault(
            f"site {site!r} has no storage location; known sites: {known}", code="unknown_reference"
        ) from None


def quantity_of(value: float, symbol: str) -> Quantity:
    """A quantity that Tryton gave. raises BusinessFault(mapping_error) for a unit without Rec 20 code here"""
    try:
        return Quantity(value=Decimal(str(value)).normalize() + 0, unit=CODES[symbol])
    except KeyError:
        raise BusinessFault(
            f"Tryton's unit {symbol!r} has no Rec 20 code here", code="mapping_error"
        ) from None


def _document(key: str, request: Value, model: str, values: Document, buttons: list[str]) -> Document:
    return {
        "key": key,
        "fingerprint": fingerprint_of(request),
        "model": model,
        "values": values,
        "buttons": buttons,
    }


def _line(account: str, text: str, *, debit: Decimal = Decimal(0), credit: Decimal = Decimal(0)) -> Document:
    return {
        "account": _find("account.account", code=account),
        "description": text,
        "debit": _decimal(debit),
        "credit": _decimal(credit),
    }


def _unit(code: str) -> Document:
    try:
        return _find("product.uom", symbol=SYMBOLS[code])
    except KeyError:
        raise BusinessFault(f"unit {code!r} is not kept in Tryton", code="mapping_error") from None


def _find(model: str, **fields: str) -> Document:
    """A reference by business key, resolved by the server module in the posting's transaction."""
    return {"$find": model, **fields}


def _date(value: date) -> Document:
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}


def _decimal(value: Decimal) -> Document:
    return {"__class__": "Decimal", "decimal": str(value)}
