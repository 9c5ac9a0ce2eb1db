"""The log of requests: buffered where nothing was changed, durable before the answer where something was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import structlog
from sqlalchemy import Connection

from lineshaft.core.errors import LineshaftError
from lineshaft.core.requests import RequestNote
from lineshaft.store import Store
from lineshaft.store.schema import api_requests
from lineshaft.store.statements import insert_new

__all__ = ["RequestLog", "note_requests"]

_LOG = structlog.get_logger(__name__)
_FLUSH_S = 0.25
_MOST_WAITING = 20_000


class RequestLog:
    """See core.requests.RequestLog."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[RequestNote] = []
        self._lost = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def note(self, note: RequestNote) -> None:
        """With the store away for long, the newest are only counted: that is told when it is back."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(note)
        else:
            self._lost += 1

    async def noted(self, note: RequestNote) -> None:
        await self._store.write_together(note_requests, note)

    async def run(self) -> None:
        """Until cancelled; what waits then is written first."""
        try:
            while True:
                await asyncio.sleep(_FLUSH_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        if not self._waiting:
            return
        some, self._waiting = self._waiting, []
        try:
            await self._store.write(lambda connection: note_requests(connection, some))
        except LineshaftError as fault:
            _LOG.warning("requests.waiting", reason=str(fault), waiting=len(some))
            self._waiting = (some + self._waiting)[:_MOST_WAITING]
            return
        if self._lost:
            _LOG.error("requests.not_noted", lost=self._lost)
            self._lost = 0


def note_requests(connection: Connection, notes: Sequence[RequestNote]) -> list[None]:
    """Inside a unit of work."""
    insert_new(connection, api_requests, [msgspec.structs.asdict(note) for note in notes])
    return [None] * len(notes)
