"""The exceptions workbench: what people do about what went wrong, each with a reason, all of it audited."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from lineshaft.core.errors import ConfigError, LineshaftError, PermanentFault, TransientFault
from lineshaft.core.exceptions import Chosen, ExceptionPage, ExceptionState
from lineshaft.core.ids import fingerprint
from lineshaft.core.ports import ProcessActions
from lineshaft.ledger.audit import must_have_reason
from lineshaft.ledger.audit_reads import audit_rows
from lineshaft.ledger.corrections import Carrier, Corrections, carrier_of, what_parked, with_values
from lineshaft.ledger.decisions import decisions, must_be_seen
from lineshaft.ledger.exception_changes import ExceptionChanges
from lineshaft.ledger.exception_lists import ExceptionLists
from lineshaft.ledger.exception_rows import ExceptionRow, choose, groups
from lineshaft.ledger.following import Document, Verdict
from lineshaft.ledger.redriving import Redriving
from lineshaft.store import Store

__all__ = ["Fixed", "Outcome", "Redriven", "Workbench"]

_MOST_HISTORY = 200
_AT_ONCE = 100


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """findings: what is wrong with the payload, nothing is kept then; revision: of what is kept, else 0;
    decisions: as `show` has them."""

    exception_id: str
    findings: list[str]
    revision: int
    payload: Any
    decisions: int


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """does: what the redrive is, in words; detail: what became of it."""

    exception_id: str
    verdict: Verdict
    does: str
    detail: str = ""
    findings: list[str] = []
    documents: list[Document] = []


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """state: of the exception now; verdict, detail, documents: what became of its last redrive, if any."""

    exception_id: str
    state: ExceptionState
    verdict: Verdict | None = None
    detail: str = ""
    documents: list[Document] = []


class Workbench:
    """All raise PermanentFault: code no_such_exception, not_open, not_as_shown, reason_missing.

    plants  of who asks: what is of others does not exist; None: of all
    """

    def __init__(
        self,
        store: Store,
        changes: ExceptionChanges,
        corrections: Corrections,
        processes: ProcessActions,
        redriving: Redriving,
    ) -> None:
        self._store = store
        self._lists = ExceptionLists(store)
        self._changes = changes
        self._corrections = corrections
        self._processes = processes
        self._redriving = redriving

    async def listing(self, chosen: Chosen, limit: int) -> list[dict[str, Any]]:
        """Without payloads, the newest first."""
        return await self._lists.listing(chosen, limit)

    async def page(self, chosen: Chosen, after: str, limit: int) -> ExceptionPage:
        """after: `next` of the page before, empty for the first one"""
        return await self._lists.page(chosen, after=after, limit=limit)

    async def group(self, chosen: Chosen, by: str) -> list[dict[str, Any]]:
        return await self._store.read(lambda connection: groups(connection, chosen, by))

    async def show(self, exception_id: str, *, plants: Collection[str] | None = None) -> dict[str, Any]:
        """Everything that is known of it, with what is wrong now, what was done, and the next step.

        form       of its payloads as they are shown: `json`, `text`, or of other bytes `hex`
        decisions  how many there were about it: what `fix` takes as seen
        """
        (row,) = await self._rows(Chosen(ids=[exception_id], plants=plants))
        current = await self._current(row)
        findings = await self._findings(row, current)
        led_to = await self._redriving.outcomes([row.exception_id], 0.0, by="") if row.redrives else {}

        def question(connection: Connection) -> dict[str, Any]:
            history = audit_rows(connection, subject=row.exception_id, limit=_MOST_HISTORY)
            return {"history": history, "decisions": decisions(connection, row)}

        past = await self._store.read(question)
        plain: dict[str, Any] = msgspec.structs.asdict(row) | {
            "payload": _readable(row.payload if row.revision else current),
            "corrected": _readable(row.corrected) if row.revision else None,
            "form": _form(current),
            "carrier": carrier_of(row),
            "does": _does(row),
            "obstacle": self._redriving.obstacle(row),
            "findings": findings,
            "led_to": led_to.get(row.exception_id),
            **past,
            "next_step": self._next_step(row, findings),
        }
        return plain

    async def fix(
        self,
        exception_id: str,
        *,
        payload: bytes | None = None,
        values: Sequence[str] = (),
        by: str,
        reason: str,
        dry_run: bool = False,
        seen: int | None = None,
        plants: Collection[str] | None = None,
    ) -> Fixed:
        """Keep a corrected payload beside the original one, if it passes its contract.

        payload  a whole one; else `values`, each `path=value`, are set in the one that is there
        seen     `decisions` as they were shown to who corrects it; None: does not matter
        raises   ContractViolation for a value that cannot be set, too; ChangedMeanwhile where somebody
                 decided about it after what was seen
        """
        if not dry_run:
            must_have_reason(reason)
        (row,) = await self._rows(Chosen(ids=[exception_id], plants=plants))
        if seen is not None:
            await self._store.read(partial(must_be_seen, row=row, seen=seen))
        _must_be(row, ExceptionState.OPEN)
        if payload is None:
            payload = with_values(await self._current(row), values)
        findings = await self._findings(row, payload)
        kept = not findings and not dry_run
        if kept:
            digest = fingerprint(payload)
            await self._changes.corrected(row, payload, digest, by=by, reason=reason, seen=seen)
        return Fixed(
            exception_id=row.exception_id,
            findings=findings,
            revision=row.revision + 1 if kept else 0,
            payload=_readable(payload),
            decisions=await self._store.read(partial(decisions, row=row)),
        )

    async def discard(self, chosen: Chosen, *, by: str, reason: str) -> list[str]:
        """Close what need not be done: nothing is sent. The ids."""
        must_have_reason(reason)
        rows = await self._rows(chosen)
        for row in rows:
            _must_be(row, ExceptionState.OPEN, ExceptionState.REDRIVEN)
        for begins in range(0, len(rows), _AT_ONCE):  # they share their commits
            some = rows[begins : begins + _AT_ONCE]
            await asyncio.gather(*(self._changes.discarded(row, by=by, reason=reason) for row in some))
        return [row.exception_id for row in rows]

    async def assign(self, chosen: Chosen, to: str, *, by: str, reason: str) -> list[str]:
        """Say who looks after them, whatever has become of them; to: empty for nobody. The ids."""
        ids = [row.exception_id for row in await self._rows(chosen)]
        await self._changes.assigned(ids, to, by=by, reason=reason)
        return ids

    async def outcomes(self, chosen: Chosen) -> list[Outcome]:
        """How far each has come, and what became of it where it was redriven. Closes what has posted."""
        rows = await self._rows(chosen)
        redriven = [row.exception_id for row in rows if row.redrives]
        found = await self._redriving.outcomes(redriven, 0.0, by="")
        now = await self._rows(Chosen(ids=[row.exception_id for row in rows])) if rows else []
        return [
            Outcome(
                exception_id=row.exception_id,
                state=row.state,
                **(msgspec.structs.asdict(found[row.exception_id]) if row.exception_id in found else {}),
            )
            for row in now
        ]

    async def redrive(
        self, chosen: Chosen, *, by: str, reason: str, dry_run: bool = False, wait_s: float = 30.0
    ) -> list[Redriven]:
        """Send them on their way again, in the order in which they first happened, and look what comes of it.

        wait_s  how long to wait for what is not settled; a node settles it later, too
        raises  TransientFault when the store or the backbone is away: those before are on their way
        """
        if not dry_run:
            must_have_reason(reason)
        rows = await self._rows(chosen)
        for row in rows:
            _must_be(row, ExceptionState.OPEN)
        told = {}
        for row in rows:
            obstacle = self._redriving.obstacle(row)
            findings = [obstacle] if obstacle else await self._findings(row, await self._current(row))
            if not findings and not dry_run:
                try:
                    await self._redriving.send(row, by=by, reason=reason)
                except TransientFault:
                    raise
                except LineshaftError as fault:  # the others do not suffer from it
                    findings = [str(fault)]
            verdict = Verdict.REFUSED if findings else Verdict.WOULD if dry_run else Verdict.WAITING
            told[row.exception_id] = Redriven(
                exception_id=row.exception_id, verdict=verdict, does=_does(row), findings=findings
            )
        sent = [each for each, said in told.items() if said.verdict is Verdict.WAITING]
        for each, found in (await self._redriving.outcomes(sent, wait_s, by=by)).items():
            told[each] = msgspec.structs.replace(told[each], **msgspec.structs.asdict(found))
        return list(told.values())

    async def _rows(self, chosen: Chosen) -> list[ExceptionRow]:
        return await self._store.read(lambda connection: choose(connection, chosen))

    async def _findings(self, row: ExceptionRow, payload: bytes) -> list[str]:
        if carrier_of(row) is not Carrier.PROCESS:
            return self._corrections.findings(row, payload)
        if row.state is not ExceptionState.OPEN:
            return []
        try:
            return await self._processes.correct(row.ref, payload, by="", reason="", dry_run=True)
        except ConfigError as gone_on:
            return [str(gone_on)]

    async def _current(self, row: ExceptionRow) -> bytes:
        """What a redrive sends; of a process what it parked with."""
        if row.revision or carrier_of(row) is not Carrier.PROCESS:
            return row.current
        parked_with = await self._store.read(lambda connection: what_parked(connection, row.ref))
        return parked_with or row.payload

    def _next_step(self, row: ExceptionRow, findings: Sequence[str]) -> str:
        if row.state is ExceptionState.REDRIVEN:
            return "wait: it is on its way, and closes itself when it has posted"
        if row.state is not ExceptionState.OPEN:
            return "nothing: it is closed"
        if obstacle := self._redriving.obstacle(row):
            return obstacle
        if findings:
            return "correct the payload, then redrive it"
        if row.revision:
            return "redrive it: the corrected payload passes its contract"
        return "mend what the cause says, then redrive it; or fix its payload; or discard it"


def _must_be(row: ExceptionRow, *states: ExceptionState) -> None:
    if row.state not in states:
        raise PermanentFault(
            f"exception {row.exception_id} is {row.state}, not {' or '.join(states)}",
            code="not_open",
            hint="`lineshaft exceptions show` tells what was done",
        )


def _does(row: ExceptionRow) -> str:
    payload = f"revision {row.revision} of the payload" if row.revision else "the payload as it came"
    match carrier_of(row):
        case Carrier.EVENT:
            return f"publish {row.envelope.event.type if row.envelope.event else ''} with {payload}"
        case Carrier.WEBHOOK:
            return f"read {payload} as {row.source} does, and publish what it tells"
        case Carrier.READING:
            return f"put {payload} on {row.envelope.topic} again"
        case Carrier.PROCESS:
            return f"retry {row.source}"
        case Carrier.DELIVERY:
            return f"tell {row.source} again"
        case Carrier.NOTHING:
            return "nothing"


def _readable(payload: bytes) -> Any:
    """JSON as what it says, text as it is, anything else as hex."""
    form = _form(payload)
    if form == "json":
        return msgspec.json.decode(payload)
    return payload.decode() if form == "text" else payload.hex(" ")


def _form(payload: bytes) -> str:
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return "hex" if "\0" in payload.decode() else "text"
        except UnicodeDecodeError:
            return "hex"
    return "json"
