"""Which instance people mean: by id, by how an id begins, by business key; in the archive as well."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, or_, select

from lineshaft.processes.refusals import AmbiguousProcess, NoSuchProcess
from lineshaft.store.rows import plain
from lineshaft.store.schema import archived_processes, business_keys, processes

__all__ = ["Found", "find", "found_by_id"]

_MOST_CANDIDATES = 10


class Found(msgspec.Struct, frozen=True, kw_only=True):
    process_id: str
    type: str
    business_key: str
    state: str
    archived: bool

    def __str__(self) -> str:
        archived = ", archived" if self.archived else ""
        return f"{self.process_id}  {self.type} {self.business_key} ({self.state}{archived})"


def find(connection: Connection, ref: str) -> Found:
    """ref: id, business key, how one of both begins, or a business key in what started it.

    raises  NoSuchProcess; AmbiguousProcess with the candidates
    """
    for condition in (_exactly, _beginning, _mentioning):
        found = _both(connection, partial(condition, ref=ref), _MOST_CANDIDATES + 1)
        if len(found) == 1:
            return found[0]
        if found:
            more = ["… and more"] if len(found) > _MOST_CANDIDATES else []
            raise AmbiguousProcess(
                f"{ref!r} may be one of these processes",
                findings=[*map(str, found[:_MOST_CANDIDATES]), *more],
                hint="name one by its id",
            )
    raise NoSuchProcess(f"there is no process {ref!r}", hint="see `lineshaft processes list`")


def found_by_id(connection: Connection, process_ids: Collection[str]) -> list[Found]:
    """Those of them that there are, in no order."""
    return _both(connection, lambda table: table.c.process_id.in_(process_ids), len(process_ids))


def _exactly(table: Table, ref: str) -> Any:
    return or_(table.c.process_id == ref, table.c.business_key == ref)


def _beginning(table: Table, ref: str) -> Any:
    return or_(
        table.c.process_id.startswith(ref, autoescape=True),
        table.c.business_key.startswith(ref, autoescape=True),
    )


def _mentioning(table: Table, ref: str) -> Any:
    keys = business_keys.c
    return table.c.process_id.in_(select(keys.ref).where(keys.key == ref, keys.kind == "process"))


def _both(connection: Connection, condition: Callable[[Table], Any], most: int) -> list[Found]:
    found: list[Found] = []
    for table, archived in ((processes, False), (archived_processes, True)):
        columns = (table.c.process_id, table.c.type, table.c.business_key, table.c.state)
        question = select(*columns).where(condition(table)).order_by(table.c.business_key).limit(most)
        found += [Found(**plain(row), archived=archived) for row in connection.execute(question)]
    return found
