"""How long the ledger keeps what is over. What makes a repeat recognisable, and the audit, stay for ever.

Each sweep goes through small batches, so that no writer waits long for its turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.exceptions import ExceptionState
from lineshaft.core.subscriptions import DeliveryState
from lineshaft.core.values import OutcomeState
from lineshaft.ledger.eventlog import keys_in
from lineshaft.ledger.key_index import key_rows
from lineshaft.store import Store
from lineshaft.store.schema import (
    api_requests,
    business_keys,
    calls,
    deliveries,
    events,
    exceptions,
    process_waits,
    processes,
    request_claims,
    retention_marks,
    signals,
)
from lineshaft.store.statements import put

__all__ = ["KeepFor", "Retention"]

_AT_ONCE = 200
_PAYLOADS = "call_payloads"
_CLOSED = (ExceptionState.RESOLVED, ExceptionState.DISCARDED)


class KeepFor(msgspec.Struct, frozen=True, kw_only=True):
    """call_payloads: request and reply of a call, whose row stays in any case.

    requests: over HTTP, with their answers. That an event was taken in stays known: claims of scope `event`.
    """

    events: timedelta
    signals: timedelta
    exceptions: timedelta
    call_payloads: timedelta
    requests: timedelta = timedelta(days=400)


class Retention:
    def __init__(
        self, store: Store, contracts: Mapping[str, EventContract[Any]], clock: Clock, keep: KeepFor
    ) -> None:
        self._store = store
        self._contracts = contracts
        self._clock = clock
        self._keep = keep

    async def sweep(self, *, dry_run: bool = False) -> dict[str, int]:
        """By table, how many rows went (of calls: were blanked), or in a dry run would go.

        raises  TransientFault when the store is away; what is gone until then stays gone
        """
        questions = {
            "events": (self._keep.events, _old_events),
            "signals": (self._keep.signals, _old_signals),
            "exceptions": (self._keep.exceptions, _old_exceptions),
            "requests": (self._keep.requests, _old_requests),
            "request_claims": (self._keep.requests, _old_claims),
            "deliveries": (self._keep.events, _old_deliveries),
            _PAYLOADS: (self._keep.call_payloads, _old_payloads),
        }
        found = {}
        for name, (keep, question) in questions.items():
            before = rfc3339(self._clock.now() - keep)
            if dry_run:
                counted = select(func.count()).select_from(question(before).subquery())
                ((found[name],),) = await self._store.read(partial(_rows, asked=counted))
            else:
                found[name] = await self._swept(name, question(before), before)
        return found

    async def _swept(self, name: str, old: Select[Any], before: str) -> int:
        remove = {
            "events": self._remove_events,
            "signals": _remove_signals,
            "exceptions": _remove_exceptions,
            "requests": _remove_requests,
            "request_claims": _remove_claims,
            "deliveries": _remove_deliveries,
            _PAYLOADS: _blank_payloads,
        }[name]
        place = await self._store.read(_mark) if name == _PAYLOADS else ""
        total, after = 0, (place, "")
        while True:
            at, key = old.selected_columns[0], old.selected_columns[1]
            batch = old.where(tuple_(at, key) > tuple_(*after)).order_by(at, key).limit(_AT_ONCE)
            rows = await self._store.read(partial(_rows, asked=batch))
            if rows:
                ids = [row[1] for row in rows]
                again = old.where(key.in_(ids))
                total += await self._store.write(partial(remove, old=again))
                after = (rows[-1][0], rows[-1][1])
            if len(rows) < _AT_ONCE:
                break
        if name == _PAYLOADS:
            await self._store.write(lambda connection: _move_mark(connection, before))
        return total

    def _remove_events(self, connection: Connection, old: Select[Any]) -> int:
        """With what the index of business keys has of them: it is found by the keys that they mention."""
        rows = connection.execute(old).all()
        found = [
            (row.event_id, keys_in(self._contracts.get(row.type), row.subject, row.data.encode()))
            for row in rows
        ]
        index = business_keys.c
        mentions = [
            {"of_key": each["key"], "of_kind": each["kind"], "of_ref": each["ref"]}
            for each in key_rows("event", found)
        ]
        if mentions:
            connection.execute(
                delete(business_keys).where(
                    index.key == bindparam("of_key"),
                    index.kind == bindparam("of_kind"),
                    index.ref == bindparam("of_ref"),
                ),
                mentions,
            )
        return _delete(connection, events.c.event_id, [row.event_id for row in rows])


def _rows(connection: Connection, asked: Select[Any]) -> Sequence[Any]:
    return connection.execute(asked).all()


def _unfinished(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(processes.c.finished_at == "", *conditions)


def _old_events(before: str) -> Select[Any]:
    """Of stories in which nothing is open: no process, no call whose outcome is not known, no exception."""
    event, call, wrong, wait = events.c, calls.c, exceptions.c, process_waits.c
    return select(event.recorded_at, event.event_id, event.type, event.subject, event.data).where(
        event.recorded_at < before,
        ~_unfinished(processes.c.correlation_id == event.correlation_id),
        ~_unfinished(wait.event_id == event.event_id, wait.process_id == processes.c.process_id),
        ~exists().where(
            call.correlation_id == event.correlation_id,
            call.state.in_([OutcomeState.SENDING, OutcomeState.UNKNOWN]),
        ),
        ~exists().where(
            wrong.correlation_id == event.correlation_id,
            wrong.correlation_id != "",
            wrong.state.not_in(_CLOSED),
        ),
    )


def _old_signals(before: str) -> Select[Any]:
    """That nobody waits for, with a key in the story of no unfinished process: one might ask for it later."""
    signal, wait, index, call, event = signals.c, process_waits.c, business_keys.c, calls.c, events.c
    waited = exists().where(wait.event_type == signal.event_type, wait.key == signal.key, wait.event_id == "")
    mentioned = index.key == signal.key
    return select(signal.received_at, signal.event_id).where(
        signal.received_at < before,
        ~waited,
        ~_unfinished(mentioned, index.kind == "process", index.ref == processes.c.process_id),
        ~_unfinished(
            mentioned,
            index.kind == "call",
            index.ref == call.call_id,
            call.correlation_id == processes.c.correlation_id,
        ),
        ~_unfinished(
            mentioned,
            index.kind == "event",
            index.ref == event.event_id,
            event.correlation_id == processes.c.correlation_id,
        ),
        ~_unfinished(
            mentioned,
            index.kind == "event",
            index.ref == wait.event_id,
            wait.process_id == processes.c.process_id,
        ),
    )


def _old_exceptions(before: str) -> Select[Any]:
    wrong = exceptions.c
    return select(wrong.last_at, wrong.exception_id).where(
        wrong.state.in_(_CLOSED), wrong.last_at < before, wrong.closed_at < before
    )


def _old_requests(before: str) -> Select[Any]:
    request = api_requests.c
    return select(request.at, request.request_id).where(request.at < before)


def _old_claims(before: str) -> Select[Any]:
    claim = request_claims.c
    return select(claim.created_at, claim.claim_id).where(
        claim.created_at < before, claim.scope != "event", claim.state == "done"
    )


def _old_deliveries(before: str) -> Select[Any]:
    """Of webhooks. What is not told yet stays, and what failed waits for a person."""
    delivery = deliveries.c
    over = [DeliveryState.DELIVERED.value, DeliveryState.DROPPED.value]
    return select(delivery.created_at, delivery.delivery_id).where(
        delivery.created_at < before, delivery.finished_at < before, delivery.state.in_(over)
    )


def _old_payloads(before: str) -> Select[Any]:
    """Of calls whose outcome is known, in stories whose processes have ended."""
    call = calls.c
    return select(call.created_at, call.call_id).where(
        call.created_at < before,
        or_(call.request != "", call.reply != ""),
        call.state.in_([OutcomeState.POSTED, OutcomeState.REJECTED, OutcomeState.FAILED]),
        ~_unfinished(processes.c.correlation_id == call.correlation_id),
    )


def _remove_signals(connection: Connection, old: Select[Any]) -> int:
    return _delete(connection, signals.c.event_id, [row.event_id for row in connection.execute(old)])


def _remove_exceptions(connection: Connection, old: Select[Any]) -> int:
    ids = [row.exception_id for row in connection.execute(old)]
    return _delete(connection, exceptions.c.exception_id, ids)


def _remove_requests(connection: Connection, old: Select[Any]) -> int:
    return _delete(connection, api_requests.c.request_id, [row.request_id for row in connection.execute(old)])


def _remove_claims(connection: Connection, old: Select[Any]) -> int:
    return _delete(connection, request_claims.c.claim_id, [row.claim_id for row in connection.execute(old)])


def _remove_deliveries(connection: Connection, old: Select[Any]) -> int:
    return _delete(connection, deliveries.c.delivery_id, [row.delivery_id for row in connection.execute(old)])


def _blank_payloads(connection: Connection, old: Select[Any]) -> int:
    ids = [row.call_id for row in connection.execute(old)]
    connection.execute(update(calls).where(calls.c.call_id.in_(ids)).values(request="", reply=""))
    return len(ids)


def _delete(connection: Connection, key: Any, ids: Sequence[str]) -> int:
    connection.execute(delete(key.table).where(key.in_(ids)))
    return len(ids)


def _mark(connection: Connection) -> str:
    """All calls made before it have no payload any more."""
    asked = select(retention_marks.c.up_to).where(retention_marks.c.name == _PAYLOADS)
    return str(connection.execute(asked).scalar() or "")


def _move_mark(connection: Connection, before: str) -> None:
    """As far as nothing was left out: the story of a call may still be open."""
    left = select(func.min(calls.c.created_at)).where(
        and_(
            calls.c.created_at >= _mark(connection),
            calls.c.created_at < before,
            or_(calls.c.request != "", calls.c.reply != ""),
        )
    )
    first = connection.execute(left).scalar()
    put(connection, retention_marks, [{"name": _PAYLOADS, "up_to": first or before}])
