"""Stock and money: whether the books are right, and what is not in them yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, text

from lineshaft.contracts.events.inventory import BALANCE_RECONCILED
from lineshaft.core.quantity import Quantity
from lineshaft.insight.kpis.declare import Found, Row, column, said_count, table
from lineshaft.insight.kpis.facts import Comparison
from lineshaft.insight.kpis.question import Question
from lineshaft.store.schema import EMPTY, UNSETTLED, calls, exceptions
from lineshaft.store.statements import rows_at

__all__ = ["stock_accuracy", "valuation_at_risk"]

_MOST = 5_000
_MOST_SHOWN = 100


class _Worth(msgspec.Struct, frozen=True):
    """What a posting is worth, as far as its request says."""

    amount: str | None = None
    currency: str | None = None
    quantity: Quantity | None = None


_WORTH = msgspec.json.Decoder(_Worth, strict=False)


def stock_accuracy(question: Question) -> Found:
    """By the last comparison of each site and pair of systems."""
    last: dict[tuple[str, str, str, str], tuple[datetime, Comparison]] = {}
    buckets = [[0, 0] for _ in question.edges[1:]]
    for plant, at, said in question.told(BALANCE_RECONCILED.type, Comparison):
        last[plant, said.site, said.left, said.right] = (at, said)
        bucket = buckets[question.bucket(at) or 0]
        bucket[0] += said.compared
        bucket[1] += said.different
    compared, different = (
        sum(getattr(said, name) for _, said in last.values()) for name in ("compared", "different")
    )
    if not compared:
        return Found()
    columns = [
        column("plant", "Plant"),
        column("site", "Site"),
        column("left", "System"),
        column("right", "Compared with"),
        column("compared", "Balances", "count"),
        column("different", "Different", "count"),
        column("share", "Accuracy", "share"),
    ]
    rows: list[Row] = [
        [*where, float(said.compared), float(said.different), _share(said.compared, said.different)]
        for where, (_, said) in sorted(last.items())
    ]
    return Found(
        value=_share(compared, different),
        says=f"{different} of {said_count(compared, 'balance')} differ",
        series=[_share(*bucket) for bucket in buckets],
        tables=[table("sites", "By site", columns, rows)],
    )


def valuation_at_risk(question: Question) -> Found:
    """What is to be posted and is not: tried again, outcome unknown, or refused and still a person's."""
    money: dict[str, float] = defaultdict(float)
    pieces: dict[tuple[str, str, str], list[Any]] = defaultdict(lambda: [0, defaultdict(float)])
    count = 0
    for row in _unposted(question):
        count += 1
        try:
            worth = _WORTH.decode(row.request)
        except msgspec.DecodeError:
            worth = _Worth()
        group = pieces[row.plant, row.operation, row.state]
        group[0] += 1
        if worth.amount and worth.currency:
            money[worth.currency] += float(worth.amount)
            group[1][worth.currency] += float(worth.amount)
        elif worth.quantity is not None:
            group[1][worth.quantity.unit] += float(worth.quantity.value)
    if not count:
        return Found(value=0.0, unit="count", says="everything is posted")
    columns = [
        column("plant", "Plant"),
        column("operation", "Posting"),
        column("state", "State"),
        column("count", "Postings", "count"),
        column("sum", "Sum"),
    ]
    rows: list[Row] = [
        [*which, float(number), ", ".join(f"{value:,.2f} {unit}" for unit, value in sorted(amounts.items()))]
        for which, (number, amounts) in sorted(pieces.items(), key=lambda entry: -entry[1][0])
    ]
    told = ", ".join(f"{value:,.2f} {currency}" for currency, value in sorted(money.items()))
    waiting = f"{said_count(count, 'posting')} not in ERP"
    notes = ["Counted as it is now. Quantities without an amount: no event tells a standard cost."]
    if count >= _MOST:
        notes.append(f"Only the {_MOST} oldest are counted.")
    if len(money) == 1:
        ((currency, value),) = money.items()
        found = Found(value=value, unit=currency, says=waiting)
    else:
        found = Found(value=float(count), unit="count", says=f"{waiting}{f': {told}' if told else ''}")
    return msgspec.structs.replace(
        found, tables=[table("postings", "By posting", columns, rows[:_MOST_SHOWN])], notes=notes
    )


def _unposted(question: Question) -> Iterator[Any]:
    names = ("call_id", "plant", "operation", "state", "request")
    columns = [calls.c[name] for name in names]
    asked = (
        select(*columns)
        .where(UNSETTLED, *question.here(calls.c.plant))
        .order_by(calls.c.created_at + EMPTY)  # not by its index: that would walk through what is settled
        .limit(_MOST)
    )
    seen = set()
    for row in question.connection.execute(asked):
        seen.add(row.call_id)
        yield row
    refused = (
        select(exceptions.c.ref)
        .where(text("state = 'open'"), exceptions.c.ref != "", *question.here(exceptions.c.plant))
        .limit(_MOST)
    )
    refs = set(question.connection.execute(refused).scalars()) - seen
    keys = [{"call_id": ref} for ref in sorted(refs)]
    for row in rows_at(question.connection, calls, keys, columns=names):
        if row.state == "rejected":
            yield row


def _share(compared: int, different: int) -> float | None:
    return (compared - different) / compared if compared else None
