"""Claims on the keys of requests: whoever repeats one gets the recorded answer, and nothing happens twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import count
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.ids import business_key, new_id
from lineshaft.core.requests import Claimed, RecordedAnswer, RequestClaim, RequestNote
from lineshaft.ledger.requests.log import note_requests
from lineshaft.store import Store, Worker
from lineshaft.store.schema import request_claims
from lineshaft.store.statements import change, inserted
from lineshaft.store.workers import living_workers

__all__ = ["RequestClaims", "claim_row"]

_IN_FLIGHT, _DONE = "in_flight", "done"
_STILL_OURS = "claimed_by = new_claimed_by"
Row = dict[str, Any]


def claim_row(scope: str, caller: str, key: str, fingerprint: str, *, claimed_by: str, at: str) -> Row:
    return {
        "claim_id": business_key(scope, caller, key),
        "scope": scope,
        "caller": caller,
        "key": key,
        "fingerprint": fingerprint,
        "state": _IN_FLIGHT,
        "claimed_by": claimed_by,
        "created_at": at,
    }


class _Over(msgspec.Struct):
    """row: what the claim becomes; None: it is let go."""

    claim: RequestClaim
    note: RequestNote
    row: Row | None = None


class RequestClaims:
    """See core.requests.RequestClaims. worker: this process among the others on this database, if any."""

    def __init__(self, store: Store, clock: Clock, worker: Worker | None = None) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._numbers = count(1)
        self._life = new_id()
        self._at_work: set[str] = set()

    async def claim(self, scope: str, caller: str, key: str, fingerprint: str) -> RequestClaim:
        token = self._token()
        row = claim_row(scope, caller, key, fingerprint, claimed_by=token, at=rfc3339(self._clock.now()))
        self._at_work.add(token)
        try:
            claim = await self._store.write_together(self._claim_all, row)
        except BaseException:
            self._at_work.discard(token)
            raise
        if claim.state is not Claimed.OURS:
            self._at_work.discard(token)
        return claim

    async def answered(self, claim: RequestClaim, answer: RecordedAnswer, note: RequestNote) -> None:
        row = {
            "claim_id": claim.claim_id,
            "claimed_by": claim.claimed_by,
            "state": _DONE,
            "status": answer.status,
            "headers": msgspec.json.encode(answer.headers).decode(),
            "body": answer.body,
            "finished_at": rfc3339(self._clock.now()),
        }
        await self._end(_Over(claim, note, row))

    async def let_go(self, claim: RequestClaim, note: RequestNote) -> None:
        await self._end(_Over(claim, note))

    async def _end(self, over: _Over) -> None:
        """Whether it can be written or not, nobody is at work on it any more."""
        try:
            await self._store.write_together(_over, over)
        finally:
            self._at_work.discard(over.claim.claimed_by)

    def _token(self) -> str:
        """`<worker>:<epoch>:<life>.<number>`, as claims on calls have it."""
        number = f"{self._life}.{next(self._numbers)}"
        return f"{self._worker.name}:{self._worker.epoch}:{number}" if self._worker else number

    def _claim_all(self, connection: Connection, rows: Sequence[Row]) -> list[RequestClaim]:
        first = {row["claim_id"]: row for row in reversed(rows)}
        new = inserted(connection, request_claims, [first[each] for each in sorted(first)])
        earlier = first.keys() - new
        found = self._earlier(connection, earlier, first) if earlier else {}
        return [_judged(row, found.get(row["claim_id"]) or first[row["claim_id"]]) for row in rows]

    def _earlier(self, connection: Connection, ids: Set[str], asked: Mapping[str, Row]) -> dict[str, Row]:
        """As they stand now; those of the dead are taken over by the one who asked first."""
        found = {row.claim_id: dict(row._mapping) for row in connection.execute(_FOUND, {"ids": sorted(ids)})}
        under_way = [row for row in found.values() if row["state"] == _IN_FLIGHT]
        living = self._living(connection) if under_way else set()
        taken = []
        for row in under_way:
            mine = asked[row["claim_id"]]
            if row["fingerprint"] == mine["fingerprint"] and not self._lives(row["claimed_by"], living):
                taken.append({"claim_id": row["claim_id"], "claimed_by": mine["claimed_by"]})
                row["claimed_by"] = mine["claimed_by"]
        change(connection, request_claims, taken)
        return found

    def _living(self, connection: Connection) -> set[tuple[str, int]]:
        """Other workers: what we did in an earlier life is over."""
        others = living_workers(connection) if self._worker else set()
        return {each for each in others if self._worker and each[0] != self._worker.name}

    def _lives(self, claimed_by: str, living: set[tuple[str, int]]) -> bool:
        """Whether somebody is at work on it: ourselves, in this life, or another worker that is alive."""
        holder, _, number = claimed_by.rpartition(":")
        if number.startswith(f"{self._life}."):
            return claimed_by in self._at_work
        name, _, epoch = holder.rpartition(":")
        return bool(name) and (name, int(epoch)) in living


def _judged(row: Row, found: Row) -> RequestClaim:
    """found: the row as it stands, which may be the one that was asked for."""
    answer = None
    if found["claimed_by"] == row["claimed_by"]:
        state = Claimed.OURS
    elif found["fingerprint"] != row["fingerprint"]:
        state = Claimed.OTHER
    elif found["state"] == _DONE:
        state = Claimed.DONE
        headers = msgspec.json.decode(found["headers"])
        answer = RecordedAnswer(status=found["status"], headers=headers, body=found["body"])
    else:
        state = Claimed.IN_FLIGHT
    return RequestClaim(claim_id=row["claim_id"], claimed_by=row["claimed_by"], state=state, answer=answer)


def _over(connection: Connection, ended: Sequence[_Over]) -> list[None]:
    """A claim that another took over since stays as that one leaves it."""
    change(connection, request_claims, [each.row for each in ended if each.row], only=_STILL_OURS)
    let_go = [
        {"its_id": each.claim.claim_id, "its_claim": each.claim.claimed_by}
        for each in ended
        if each.row is None
    ]
    if let_go:
        connection.execute(_LET_GO, let_go)
    note_requests(connection, [each.note for each in ended])
    return [None] * len(ended)


_READ = ("claim_id", "fingerprint", "state", "status", "headers", "body", "claimed_by")
_FOUND = (
    select(*(request_claims.c[name] for name in _READ))
    .where(request_claims.c.claim_id.in_(bindparam("ids", expanding=True)))
    .order_by(request_claims.c.claim_id)
    .with_for_update()
)
_LET_GO = delete(request_claims).where(
    request_claims.c.claim_id == bindparam("its_id"), request_claims.c.claimed_by == bindparam("its_claim")
)
