"""What accounts have used of their day: counted in memory, written each second, summed over the workers.

A worker knows the others' use as of their last second, so that an account may exceed its quota by what the
other workers let through in about two seconds; a crash forgets one second of counting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection, func, select

from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError
from lineshaft.store import Store
from lineshaft.store.schema import quota_use
from lineshaft.store.statements import put

__all__ = ["Quotas"]

_LOG = structlog.get_logger(__name__)
_FLUSH_S = 1.0


class Quotas:
    """See gateway.limits.Quotas. worker: name of this process among the others on this database."""

    def __init__(self, store: Store, clock: Clock, worker: str) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._day = ""
        self._day_ends = 0.0
        self._ours: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._changed: set[str] = set()

    def use(self, account: str) -> int:
        if self._clock.now().timestamp() >= self._day_ends:
            self._turn()
        used = self._ours.get(account, 0) + 1
        self._ours[account] = used
        self._changed.add(account)
        return used + self._others.get(account, 0)

    async def load(self) -> None:
        """What was used of today before this start."""
        self._turn()
        await self._refresh()
        for account, used in await self._store.read(self._own):
            self._ours[account] = self._ours.get(account, 0) + used

    async def run(self) -> None:
        """Until cancelled; the last counts are written first."""
        try:
            while True:
                await asyncio.sleep(_FLUSH_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        changed, self._changed = self._changed, set()
        rows = [
            {"account": account, "day": self._day, "worker": self._worker, "used": self._ours[account]}
            for account in sorted(changed & self._ours.keys())
        ]
        try:
            if rows:
                await self._store.write(lambda connection: put(connection, quota_use, rows))
            if self._ours:
                await self._refresh()
        except LineshaftError as fault:
            _LOG.warning("quotas.waiting", reason=str(fault))
            self._changed |= changed

    def _turn(self) -> None:
        now = self._clock.now()
        self._day = now.date().isoformat()
        self._day_ends = now.timestamp() // 86_400 * 86_400 + 86_400
        self._ours, self._others, self._changed = {}, {}, set()

    async def _refresh(self) -> None:
        self._others = dict(await self._store.read(self._of_others))

    def _own(self, connection: Connection) -> Sequence[tuple[str, int]]:
        mine = select(quota_use.c.account, quota_use.c.used).where(
            quota_use.c.day == self._day, quota_use.c.worker == self._worker
        )
        return [(row.account, row.used) for row in connection.execute(mine)]

    def _of_others(self, connection: Connection) -> Sequence[tuple[str, int]]:
        theirs = (
            select(quota_use.c.account, func.sum(quota_use.c.used).label("used"))
            .where(quota_use.c.day == self._day, quota_use.c.worker != self._worker)
            .group_by(quota_use.c.account)
        )
        return [(row.account, int(row.used)) for row in connection.execute(theirs)]
