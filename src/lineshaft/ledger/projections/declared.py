"""The projections there are: which events each takes, and how its rows lie in their table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Table

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.ledger.projections import assets, orders, places, quality, stock
from lineshaft.ledger.projections.folding import Fact, Row, RowKey, row_doc
from lineshaft.ledger.projections.told import Told
from lineshaft.store.schema import (
    asset_status,
    equipment_places,
    order_status,
    quality_lots,
    quality_outcomes,
    stock_levels,
)

__all__ = ["LAYOUTS", "Layout", "facts_of", "is_projected"]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """key: columns of the row's own key, in the order of RowKey; columns: what else is asked for, by row."""

    table: Table
    key: tuple[str, ...] = ("id",)
    columns: Callable[[Row], dict[str, str]] = lambda _: {}

    def key_row(self, row: RowKey) -> dict[str, str]:
        return dict(zip(self.key, row[2:], strict=True)) | {"plant": row[1]}

    def key_of(self, found: Any) -> RowKey:
        return (self.table.name, found.plant, *(getattr(found, name) for name in self.key))

    def table_row(self, key: RowKey, row: Row) -> dict[str, Any]:
        return self.key_row(key) | self.columns(row) | {"at": row.at, "doc": row_doc(row)}


LAYOUTS: Mapping[str, Layout] = {
    orders.NAME: Layout(table=order_status, columns=lambda row: {"state": orders.state_of(row)}),
    assets.NAME: Layout(table=asset_status, columns=assets.columns_of),
    places.NAME: Layout(table=equipment_places),
    stock.NAME: Layout(table=stock_levels, key=("material_definition_id", "site")),
    quality.LOTS: Layout(table=quality_lots, columns=lambda row: {"state": quality.lot_state(row)}),
    quality.OUTCOMES: Layout(table=quality_outcomes, key=("id", "kind"), columns=quality.outcome_columns),
}

_TAKERS: tuple[tuple[frozenset[str], Callable[[Told], Iterable[Fact]]], ...] = (
    (orders.TYPES, orders.facts),
    (stock.TYPES, stock.facts),
    (quality.TYPES, quality.facts),
    (places.TYPES, places.facts),
)


def is_projected(contract: EventContract[Any]) -> bool:
    if contract.eventclass not in (EventClass.OPERATIONAL, EventClass.TRANSACTIONAL):
        return False
    return contract.type.startswith(assets.TYPES_BEGIN) or any(contract.type in types for types, _ in _TAKERS)


def facts_of(told: Told) -> list[Fact]:
    """What an event that keeps its contract says."""
    type = told.event.type
    found = list(assets.facts(told)) if type.startswith(assets.TYPES_BEGIN) else []
    for types, facts in _TAKERS:
        if type in types:
            found += facts(told)
    return found
