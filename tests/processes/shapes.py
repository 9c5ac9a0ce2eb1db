"""Small processes in few words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Value
from lineshaft.processes import Context, ProcessDefinition, process
from tests.books import BOOKED, Books, Posting

__all__ = ["HOUR", "Result", "defined", "post", "posting"]

HOUR = timedelta(hours=1)


class Result(Value, frozen=True, kw_only=True):
    text: str = ""
    amount: int = 0


def defined(run: Any, *, version: int = 1, **changes: Any) -> ProcessDefinition:
    facets: dict[str, Any] = {
        "name": "test",
        "version": version,
        "starts_on": THRESHOLD_EXCEEDED,
        "key": lambda value: value.rule,
        "uses": (Books,),
        "waits_on": (BOOKED,),
        "owner": "maintenance",
    }
    return process(**facets | changes)(run)


def posting(reference: str, amount: int = 1, ctx: Context | None = None) -> Posting:
    """With the time of the process in it, so that a replay with another time diverges."""
    account = rfc3339(ctx.now) if ctx else "x"
    return Posting(reference=reference, amount=amount, account=account)


async def post(ctx: Context, reference: str, amount: int = 1) -> Posting:
    return await ctx.system(Books).post(posting(reference, amount, ctx))
