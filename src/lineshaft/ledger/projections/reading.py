"""What consumer APIs ask of the projections: a row by its key, or a page of rows, of some plants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, select, tuple_

from lineshaft.contracts.consumer import (
    AssetEvent,
    AssetStatus,
    LotQuality,
    OrderStatus,
    QualityOutcome,
    StockLevel,
)
from lineshaft.core.clock import Clock
from lineshaft.ledger.projections.folding import Row, latest
from lineshaft.ledger.projections.marks import Lag
from lineshaft.ledger.projections.told import key_text
from lineshaft.ledger.projections.views import (
    asset_view,
    lot_view,
    order_view,
    outcome_view,
    stock_view,
)
from lineshaft.store import Store
from lineshaft.store.schema import (
    asset_events,
    asset_status,
    order_status,
    quality_lots,
    quality_outcomes,
    stock_levels,
)
from lineshaft.store.statements import rows_at

__all__ = ["ProjectionReads"]

Place = tuple[str, ...]
Plants = Collection[str] | None
_ROW = msgspec.json.Decoder(Row)


class ProjectionReads:
    """Implements gateway.consumer_api.ConsumerReads.

    plants  None: every one. Where a key is in several, the row of the plant that comes first in `prefer` or
            by name is the one.
    after   key of the last row of the page before; empty for the first page
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lag = Lag(store, clock)

    async def behind_s(self) -> float:
        return await self._lag.seconds()

    async def order(self, id: str, plants: Plants, prefer: str) -> OrderStatus | None:
        asked = _of_key(order_status, {"id": id}, plants)
        found = _preferred(await self._rows(asked), prefer)
        return await self._order(found) if found else None

    async def orders(
        self, plants: Plants, *, state: str = "", after: Place = (), limit: int
    ) -> tuple[list[OrderStatus], Place]:
        wanted = [order_status.c.state == key_text(state)] if state else []
        asked = _Page(order_status, ("plant", "id"), wanted, plants, after, limit)
        rows, more = await self._store.read(asked.take)
        return [await self._order(row) for row in rows], more

    async def asset(self, id: str, plants: Plants, prefer: str) -> AssetStatus | None:
        """With what is known under the other id: of the equipment, or of the physical asset in it."""

        def question(connection: Connection) -> tuple[Any, list[Row]] | None:
            asked = _of_key(asset_status, {"id": id}, plants)
            found = _preferred(connection.execute(asked).all(), prefer)
            if found is None:
                return None
            row = _ROW.decode(found.doc)
            ids = set((latest(row, "ids") or {}).values()) - {id}
            others = rows_at(connection, asset_status, [{"id": other, "plant": found.plant} for other in ids])
            return found, [row, *(_ROW.decode(other.doc) for other in others)]

        answer = await self._store.read(question)
        if answer is None:
            return None
        found, rows = answer
        return asset_view(id, found.plant, rows, behind_s=await self.behind_s())

    async def asset_events(
        self, id: str, plants: Plants, *, since: str = "", after: Place = (), limit: int
    ) -> tuple[list[AssetEvent], Place] | None:
        """In the order of their times, from `since` (RFC 3339, UTC) on; None for an asset that is not known.

        Those of the other id of the asset are among them, and an event under both is one.
        """
        first = max(since, after[0] if after else "")
        place = (asset_events.c.at, asset_events.c.event_id)

        def question(connection: Connection) -> Sequence[Any] | None:
            status = connection.execute(_of_key(asset_status, {"id": id}, plants)).all()
            if not status:
                return None
            ids = {id}.union(*((latest(_ROW.decode(row.doc), "ids") or {}).values() for row in status))
            asked = select(asset_events).where(
                asset_events.c.asset_id.in_(sorted(ids)), asset_events.c.at >= first
            )
            if plants is not None:
                asked = asked.where(asset_events.c.plant.in_(sorted(plants)))
            if after:
                asked = asked.where(tuple_(*place) > tuple_(*after))
            found = connection.execute(asked.order_by(*place).limit(limit * len(ids) + 1)).all()
            return list({row.event_id: row for row in found}.values())

        found = await self._store.read(question)
        if found is None:
            return None
        rows, more = _cut(found, ("at", "event_id"), limit)
        return [_asset_event(row) for row in rows], more

    async def stock(
        self, plants: Plants, *, material: str = "", site: str = "", after: Place = (), limit: int
    ) -> tuple[list[StockLevel], Place]:
        columns = stock_levels.c
        wanted = [columns.material_definition_id == key_text(material)] if material else []
        wanted += [columns.site == key_text(site)] if site else []
        asked = _Page(stock_levels, ("plant", "material_definition_id", "site"), wanted, plants, after, limit)
        behind_s = await self.behind_s()

        def question(connection: Connection) -> tuple[list[StockLevel], Place]:
            rows, more = asked.take(connection)
            folded = [_ROW.decode(row.doc) for row in rows]
            held = _held(
                connection,
                {(row.plant, lot) for row, doc in zip(rows, folded, strict=True) for lot in _lots(doc)},
            )
            return [
                stock_view(
                    row.material_definition_id,
                    row.site,
                    row.plant,
                    doc,
                    {lot for plant, lot in held if plant == row.plant},
                    behind_s=behind_s,
                )
                for row, doc in zip(rows, folded, strict=True)
            ], more

        return await self._store.read(question)

    async def lot(self, id: str, plants: Plants, prefer: str) -> LotQuality | None:
        found = _preferred(await self._rows(_of_key(quality_lots, {"id": id}, plants)), prefer)
        if found is None:
            return None
        return lot_view(id, found.plant, _ROW.decode(found.doc), behind_s=await self.behind_s())

    async def outcomes(
        self,
        plants: Plants,
        *,
        kind: str = "",
        state: str = "",
        lot: str = "",
        after: Place = (),
        limit: int,
    ) -> tuple[list[QualityOutcome], Place]:
        columns = quality_outcomes.c
        asked_for = {columns.kind: kind, columns.state: state, columns.material_lot_id: lot}
        wanted = [column == key_text(value) for column, value in asked_for.items() if value]
        asked = _Page(quality_outcomes, ("plant", "id", "kind"), wanted, plants, after, limit)
        rows, more = await self._store.read(asked.take)
        items = [(row.plant, item) for row in rows for item in _ROW.decode(row.doc).items.values()]
        return [outcome_view(plant, item) for plant, item in items], more

    async def _order(self, found: Any) -> OrderStatus:
        behind_s, now = await self.behind_s(), self._clock.now()
        return order_view(found.id, found.plant, _ROW.decode(found.doc), now=now, behind_s=behind_s)

    async def _rows(self, asked: Select[Any]) -> Sequence[Any]:
        def question(connection: Connection) -> Sequence[Any]:
            return connection.execute(asked).all()

        return await self._store.read(question)


def _asset_event(row: Any) -> AssetEvent:
    return AssetEvent(
        id=row.event_id,
        type=row.type,
        source=row.source,
        plant=row.plant,
        time=datetime.fromisoformat(row.at),
        data=msgspec.json.decode(row.data),
        correlationid=row.correlation_id,
    )


def _of_key(table: Table, key: dict[str, str], plants: Plants) -> Select[Any]:
    asked = select(table).where(*(table.c[name] == key_text(value) for name, value in key.items()))
    return asked if plants is None else asked.where(table.c.plant.in_(sorted(plants)))


class _Page(msgspec.Struct, frozen=True):
    """One page of a table: plant by plant, as every index begins with the plant or with what is fixed.

    place   columns that order the rows, the plant first
    wanted  conditions, each fixing a column
    """

    table: Table
    place: tuple[str, ...]
    wanted: list[ColumnElement[bool]]
    plants: Plants
    after: Place
    limit: int

    def take(self, connection: Connection) -> tuple[Sequence[Any], Place]:
        """The rows, and the place of the last one where more follow."""
        if self.plants is None:
            return _cut(self._rows(connection, self.place, self.after, []), self.place, self.limit)
        rows: list[Any] = []
        for plant in sorted(self.plants):
            if len(rows) > self.limit or (self.after and plant < self.after[0]):
                continue
            after = self.after[1:] if self.after and plant == self.after[0] else ()
            rows += self._rows(connection, self.place[1:], after, [self.table.c.plant == plant])
        return _cut(rows, self.place, self.limit)

    def _rows(
        self, connection: Connection, place: Sequence[str], after: Place, here: list[ColumnElement[bool]]
    ) -> Sequence[Any]:
        """One row more than the page has, to see whether there is a next one."""
        columns = [self.table.c[name] for name in place]
        asked = select(self.table).where(*self.wanted, *here)
        if after:
            asked = asked.where(tuple_(*columns) > tuple_(*after))
        return connection.execute(asked.order_by(*columns).limit(self.limit + 1)).all()


def _cut(rows: Sequence[Any], place: Sequence[str], limit: int) -> tuple[Sequence[Any], Place]:
    some = rows[:limit]
    return some, tuple(getattr(some[-1], name) for name in place) if len(rows) > limit else ()


def _preferred(rows: Sequence[Any], prefer: str) -> Any:
    return min(rows, key=lambda row: (row.plant != prefer, row.plant), default=None)


def _lots(row: Row) -> set[str]:
    found = (item.get("material_lot_id") for slot, item in row.items.items() if slot.startswith("balance:"))
    return {lot for lot in found if lot}


def _held(connection: Connection, lots: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    keys = [{"id": lot, "plant": plant} for plant, lot in sorted(lots)]
    found = rows_at(connection, quality_lots, keys, columns=("id", "plant", "state"))
    return {(row.plant, row.id) for row in found if row.state == "held"}
