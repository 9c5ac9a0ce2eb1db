"""How calls to each system went lately: how many, how long they took, why they failed, which are open."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from lineshaft.contracts.system_facts import CallTimes, CallUse, OpenCalls
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.values import OutcomeState
from lineshaft.store import Store
from lineshaft.store.schema import UNSETTLED, calls

__all__ = ["CallHistory"]

Plants = Collection[str] | None
_MOST_CALLS = 10_000
_FRESH_S = 2.0
_OPEN = {OutcomeState.SENDING, OutcomeState.UNKNOWN}


class CallHistory:
    """Asked of the store every two seconds at most, for each set of plants."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[Plants, tuple[float, CallTimes]] = {}

    async def lately(self, plants: Plants) -> CallTimes:
        """Of the last hour, at most its newest 10,000 calls. plants: whose; None: of all"""
        now = self._clock.monotonic()
        who = None if plants is None else frozenset(plants)
        read_at, found = self._kept.get(who, (float("-inf"), CallTimes()))
        if now - read_at > _FRESH_S:
            found = await self._store.read(lambda connection: self._ask(connection, who))
            self._kept = {each: kept for each, kept in self._kept.items() if now - kept[0] <= _FRESH_S}
            self._kept[who] = (now, found)
        return found

    def _ask(self, connection: Connection, plants: Plants) -> CallTimes:
        table = calls.c
        since = self._clock.now() - timedelta(hours=1)
        names = ("system", "operation", "state", "error_code", "created_at", "finished_at")
        recent = select(*(table[name] for name in names)).where(table.created_at >= rfc3339(since))
        oldest = func.min(table.created_at).label("oldest")
        unsettled = select(table.system, table.state, func.count().label("number"), oldest).where(UNSETTLED)
        if plants is not None:
            recent = recent.where(table.plant.in_(sorted(plants)))
            unsettled = unsettled.where(table.plant.in_(sorted(plants)))
        rows = connection.execute(recent.order_by(table.created_at.desc()).limit(_MOST_CALLS)).all()
        waiting = connection.execute(unsettled.group_by(table.system, table.state)).all()
        return CallTimes(
            uses=tuple(_uses(rows)),
            open=tuple(
                OpenCalls(
                    system=row.system,
                    state=row.state,
                    count=row.number,
                    oldest=datetime.fromisoformat(row.oldest),
                )
                for row in waiting
                if row.state in _OPEN
            ),
            is_cut=len(rows) == _MOST_CALLS,
        )


def _uses(rows: Iterable[Any]) -> Iterable[CallUse]:
    by_operation: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        by_operation[row.system, row.operation].append(row)
    for (system, operation), found in sorted(by_operation.items()):
        took = sorted(_took_ms(row) for row in found if row.state == OutcomeState.POSTED)
        faults = Counter(row.error_code or row.state for row in found if row.state != OutcomeState.POSTED)
        faults.pop(OutcomeState.SENDING, 0)
        yield CallUse(
            system=system,
            operation=operation,
            count=len(found),
            posted=len(took),
            p50_ms=_percentile(took, 0.50),
            p95_ms=_percentile(took, 0.95),
            p99_ms=_percentile(took, 0.99),
            faults=tuple(faults.most_common()),
        )


def _took_ms(row: Any) -> float:
    finished, created = datetime.fromisoformat(row.finished_at), datetime.fromisoformat(row.created_at)
    return (finished - created) / timedelta(milliseconds=1)


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest that this share of them does not exceed; None of none."""
    return ordered[math.ceil(len(ordered) * share) - 1] if ordered else None
