"""Events from outside: claimed by their identity and put into the outbox in one transaction, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from lineshaft.core.arrivals import Arrival, Taken
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import new_id
from lineshaft.core.requests import RequestNote
from lineshaft.core.values import Event
from lineshaft.ledger.requests.log import note_requests
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import request_claims
from lineshaft.store.statements import insert_all, inserted

__all__ = ["Intake"]

_SCOPE = "event"
_ACCEPTED = 202


class _Asked:
    """One request's arrivals. token: by which a commit whose answer was lost knows its own rows again."""

    __slots__ = ("arrivals", "note", "rows", "token")

    def __init__(self, arrivals: Sequence[Arrival], at: str, note: RequestNote | None = None) -> None:
        self.arrivals = arrivals
        self.note = note
        self.token = new_id()
        self.rows = [self._row(arrival, at) for arrival in arrivals]

    def _row(self, arrival: Arrival, at: str) -> dict[str, Any]:
        return {
            "claim_id": arrival.event.id,
            "scope": _SCOPE,
            "caller": "",
            "key": arrival.told_as,
            "fingerprint": arrival.fingerprint,
            "state": "done",
            "status": _ACCEPTED,
            "claimed_by": self.token,
            "created_at": at,
            "finished_at": at,
        }


class Intake:
    """Implements core.arrivals.TakesEvents."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def take(self, arrivals: Sequence[Arrival], note: RequestNote | None = None) -> Sequence[Taken]:
        asked = _Asked(arrivals, rfc3339(self._clock.now()), note)
        return await self._store.write_together(_take_together, asked)


def _take_together(connection: Connection, asked: Sequence[_Asked]) -> list[list[Taken]]:
    verdicts = _verdicts(connection, asked)
    taken = zip(asked, verdicts, strict=True)
    note_requests(connection, [each.note for each, told in taken if each.note and Taken.REUSED not in told])
    return verdicts


def _verdicts(connection: Connection, asked: Sequence[_Asked]) -> list[list[Taken]]:
    first: dict[str, dict[str, Any]] = {}
    for each in asked:
        for row in each.rows:
            first.setdefault(row["claim_id"], row)
    new = inserted(
        connection, request_claims, [first[key] for key in sorted(first)]
    )  # the same order for all
    # by claim: what holds it now, as (fingerprint, token of the request that made it)
    holds = {key: (first[key]["fingerprint"], "") for key in new}
    if len(new) < len(first):
        earlier = connection.execute(_EARLIER, {"ids": [key for key in first if key not in new]})
        holds |= {row.claim_id: (row.fingerprint, row.claimed_by) for row in earlier}
    if len(new) == len(first) == sum(len(each.rows) for each in asked):  # as it nearly always is
        Outbox.add(connection, [arrival.event for each in asked for arrival in each.arrivals])
        return [[Taken.NEW] * len(each.rows) for each in asked]
    return _sorted_out(connection, asked, first, new, holds)


def _sorted_out(
    connection: Connection,
    asked: Sequence[_Asked],
    first: dict[str, dict[str, Any]],
    new: set[str],
    holds: dict[str, tuple[str, str]],
) -> list[list[Taken]]:
    """In the order of asking: a request with a reused identity takes nothing, and leaves no claim behind."""
    known = {key: held for key, held in holds.items() if key not in new}
    taken: dict[str, dict[str, Any]] = {}
    events: list[Event] = []
    verdicts = []
    for each in asked:
        mine: dict[str, dict[str, Any]] = {}
        told: list[Taken] = []
        fresh: list[Event] = []
        for arrival, row in zip(each.arrivals, each.rows, strict=True):
            key = row["claim_id"]
            fingerprint, token = known.get(key) or (mine[key]["fingerprint"] if key in mine else "", "")
            if fingerprint and fingerprint != arrival.fingerprint:
                told.append(Taken.REUSED)
            elif fingerprint:
                told.append(Taken.NEW if token == each.token else Taken.REPLAYED)
            else:
                mine[key] = row
                fresh.append(arrival.event)
                told.append(Taken.NEW)
        if Taken.REUSED not in told:
            taken |= mine
            known |= {key: (row["fingerprint"], "") for key, row in mine.items()}
            events += fresh
        verdicts.append(told)
    wrong = [key for key in new if taken.get(key) is not first[key]]
    if wrong:
        connection.execute(_LET_GO, {"ids": wrong})
        insert_all(connection, request_claims, [taken[key] for key in wrong if key in taken])
    Outbox.add(connection, events)
    return verdicts


_EARLIER = select(request_claims.c.claim_id, request_claims.c.fingerprint, request_claims.c.claimed_by).where(
    request_claims.c.claim_id.in_(bindparam("ids", expanding=True))
)
_LET_GO = delete(request_claims).where(request_claims.c.claim_id.in_(bindparam("ids", expanding=True)))
