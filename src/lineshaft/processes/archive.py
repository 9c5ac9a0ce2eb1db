"""Finished instances leave the live tables: each becomes one compressed document, kept for the record.

Their business keys stay in the index, and no instance starts again under a key that is archived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.processes.context import APPROVAL
from lineshaft.processes.records import ENDED, FINISHED
from lineshaft.store import Store
from lineshaft.store.process_documents import ProcessDocument, packed, unpacked
from lineshaft.store.rows import plain
from lineshaft.store.schema import (
    EMPTY,
    archived_processes,
    business_keys,
    process_actions,
    process_steps,
    process_waits,
    processes,
)
from lineshaft.store.statements import insert_new, put

__all__ = ["Archive", "Swept"]

_AT_ONCE = 10
_LONGEST_KEY = 200


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """archived: instances that moved into the archive; deleted: documents that left it for good."""

    archived: int
    deleted: int


class Archive:
    """keep: how long a finished instance stays live; keep_archived: since its end, too."""

    def __init__(self, store: Store, clock: Clock, *, keep: timedelta, keep_archived: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._keep_archived = keep_archived

    async def sweep_all(self, *, dry_run: bool = False) -> Swept:
        """In small batches, so that nothing else waits long for its turn to write.

        dry_run   only count
        raises    TransientFault; what is done until then stays done
        """
        if dry_run:
            ready, expired = await self._due(at_once=None)
            return Swept(archived=len(ready), deleted=len(expired))
        archived = deleted = 0
        while True:
            ready, expired = await self._due(at_once=_AT_ONCE)
            moved = await self._store.write(partial(_archive, process_ids=ready)) if ready else 0
            gone = await self._store.write(partial(_forget, process_ids=expired)) if expired else 0
            archived, deleted = archived + moved, deleted + gone
            if not moved and not gone:
                return Swept(archived=archived, deleted=deleted)

    async def _due(self, at_once: int | None) -> tuple[list[str], list[str]]:
        now = self._clock.now()
        done, old = rfc3339(now - self._keep), rfc3339(now - self._keep_archived)
        return (
            await self._store.read(partial(_ready, before=done, at_once=at_once)),
            await self._store.read(partial(_expired, before=old, at_once=at_once)),
        )


def _ready(connection: Connection, before: str, at_once: int | None) -> list[str]:
    """The oldest that have ended before this time, and that no open instance has to do with."""
    table = processes.c
    ready = (
        select(table.process_id)
        .where(table.started_at < before, table.finished_at < before, _is_over())  # the first has an index
        .order_by(table.started_at)
        .limit(at_once)
    )
    return list(connection.execute(ready).scalars())


def _is_over() -> ColumnElement[bool]:
    """Finished, and so is the process that it is a step of, each one that waits for it, and each step of it
    that is a process."""
    other = processes.alias("other")
    is_open = other.c.state.not_in(FINISHED)
    wait = process_waits.c
    return and_(
        processes.c.state.in_(FINISHED),
        ~exists().where(other.c.process_id == processes.c.parent_id, is_open),
        ~exists().where(other.c.parent_id == processes.c.process_id, other.c.parent_id != EMPTY, is_open),
        ~exists().where(
            wait.event_type == ENDED,
            wait.key == processes.c.process_id,
            wait.process_id == other.c.process_id,
            is_open,
        ),
    )


def _archive(connection: Connection, process_ids: Sequence[str]) -> int:
    """How many of them are in the archive now."""
    over = select(processes).where(processes.c.process_id.in_(process_ids), _is_over())
    instances = [
        plain(row) for row in connection.execute(over.with_for_update(skip_locked=True, of=processes))
    ]
    ids = [instance["process_id"] for instance in instances]
    documents = {instance["process_id"]: ProcessDocument(process=instance) for instance in instances}
    for table, rows in (
        (process_steps, "steps"),
        (process_waits, "waits"),
        (process_actions, "actions"),
    ):
        for row in connection.execute(select(table).where(table.c.process_id.in_(ids))):
            getattr(documents[row.process_id], rows).append(plain(row))
    put(connection, archived_processes, [_row(document) for document in documents.values()])
    insert_new(connection, business_keys, [row for each in documents.values() for row in _awaited(each)])
    for table in (process_steps, process_waits, process_actions, processes):
        connection.execute(delete(table).where(table.c.process_id.in_(ids)))
    return len(_which(connection, archived_processes, process_ids))


def _row(document: ProcessDocument) -> dict[str, Any]:
    kept = ("process_id", "type", "business_key", "state", "correlation_id", "finished_at")
    return {name: document.process[name] for name in kept} | {"document": packed(document)}


def _awaited(document: ProcessDocument) -> Iterator[dict[str, str]]:
    """Which events it took in, for the index: from there the trace finds it without its waits."""
    for wait in document.waits:
        if wait["event_id"] and wait["event_type"] not in (ENDED, APPROVAL):
            yield {
                "key": wait["event_id"],
                "kind": "process",
                "ref": wait["process_id"],
                "field": "event_id",
            }


def _which(connection: Connection, table: Table, process_ids: Sequence[str]) -> list[str]:
    return list(
        connection.execute(select(table.c.process_id).where(table.c.process_id.in_(process_ids))).scalars()
    )


def _expired(connection: Connection, before: str, at_once: int | None) -> list[str]:
    table = archived_processes.c
    old = select(table.process_id).where(table.finished_at < before).order_by(table.finished_at)
    return list(connection.execute(old.limit(at_once)).scalars())


def _forget(connection: Connection, process_ids: Sequence[str]) -> int:
    """Their documents, and what the index of business keys has of them.

    That is found by the keys that the document has: the index cannot be asked for an instance.
    """
    which = archived_processes.c.process_id.in_(process_ids)
    index = business_keys.c
    for data in connection.execute(select(archived_processes.c.document).where(which)).scalars().all():
        document = unpacked(data)
        mentions = index.key.in_({key[:_LONGEST_KEY] for key in _keys(document)})
        its_own = (index.kind == "process") & (index.ref == document.process["process_id"])
        connection.execute(delete(business_keys).where(mentions, its_own))
    connection.execute(delete(archived_processes).where(which))
    return len(process_ids)


def _keys(document: ProcessDocument) -> Iterator[str]:
    yield document.process["business_key"]
    yield from (wait["event_id"] for wait in document.waits)
    yield from _texts(msgspec.json.decode(document.process["input"] or "null"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)
