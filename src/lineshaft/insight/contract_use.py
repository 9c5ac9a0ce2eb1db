"""How much a contract was used lately, by the rollups."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, func, select

from lineshaft.core.clock import Clock
from lineshaft.insight.rollups import HOUR, MINUTE
from lineshaft.insight.rollups_reads import FAILED, LATENCIES, of_plants, percentile
from lineshaft.insight.service_levels import CALL, EVENT, ServiceLevels
from lineshaft.store import Store
from lineshaft.store.schema import LATENCY_COLUMNS, activity

__all__ = ["ContractUse", "Use"]


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """late   over its service level
    p95_s  of an event until it is recorded, of a call until it is settled
    """

    count: int
    failed: int
    late: int
    p95_s: float | None


class ContractUse:
    """Implements console.screens.contracts.Uses."""

    def __init__(self, store: Store, levels: ServiceLevels, clock: Clock) -> None:
        self._store = store
        self._levels = levels
        self._clock = clock

    async def of(self, id: str, *, is_event: bool, plants: Collection[str] | None, hours: int) -> Use:
        """Of the last hours, at most two days of them, which are kept by the minute."""
        kind = EVENT if is_event else CALL
        domain = self._levels.domain(kind, id)
        since = int(self._clock.now().timestamp()) - hours * HOUR
        table = activity.c
        asked = select(
            func.sum(table.count).label("count"),
            func.sum(table.count).filter(table.outcome.in_(FAILED)).label("failed"),
            func.sum(table.late).label("late"),
            *LATENCIES,
        ).where(
            table.span == MINUTE,
            of_plants(plants),
            table.domain == domain,
            table.subject == id,
            table.at >= since,
            table.kind == kind,
        )

        def ask(connection: Connection) -> Use:
            row = connection.execute(asked).one()
            return Use(
                count=int(row._mapping["count"] or 0),
                failed=int(row.failed or 0),
                late=int(row.late or 0),
                p95_s=percentile([int(row._mapping[name] or 0) for name in LATENCY_COLUMNS], 0.95),
            )

        return await self._store.read(ask)
