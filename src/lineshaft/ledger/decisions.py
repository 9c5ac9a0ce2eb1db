"""What was decided about an exception so far, so that nobody decides on what is no longer so."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select

from lineshaft.core.errors import ChangedMeanwhile
from lineshaft.ledger.corrections import Carrier, carrier_of
from lineshaft.ledger.exception_rows import ExceptionRow
from lineshaft.store.schema import audit, processes

__all__ = ["decisions", "must_be_seen"]

_CHANGING = tuple(f"exception.{what}" for what in ("fixed", "redriven", "discarded", "resolved"))


def decisions(connection: Connection, row: ExceptionRow) -> int:
    """How many there are that change it; of a process, those about the process, too."""
    (number,) = connection.execute(select(func.count()).where(_about(row))).one()
    return int(number)


def must_be_seen(connection: Connection, row: ExceptionRow, seen: int) -> None:
    """seen: what `decisions` was for who decides now. Inside a unit of work nothing is decided in between.

    raises  ChangedMeanwhile, which tells of the last one
    """
    if carrier_of(row) is Carrier.PROCESS:  # decisions about it lock it, too
        held = select(processes.c.process_id).where(processes.c.process_id == row.ref)
        connection.execute(held.with_for_update())
    if decisions(connection, row) == seen:
        return
    newest = select(audit.c.actor, audit.c.at, audit.c.action).where(_about(row))
    last = connection.execute(newest.order_by(audit.c.at.desc(), audit.c.seq.desc()).limit(1)).first()
    raise ChangedMeanwhile.told(
        f"exception {row.exception_id}",
        by=last.actor if last else "",
        at=last.at if last else "",
        action=last.action if last else "",
    )


def _about(row: ExceptionRow) -> ColumnElement[bool]:
    own = (audit.c.subject == row.exception_id) & audit.c.action.in_(_CHANGING)
    if carrier_of(row) is not Carrier.PROCESS:
        return own
    return own | ((audit.c.subject == row.ref) & audit.c.action.startswith("process."))
