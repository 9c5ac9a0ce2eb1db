"""The lake of a plant's readings, written beside the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import structlog
from numpy.typing import NDArray

from lineshaft.core.errors import ConfigError, TechnicalFault, TransientFault
from lineshaft.core.lake_policy import LakePolicy
from lineshaft.core.values import Value
from lineshaft.telemetry.lake.facts_tables import FACTS, write_facts
from lineshaft.telemetry.lake.pending import Rows, TagColumns, rows_of
from lineshaft.telemetry.lake.policy import check_classes
from lineshaft.telemetry.lake.readings_table import READINGS, write_readings
from lineshaft.telemetry.lake.tables import LakeTable, lake_faults
from lineshaft.telemetry.readings import Readings
from lineshaft.telemetry.tags import TagList

__all__ = ["Lake"]

_RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_TAKEN = tuple(kind.made_of for kind in FACTS)

_log = structlog.get_logger(__name__)


class Lake:
    """Where all readings go, and the windows, counts and states that came of them. One writer per folder.

    root   a folder, or the URL of an object store

    What is appended waits in memory until `flush`; one thread writes it while the engine goes on. Save the
    state of the engine only after a `flush` that began after that state was taken: then the lake is never
    behind it after a crash, and what comes again is left out by its position. When the disk does not take
    it, the rows stay in memory, up to policy.most_rows; then `append` waits, and with it the engine: messages
    stay on the backbone, which has them on disk.
    """

    def __init__(self, root: str, tags: TagList, policy: LakePolicy) -> None:
        self.root = root
        self.policy = policy
        self._tags = TagColumns(tags)
        self._readings = LakeTable(root, READINGS, policy.storage_options)
        self._facts = [(kind, LakeTable(root, kind.shape, policy.storage_options)) for kind in FACTS]
        self._rows: list[Rows] = []
        self._values: list[Value] = []
        self._worker = ThreadPoolExecutor(1, "lake")
        self._turn = asyncio.Lock()
        self._early: asyncio.Task[None] | None = None
        self.waiting = 0

    @classmethod
    async def open(cls, root: str, tags: TagList, policy: LakePolicy) -> Lake:
        """raises  ConfigError for a retention class that is not declared, TransientFault for a folder that
        cannot be written, PermanentFault for tables of another make"""
        if findings := check_classes(tags, policy):
            raise ConfigError(f"lake {root} has no retention for some tags", findings=findings)
        lake = cls(root, tags, policy)
        try:
            await asyncio.get_running_loop().run_in_executor(lake._worker, lake._make)
        except BaseException:
            await lake.close()
            raise
        return lake

    async def append(
        self, readings: Readings | None, facts: Sequence[Value] = (), passed: NDArray[np.bool_] | None = None
    ) -> None:
        """Takes them into memory; waits, for as long as it takes, while too many are not on disk.

        passed   of each reading, whether it is kept; all, where it is not given
        """
        if readings is not None and len(readings):
            rows = rows_of(readings, self._tags, passed)
            if len(rows):
                self._rows.append(rows)
                self.waiting += len(rows)
        if facts:
            self._values += [fact for fact in facts if isinstance(fact, _TAKEN)]
        if self.waiting >= self.policy.flush_rows and (self._early is None or self._early.done()):
            self._early = asyncio.create_task(self._flush_early())
        if self.waiting >= self.policy.most_rows:
            await self._make_room()

    async def flush(self) -> None:
        """Everything appended before is on disk when it returns.

        raises  TransientFault when it is not: nothing is lost, another flush makes up; PermanentFault when
                that cannot help
        """
        async with self._turn:
            if not self._rows and not self._values:
                return
            rows, self._rows = self._rows, []
            values, self._values = self._values, []
            written = asyncio.get_running_loop().run_in_executor(self._worker, self._write, rows, values)
            try:
                await asyncio.shield(written)
            except BaseException:
                # cancelled, the thread may still write them: the next one sees that and leaves them out
                self._rows[:0], self._values[:0] = rows, values
                raise
            self.waiting -= sum(map(len, rows))

    def change(self, tags: TagList) -> None:
        """Readings from now on index this tag list.

        raises  ConfigError for a retention class that is not declared; the old list stays
        """
        if findings := check_classes(tags, self.policy):
            raise ConfigError(f"lake {self.root} has no retention for some tags", findings=findings)
        self._tags = TagColumns(tags)

    async def close(self) -> None:
        """Without a flush: what is not on disk comes again."""
        if self._early is not None:
            self._early.cancel()
            await asyncio.gather(self._early, return_exceptions=True)
        await asyncio.to_thread(self._worker.shutdown)

    async def _flush_early(self) -> None:
        try:
            await self.flush()
        except TechnicalFault as fault:
            _log.warning("lake_not_written", fault=str(fault), waiting=self.waiting)

    async def _make_room(self) -> None:
        for attempt in range(10**9):
            try:
                await self.flush()
                return
            except TransientFault as fault:
                pause_s = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                _log.warning("lake_full", fault=str(fault), waiting=self.waiting, retry_s=pause_s)
                await asyncio.sleep(pause_s)

    def _make(self) -> None:
        with lake_faults(self.root):
            for table in (self._readings, *(table for _, table in self._facts)):
                table.table()

    def _write(self, rows: Sequence[Rows], values: Sequence[Value]) -> None:
        with lake_faults(self.root):
            for kind, table in self._facts:
                if facts := [value for value in values if isinstance(value, kind.made_of)]:
                    write_facts(table, kind, facts)
            if rows:
                write_readings(self._readings, rows)
