"""Which instance people mean: by id, by how an id begins, by business key; in the archive as well."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, or_, select

from lineshaft.processes.refusals import AmbiguousProcess, NoSuchProcess
from lineshaft.store.beginnings import begins
from lineshaft.store.process_documents import unpacked
from lineshaft.store.rows import plain
from lineshaft.store.schema import archived_processes, business_keys, processes

__all__ = ["Found", "Plants", "find", "found_by_id"]

_MOST_CANDIDATES = 10
_MOST_ARCHIVED = 200
Plants = Collection[str] | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    process_id: str
    type: str
    business_key: str
    state: str
    archived: bool

    def __str__(self) -> str:
        archived = ", archived" if self.archived else ""
        return f"{self.process_id}  {self.type} {self.business_key} ({self.state}{archived})"


def find(connection: Connection, ref: str, plants: Plants = None) -> Found:
    """ref: id, business key, how one of both begins, or a business key in what started it.

    plants: those of others do not exist for who asks; None: of all

    raises  NoSuchProcess; AmbiguousProcess with the candidates
    """
    for condition in (_by_id, _by_key, _beginning, _mentioning):
        found = _both(connection, partial(condition, connection, ref=ref), _MOST_CANDIDATES + 1, plants)
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


def _by_id(connection: Connection, table: Table, ref: str) -> Any:
    return table.c.process_id == ref


def _by_key(connection: Connection, table: Table, ref: str) -> Any:
    return table.c.business_key == ref


def _beginning(connection: Connection, table: Table, ref: str) -> Any:
    return or_(
        begins(connection, table.c.process_id, ref),
        begins(connection, table.c.business_key, ref),
    )


def _mentioning(connection: Connection, table: Table, ref: str) -> Any:
    keys = business_keys.c
    return table.c.process_id.in_(select(keys.ref).where(keys.key == ref, keys.kind == "process"))


def _both(
    connection: Connection, condition: Callable[[Table], Any], most: int, plants: Plants = None
) -> list[Found]:
    """The plant of an archived one is in its document only."""
    live, kept = processes.c, archived_processes.c
    names = ("process_id", "type", "business_key", "state")
    asked = select(*(live[name] for name in names)).where(condition(processes)).order_by(live.business_key)
    if plants is not None:
        asked = asked.where(live.plant.in_(sorted(plants)))
    found = [Found(**plain(row), archived=False) for row in connection.execute(asked.limit(most))]
    asked = select(*(kept[name] for name in names)).where(condition(archived_processes))
    asked = asked.order_by(kept.business_key)
    if plants is None:
        rows = [plain(row) for row in connection.execute(asked.limit(most))]
    else:
        some = connection.execute(asked.add_columns(kept.document).limit(_MOST_ARCHIVED))
        own = (row for row in some if unpacked(row.document).process["plant"] in plants)
        rows = [{name: getattr(row, name) for name in names} for row in islice(own, most)]
    return found + [Found(**row, archived=True) for row in rows]
