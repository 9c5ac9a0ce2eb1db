"""What was asked against what the target systems hold: every effect of S2 exactly once, by business key.

The checker knows the story and nothing of the product: neither its keys nor its ledger. It begins with the
facts that machines told and follows the documents from system to system; each document that is there says
what has to be there because of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

__all__ = ["Fact", "Held", "Verdict", "check", "noted_since"]

Row = Mapping[str, Any]
Key = tuple[str, ...]
_NOTED = re.compile(r"since (?P<start>\S+), rule ")


@dataclass(frozen=True, order=True)
class Fact:
    """A limit broken on an asset since then."""

    asset: str
    start: datetime


@dataclass(frozen=True, kw_only=True)
class Held:
    """Rows as the target systems have them: CMMS, inventory and planning by their tables, ERP by its books.

    mirrored, booked   stock on hand by material in the inventory system, and in ERP
    """

    requests: Sequence[Row] = ()
    orders: Sequence[Row] = ()
    notes: Sequence[Row] = ()
    task_updates: Sequence[Row] = ()
    completions: Sequence[Row] = ()
    allocations: Sequence[Row] = ()
    picks: Sequence[Row] = ()
    ledger_updates: Sequence[Row] = ()
    notices: Sequence[Row] = ()
    requisitions: Sequence[Row] = ()
    consumptions: Sequence[Row] = ()
    labour_costs: Sequence[Row] = ()
    mirrored: Mapping[str, Decimal] = field(default_factory=dict)
    booked: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Effects, not facts. asked = posted + len(lost) + len(parked).

    lost        asked and not there, as `<effect> <business key>`
    duplicated  there more often than asked; one entry per effect too many
    parked      asked and not there, while a person has the instance
    by_effect   effect: (asked, held)
    """

    asked: int
    posted: int
    lost: Sequence[str]
    duplicated: Sequence[str]
    parked: Sequence[str]
    by_effect: Mapping[str, tuple[int, int]]

    @property
    def once(self) -> bool:
        """Nothing lost, nothing doubled; what a person has is neither."""
        return not (self.lost or self.duplicated)

    @property
    def single(self) -> bool:
        """Every effect once, and nobody is asked."""
        return self.once and not self.parked


def noted_since(text: str) -> datetime | None:
    """The start of the finding that a note on an order tells of; None for a note by a person."""
    noted = _NOTED.search(text)
    return datetime.fromisoformat(noted["start"]) if noted else None


def check(facts: Iterable[Fact], held: Held, parked: Iterable[Fact] = ()) -> Verdict:
    """parked: facts whose instance waits for a person; what they lack is not lost."""
    parked = set(parked)
    count = _Count()
    facts_of_order = _findings(count, facts, held)
    by_order = {str(row["work_order_no"]): row for row in reversed(held.task_updates)}
    for order, fact in facts_of_order.items():
        count.ask("task_update", fact, order)
        if order in by_order:
            _supply(count, fact, order, by_order[order], held)
            count.ask("completion", fact, order)
    _supplied(count, held)
    _costs(count, facts_of_order, held)
    _mirror(count, held)
    return count.verdict(parked)


class _Count:
    """Two multisets of (effect, key): asked, each with the fact that it came of, and held."""

    def __init__(self) -> None:
        self._asked: Counter[Key] = Counter()
        self._held: Counter[Key] = Counter()
        self._fact: dict[Key, Fact | None] = {}

    def ask(self, effect: str, fact: Fact | None, *key: object) -> None:
        named = (effect, *map(str, key))
        self._asked[named] += 1
        self._fact[named] = fact

    def hold(self, effect: str, *key: object) -> None:
        self._held[(effect, *map(str, key))] += 1

    def verdict(self, parked: set[Fact]) -> Verdict:
        missing = self._asked - self._held
        surplus = self._held - self._asked
        lost = [key for key in missing.elements() if self._fact[key] not in parked]
        waiting = [key for key in missing.elements() if self._fact[key] in parked]
        asked, effects = self._asked.total(), sorted({key[0] for key in (*self._asked, *self._held)})
        return Verdict(
            asked=asked,
            posted=asked - missing.total(),
            lost=[" ".join(key) for key in sorted(lost)],
            duplicated=[" ".join(key) for key in sorted(surplus.elements())],
            parked=[" ".join(key) for key in sorted(waiting)],
            by_effect={name: (_total(self._asked, name), _total(self._held, name)) for name in effects},
        )


def _total(counted: Counter[Key], effect: str) -> int:
    return sum(number for key, number in counted.items() if key[0] == effect)


def _findings(count: _Count, facts: Iterable[Fact], held: Held) -> dict[str, Fact | None]:
    """Each fact is one request, or one note on the order that was open; each request has one order.

    returns  order: the fact that opened it, None when nobody asked for it
    """
    asked = set()
    for fact in facts:
        count.ask("finding", fact, fact.asset, fact.start)
        asked.add(fact)
    fact_of_request = {}
    for row in held.requests:
        fact = Fact(str(row["asset_no"]), datetime.fromisoformat(row["broken_since"]))
        count.hold("finding", fact.asset, fact.start)
        fact_of_request[row["request_no"]] = fact if fact in asked else None
        count.ask("maintenance_order", fact, row["request_no"])
    opened, assets = {}, {}
    for row in held.orders:
        count.hold("maintenance_order", row["request_no"])
        opened[str(row["work_order_no"])] = fact_of_request.get(row["request_no"])
        assets[row["work_order_no"]] = row["asset_no"]
    for row in held.notes:
        count.hold("finding", assets.get(row["work_order_no"]), noted_since(row["text"]) or row["text"])
    return opened


def _supply(count: _Count, fact: Fact | None, order: str, update: Row, held: Held) -> None:
    """Reserved parts are promised and withdrawn; short ones are requisitioned, and planning is told twice."""
    short = update["status"] != "PARTS_RESERVED"
    for line in msgspec.json.decode(update["part_lines"]):
        if line.get("reservationRef"):
            count.ask("reservation", fact, order, line["pos"])
            count.ask("withdrawal", fact, order, line["pos"])
        else:
            count.ask("requisition", fact, order, line["partNo"])
    if short:
        count.ask("capacity_notice", fact, order, "REDUCED")
        count.ask("capacity_notice", fact, order, "FULL")


def _supplied(count: _Count, held: Held) -> None:
    lines = {}
    for row in held.allocations:
        count.hold("reservation", row["demand_ref"], row["demand_line"])
        lines[row["allocation_id"]] = (row["demand_ref"], row["demand_line"])
    for row in held.picks:
        count.hold("withdrawal", *lines.get(row["allocation_id"], (row["allocation_id"],)))
    for row in held.requisitions:
        count.hold("requisition", row["reference"], row["material"])
    for row in held.notices:
        count.hold("capacity_notice", row["reference"], row["kind"])
    for row in held.task_updates:
        count.hold("task_update", row["work_order_no"])


def _costs(count: _Count, facts_of_order: Mapping[str, Fact | None], held: Held) -> None:
    """What the technician booked is in the books: each part and each labour booking, with its amount."""
    for row in held.completions:
        order = str(row["work_order_no"])
        fact, report = facts_of_order.get(order), msgspec.json.decode(row["document"])
        count.hold("completion", order)
        for part in report["partsUsed"]:
            count.ask("consumption", fact, order, part["partNo"], _plain(part["qty"]))
        for work in report["labour"]:
            lasted = datetime.fromisoformat(work["end"]) - datetime.fromisoformat(work["begin"])
            hours = Decimal(str(lasted.total_seconds())) / 3600
            count.ask("labour_cost", fact, order, _plain(hours * Decimal(work["hourlyRate"]["amount"])))
    for row in held.consumptions:
        count.hold("consumption", row["reference"], row["material"], _plain(row["quantity"]))
    for row in held.labour_costs:
        count.hold("labour_cost", row["reference"], _plain(row["amount"]))


def _plain(number: object) -> str:
    """One text for one amount, to the cent."""
    return str(Decimal(str(number)).quantize(Decimal("0.01")))


def _mirror(count: _Count, held: Held) -> None:
    """A balance is told once per state of the books, and at the end the mirror shows them."""
    for told in {(row["sku"], row["source_seq"]) for row in held.ledger_updates}:
        count.ask("balance_update", None, *told)
    for row in held.ledger_updates:
        count.hold("balance_update", row["sku"], row["source_seq"])
    for material, quantity in held.booked.items():
        count.ask("mirrored_balance", None, material, _plain(quantity))
        if held.mirrored.get(material) == quantity:
            count.hold("mirrored_balance", material, _plain(quantity))
