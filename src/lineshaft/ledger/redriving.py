"""Sending exceptions on their way again, and looking what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, exists, select

from lineshaft.core.errors import ContractViolation, LineshaftError, TransientFault
from lineshaft.core.exceptions import Chosen, ExceptionState
from lineshaft.core.ports import ProcessActions, RawDestination
from lineshaft.core.subscriptions import DeliveryState
from lineshaft.core.values import ExceptionKind
from lineshaft.ledger.corrections import Carrier, Corrections, carrier_of
from lineshaft.ledger.exception_changes import ExceptionChanges
from lineshaft.ledger.exception_rows import ExceptionRow, choose
from lineshaft.ledger.following import Followed, Verdict, follow
from lineshaft.store import Store
from lineshaft.store.schema import deliveries, exceptions, processes

__all__ = ["Redriving"]

_LOOK_AGAIN_S = 0.1
_SPARKPLUG = "spBv1.0/"
_NOTHING = "it came in nothing that could be sent again: have its sender corrected, then discard it"
_SPARKPLUG_SPEAKS_AGAIN = (
    "an edge node numbers its messages, so none can be sent in its place: it says all its values again at its"
    " next birth; then discard this"
)
_OLD_TAG_LIST = "telemetry runs with the tag list that lacked it: add the row, then redrive"


class Redriving:
    """As `follow` says; telemetry_since: when telemetry last read its tag list, as text of the store."""

    def __init__(
        self,
        store: Store,
        changes: ExceptionChanges,
        corrections: Corrections,
        processes: ProcessActions,
        readings: RawDestination,
        *,
        taken_in: frozenset[str],
        started_by: Callable[[str, bytes], Sequence[str]],
        telemetry_since: Callable[[], str],
    ) -> None:
        self._store = store
        self._changes = changes
        self._corrections = corrections
        self._processes = processes
        self._readings = readings
        self._taken_in = taken_in
        self._started_by = started_by
        self._telemetry_since = telemetry_since

    def obstacle(self, row: ExceptionRow) -> str:
        """Why a redrive cannot help, whatever the payload says; empty for none."""
        if carrier_of(row) is Carrier.NOTHING:
            return _NOTHING
        if row.envelope.topic.startswith(_SPARKPLUG):
            return _SPARKPLUG_SPEAKS_AGAIN
        if row.kind is ExceptionKind.UNKNOWN_TAG and row.last_at > self._telemetry_since():
            return _OLD_TAG_LIST
        return ""

    async def send(self, row: ExceptionRow, *, by: str, reason: str) -> None:
        """raises  LineshaftError; TransientFault only when the store or the backbone is away"""
        carrier = carrier_of(row)
        if carrier is Carrier.PROCESS:
            await self._changes.redriven(row, row.ref, by=by, reason=reason)
            try:
                await self._go_on(row, by, reason)
            except LineshaftError:
                await self._changes.reopened(await self._row(row.exception_id))
                raise
        elif carrier is Carrier.DELIVERY:
            await self._changes.redriven(row, row.ref, by=by, reason=reason)
        elif carrier is Carrier.READING:
            position = await self._readings.publish(row.envelope.topic, row.current)
            await self._changes.redriven(row, position, by=by, reason=reason)
        else:
            events = self._corrections.events(row, row.current)
            if events:
                await self._changes.redriven(row, events[0].id, events, by=by, reason=reason)
            else:
                await self._changes.resolved(row, "the body tells nothing that concerns us", by=by)

    async def _go_on(self, row: ExceptionRow, by: str, reason: str) -> None:
        if not row.revision:
            return await self._processes.retry(row.ref, by=by, reason=reason)
        findings = await self._processes.correct(row.ref, row.corrected, by=by, reason=reason, dry_run=False)
        if findings:
            raise ContractViolation(f"{row.source} cannot go on with this payload", findings=findings)

    async def outcomes(self, ids: Sequence[str], wait_s: float, *, by: str) -> dict[str, Followed]:
        """By id; waits for those under way. What other processes do to the rows rings no bell here."""
        until = asyncio.get_running_loop().time() + wait_s
        found: dict[str, Followed] = {}
        open_ids = list(ids)
        while True:
            found |= await self._look(open_ids, by)
            open_ids = [each for each in open_ids if found[each].verdict is Verdict.WAITING]
            if not open_ids or asyncio.get_running_loop().time() >= until:
                return found
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def settle(self) -> None:
        """Look at all that is under way, and close what has come to its end; for a node, every few seconds.

        raises  TransientFault when the store or the backbone is away
        """
        ended = exists().where(processes.c.process_id == exceptions.c.ref, processes.c.finished_at != "")
        told = exists().where(
            deliveries.c.delivery_id == exceptions.c.ref, deliveries.c.state == DeliveryState.DELIVERED.value
        )
        under_way = select(exceptions.c.exception_id).where(exceptions.c.state == ExceptionState.REDRIVEN)
        done = select(exceptions.c.exception_id).where(
            exceptions.c.state == ExceptionState.OPEN,
            (exceptions.c.source.startswith("process ") & ended)
            | (exceptions.c.source.startswith("subscription ") & told),
        )

        def question(connection: Connection) -> tuple[Sequence[str], Sequence[str]]:
            return (
                connection.execute(under_way).scalars().all(),
                connection.execute(done).scalars().all(),
            )

        redriven, finished = await self._store.read(question)
        await self._look(redriven, "")
        for exception_id in finished:  # by people, at the process or the subscription itself
            row = await self._row(exception_id)
            is_process = carrier_of(row) is Carrier.PROCESS
            await self._changes.resolved(row, "the process has ended" if is_process else "it was delivered")

    async def _row(self, exception_id: str) -> ExceptionRow:
        (row,) = await self._store.read(lambda connection: choose(connection, Chosen(ids=[exception_id])))
        return row

    async def _look(self, ids: Sequence[str], by: str) -> dict[str, Followed]:
        if not ids:
            return {}

        def question(connection: Connection) -> list[tuple[ExceptionRow, Followed]]:
            rows = choose(connection, Chosen(ids=ids))
            return [(row, follow(connection, row, self._taken_in, self._started_by)) for row in rows]

        found = {}
        for row, followed in await self._store.read(question):
            found[row.exception_id] = await self._noted(row, followed, by)
        return found

    async def _noted(self, row: ExceptionRow, found: Followed, by: str) -> Followed:
        """Close it, or open it again, when it is known what became of it."""
        carrier = carrier_of(row)
        if found.verdict is Verdict.WAITING and carrier is Carrier.READING:
            try:
                if not await self._readings.is_taken_in(row.redrive_ref):
                    return found
            except TransientFault as fault:
                return Followed(verdict=Verdict.WAITING, detail=str(fault))
            row = await self._row(row.exception_id)  # a fault is reported before it counts as taken in
            if row.state is ExceptionState.OPEN:
                return Followed(verdict=Verdict.FAILED, detail=row.cause)
            found = Followed(verdict=Verdict.POSTED, detail="telemetry has taken it in")
        if row.state is ExceptionState.REDRIVEN:
            if found.verdict is Verdict.POSTED:
                await self._changes.resolved(row, found.detail, by=by)
            elif found.verdict is Verdict.FAILED and carrier in (Carrier.PROCESS, Carrier.DELIVERY):
                await self._changes.reopened(row)
        return found
