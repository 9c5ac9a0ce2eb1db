"""A plant whose processes stand still: one is parked, one waits for an event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from lineshaft.core.errors import BusinessFault
from lineshaft.processes import SHIPPED
from lineshaft.store import Store
from lineshaft.store.schema import processes
from tests.processes.plant import Answers, House, started_by
from tests.processes.steered import asking, paying

__all__ = ["REFUSED", "SteeredPlant"]

REFUSED = BusinessFault("period 3 is closed", code="closed_period", owner="controlling", hint="reopen it")


class SteeredPlant:
    """settings: its file; each `running` is one start of the product on it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.settings = folder / "lineshaft.yaml"
        self.answers = Answers()
        self._url = f"sqlite:///{folder / 'data' / 'lineshaft.db'}"
        for definition in (paying, asking):
            patch.setitem(SHIPPED, definition.name, (definition,))
        self.settings.write_text(
            "enterprise: northspring\nplant: leipzig\ntime_zone: Europe/Berlin\n"
            "processes: [paying, asking]\nretention: {processes_days: 0}\n"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[House]:
        store = Store.open(self._url)
        try:
            async with House(store, [paying, asking], self.answers).running() as house:
                yield house
        finally:
            await store.close()

    async def begin(self) -> None:
        """`pay/r1` is parked at its first call, `ask/r1` waits for an event."""
        self.answers.faults["books.post"] = [REFUSED]
        async with self.running() as house:
            await house.engine.handle(started_by("r1"))
            await house.in_state("parked")
            await house.in_state("waiting")

    def park_again(self) -> None:
        """`pay/r1`, where it was, whatever people asked of it."""

        def unit(connection: Connection) -> None:
            as_it_was = {"state": "parked", "at_step": "0", "wanted": ""}
            its_row = processes.c.business_key == "pay/r1"
            connection.execute(processes.update().where(its_row).values(**as_it_was))

        async def write() -> None:
            store = Store.open(self._url)
            await store.write(unit)
            await store.close()

        asyncio.run(write())

    def run_until(self, state: str, count: int = 1) -> None:
        """One start, until so many instances are in the state."""

        async def run() -> None:
            async with self.running() as house:
                await house.in_state(state, count)

        asyncio.run(run())
