"""Requests over HTTP as ledger and gateway both know them: the note of each, and claims on their keys."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

__all__ = ["Claimed", "RecordedAnswer", "RequestClaim", "RequestClaims", "RequestLog", "RequestNote"]


class RequestNote(msgspec.Struct, frozen=True, kw_only=True):
    """One request and what came of it, as the ledger keeps it.

    at    RFC 3339, UTC, when it came in
    code  of the problem that it was answered with; empty: none
    ref   id of the call, process or event that came of it
    """

    request_id: str
    at: str
    caller: str
    account: str
    method: str
    route: str
    path: str
    plant: str
    status: int
    code: str
    duration_ms: float
    correlation_id: str
    ref: str


class RecordedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Claimed(StrEnum):
    """ours       nobody has asked under this key: go on
    in_flight     it was asked and is being worked on
    done          it was asked and answered
    other         it was asked with another payload
    """

    OURS = "ours"
    IN_FLIGHT = "in_flight"
    DONE = "done"
    OTHER = "other"


class RequestClaim(msgspec.Struct, frozen=True, kw_only=True):
    """claimed_by: token of this claim; answer: of what was done before."""

    claim_id: str
    claimed_by: str
    state: Claimed
    answer: RecordedAnswer | None = None


class RequestClaims(Protocol):
    async def claim(self, scope: str, caller: str, key: str, fingerprint: str) -> RequestClaim:
        """Durable when it returns. What a process that died was at work on is ours.

        raises  TransientFault when the store is away
        """
        ...

    async def answered(self, claim: RequestClaim, answer: RecordedAnswer, note: RequestNote) -> None:
        """From now on a repeat gets this answer. Durable together with the note."""
        ...

    async def let_go(self, claim: RequestClaim, note: RequestNote) -> None:
        """Nothing came of it, or nothing is known yet: a repeat is worked on anew."""
        ...


class RequestLog(Protocol):
    def note(self, note: RequestNote) -> None:
        """Durable soon."""
        ...

    async def noted(self, note: RequestNote) -> None:
        """Durable when it returns. raises  TransientFault when the store is away"""
        ...
