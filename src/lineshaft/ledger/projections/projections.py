"""Rows for consumers, kept up to date by events: written in one transaction per batch, and made anew.

They follow the event log: what is recorded there is applied next, and what a crash left out is applied when
the node starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select, text, tuple_

from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Event
from lineshaft.ledger.projections.assets import TYPES_BEGIN, ids_of
from lineshaft.ledger.projections.declared import LAYOUTS, facts_of, is_projected
from lineshaft.ledger.projections.folding import Fact, Part, Row, RowKey, State, fold
from lineshaft.ledger.projections.marks import BEGINNING, MARK, mark_of
from lineshaft.ledger.projections.told import Told
from lineshaft.store import Store
from lineshaft.store.schema import asset_events, events, projection_marks, projection_parts
from lineshaft.store.statements import insert_new, put, rows_at

__all__ = ["Projections"]

_ROW, _PART = msgspec.json.Decoder(Row), msgspec.json.Decoder(Part)
_AT_ONCE = 500
_OVERLAP = timedelta(minutes=10)
_ONE_WRITER = text("SELECT pg_advisory_xact_lock(7308335)")
_Said = tuple[list[Fact], list[dict[str, str]]]


class Projections:
    """contracts: of the events; one that has none, or breaks it, says nothing here."""

    def __init__(self, store: Store, contracts: Mapping[str, EventContract[Any]], clock: Clock) -> None:
        self._store = store
        self._contracts = {kind: contract for kind, contract in contracts.items() if is_projected(contract)}
        self._clock = clock

    async def apply(self, batch: Sequence[Event]) -> None:
        """Durable when it returns. To be called when the batch is in the event log; a repeat changes nothing.

        raises  TransientFault when the store is away
        """
        said = [self._said(event) for event in batch]
        ids = [{"event_id": event_id} for event_id in {event.id for event in batch}]

        def unit(connection: Connection) -> None:
            _write(connection, said)
            found = rows_at(connection, events, ids, columns=("recorded_at",))
            up_to = max((row.recorded_at for row in found), default="")
            self._move(connection, up_to=up_to, more=len(batch))

        await self._store.write(unit)

    async def catch_up(self) -> int:
        """Apply what the event log holds beyond the mark; how many events that was.

        It goes back a little, as several nodes record at the same time, and goes on where one broke off.
        """
        mark = await self._store.read(mark_of)
        return await self._replay(mark.replay_from or _earlier(mark.up_to))

    async def rebuild(self, *, keep: bool = False) -> int:
        """Make every row anew from the event log; how many events were applied.

        keep   rows stay, and what the log has is applied to them: retention may have removed older events
        """

        def clear(connection: Connection) -> None:
            if not keep:
                for table in (*(layout.table for layout in LAYOUTS.values()), asset_events, projection_parts):
                    connection.execute(delete(table))
            self._move(connection, replay_from=BEGINNING)

        await self._store.write(clear)
        return await self._replay(BEGINNING)

    async def forget_events(self, before: str, *, dry_run: bool = False) -> int:
        """Remove events of assets from before this time (RFC 3339); how many, or would be in a dry run."""
        old = asset_events.c.at < before
        if dry_run:
            counted = select(func.count()).select_from(asset_events).where(old)
            return await self._store.read(lambda connection: connection.execute(counted).scalar_one())
        gone = delete(asset_events).where(old)
        return await self._store.write(lambda connection: connection.execute(gone).rowcount)

    async def _replay(self, after: str) -> int:
        place, total = (after, ""), 0
        while True:
            rows = await self._store.read(partial(_logged, after=place))
            if rows:
                place = (rows[-1].recorded_at, rows[-1].event_id)
            is_over = len(rows) < _AT_ONCE
            said = [self._said(_event(row)) for row in rows]
            await self._store.write(partial(self._write_replayed, said=said, up_to=place[0], is_over=is_over))
            total += len(rows)
            if is_over:
                return total

    def _write_replayed(
        self, connection: Connection, *, said: Sequence[_Said], up_to: str, is_over: bool
    ) -> None:
        _write(connection, said)
        reached = "" if up_to == BEGINNING else up_to
        self._move(connection, up_to=reached, replay_from="" if is_over else up_to, more=len(said))

    def _move(
        self, connection: Connection, *, up_to: str = "", replay_from: str | None = None, more: int = 0
    ) -> None:
        """A mark only goes forward; replay_from None: as it is."""
        mark = mark_of(connection)
        moved = {
            "name": MARK,
            "up_to": max(up_to, mark.up_to),
            "replay_from": mark.replay_from if replay_from is None else replay_from,
            "applied": mark.applied + more,
            "applied_at": rfc3339(self._clock.now()),
        }
        put(connection, projection_marks, [moved])

    def _said(self, event: Event) -> _Said:
        contract = self._contracts.get(event.type)
        if contract is None:
            return [], []
        try:
            contract.decode(event)
        except ContractViolation:  # reported by the consumer that needs the payload
            return [], []
        told = Told(event)
        return facts_of(told), _asset_rows(told) if event.type.startswith(TYPES_BEGIN) else []


def _write(connection: Connection, said: Sequence[_Said]) -> None:
    if connection.dialect.name == "postgresql":  # rows are read and written back: one node after another
        connection.execute(_ONE_WRITER)
    facts = [fact for found, _ in said for fact in found]
    if facts:
        state = _load(connection, facts)
        fold(state, facts)
        _save(connection, state)
    insert_new(connection, asset_events, [row for _, rows in said for row in rows])


def _load(connection: Connection, facts: Sequence[Fact]) -> State:
    """The parts that the facts are about, then the rows of both."""
    part_ids = {fact.part_id for fact in facts if isinstance(fact, Part)}
    found = rows_at(connection, projection_parts, [{"part_id": part_id} for part_id in part_ids])
    parts = {row.part_id: _PART.decode(row.doc) for row in found}
    keys = {fact.row for fact in facts if fact.row} | {part.row for part in parts.values() if part.row}
    rows: dict[RowKey, Row] = {}
    for name, layout in LAYOUTS.items():
        ours = [layout.key_row(key) for key in keys if key[0] == name]
        for row in rows_at(connection, layout.table, ours):
            rows[layout.key_of(row)] = _ROW.decode(row.doc)
    return State(rows=rows, parts=parts)


def _save(connection: Connection, state: State) -> None:
    for name, layout in LAYOUTS.items():
        changed = [layout.table_row(key, state.rows[key]) for key in state.changed_rows if key[0] == name]
        put(connection, layout.table, changed)
    put(
        connection,
        projection_parts,
        [
            {"part_id": part_id, "doc": msgspec.json.encode(state.parts[part_id])}
            for part_id in state.changed_parts
        ],
    )


def _asset_rows(told: Told) -> list[dict[str, str]]:
    event = told.event
    about = {
        "at": told.time,
        "event_id": event.id,
        "plant": event.plant,
        "type": event.type,
        "source": event.source,
        "correlation_id": event.correlationid,
        "data": event.data.decode(errors="replace").replace("\0", "\ufffd"),
    }
    return [{"asset_id": asset} | about for asset in ids_of(told)]


def _logged(connection: Connection, *, after: tuple[str, str]) -> Sequence[Any]:
    place = (events.c.recorded_at, events.c.event_id)
    asked = select(events).where(tuple_(*place) > tuple_(*after), events.c.recorded_at >= after[0])
    return connection.execute(asked.order_by(*place).limit(_AT_ONCE)).all()


def _earlier(up_to: str) -> str:
    return rfc3339(datetime.fromisoformat(up_to) - _OVERLAP) if up_to else BEGINNING


def _event(row: Any) -> Event:
    """As the event log holds it."""
    return Event(
        id=row.event_id,
        type=row.type,
        source=row.source,
        subject=row.subject,
        time=datetime.fromisoformat(row.time),
        plant=row.plant,
        eventclass=row.eventclass,
        data=row.data.encode(),
        correlationid=row.correlation_id,
        sequence=row.sequence,
    )
