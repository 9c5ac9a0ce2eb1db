"""What equipment made, by confirmations or accepted counts, and how long each piece should have taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from lineshaft.contracts.events.masterdata import ROUTING_CHANGED
from lineshaft.contracts.events.production import (
    CONFIRMATION_RECORDED,
    CONFIRMATION_REVERSED,
    COUNT_ACCEPTED,
    JOB_DISPATCHED,
    ORDER_CHANGED,
    ORDER_RELEASED,
)
from lineshaft.insight.kpis.equipment import Unit
from lineshaft.insight.kpis.facts import Confirmation, Count, Job, Order, Routing
from lineshaft.insight.kpis.oee import Made
from lineshaft.insight.kpis.question import Question
from lineshaft.insight.kpis.spans import epoch

__all__ = ["output", "recorded"]

_ORDERS_BEFORE = timedelta(days=31)
_TOLD_LATER = timedelta(days=2)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


_Operations = Mapping[tuple[str, str, str], tuple[str, str]]
"""(plant, order, operation of it) → (material, operation of its routing)."""


def output(question: Question) -> dict[Unit, list[Made]]:
    """Of each piece of equipment, by confirmations; by accepted counts where it has none.

    A confirmation counts at the equipment that it names, else at that of the job.
    """
    plan = _Plan(question)
    found: dict[Unit, list[Made]] = defaultdict(list)
    for plant, said in _confirmations(question):
        operation = (plant, said.operations_request_id, said.segment_requirement_id)
        made = sum(
            float(part.value)
            for part in (said.yield_quantity, said.scrap_quantity, said.rework_quantity)
            if part is not None
        )
        for equipment in {used.equipment_id for used in said.equipment_actual} or plan.equipment(operation):
            one = Made(
                span=(epoch(said.actual_start_time), epoch(said.actual_end_time)),
                made=made,
                good=float(said.yield_quantity.value),
                run_time_s=plan.run_time(operation),
            )
            found[plant, equipment].append(one)
    confirmed = set(found)
    for plant, count in _counts(question):
        if (plant, count.equipment_id) not in confirmed:
            good = float(count.quantity.value)
            run_time = plan.routed.get((plant, count.material_definition_id, count.operations_segment_id))
            one = Made(span=(epoch(count.start_time), epoch(count.end_time)), made=good, run_time_s=run_time)
            found[plant, count.equipment_id].append(one)
    return found


class _Plan:
    """Planned run time per item (PRI): of the routing, else of the job as it was dispatched."""

    def __init__(self, question: Question) -> None:
        since, until = question.start - _ORDERS_BEFORE, question.end
        self._operations: dict[tuple[str, str, str], tuple[str, str]] = {}
        for kind in (ORDER_RELEASED, ORDER_CHANGED):
            for plant, _, order in question.told(kind.type, Order, since, until):
                for part in order.segment_requirement:
                    found = (order.material_definition_id, part.operations_segment_id)
                    self._operations[plant, order.id, part.id] = found
        self.routed = {
            (plant, routing.material_definition_id, segment.id): segment.run_time_per_unit
            for plant, _, routing in question.told(ROUTING_CHANGED.type, Routing, _EVER, until)
            for segment in routing.operations_segment
        }
        self._jobs: dict[tuple[str, str, str], list[Job]] = defaultdict(list)
        for plant, _, job in question.told(JOB_DISPATCHED.type, Job, since, until):
            self._jobs[plant, job.operations_request_id, job.segment_requirement_id].append(job)

    def equipment(self, operation: tuple[str, str, str]) -> set[str]:
        """Where the jobs of an operation ran, if that is one place: else nobody knows what was made where."""
        found = {job.equipment_id for job in self._jobs.get(operation, ())}
        return found if len(found) == 1 else set()

    def run_time(self, operation: tuple[str, str, str]) -> float | None:
        material, segment = self._operations.get(operation, ("", ""))
        routed = self.routed.get((operation[0], material, segment))
        if routed is not None:
            return routed
        for job in self._jobs.get(operation, ()):
            if job.start_time and job.end_time and job.quantity.value > 0:
                return (job.end_time - job.start_time).total_seconds() / float(job.quantity.value)
        return None


def recorded(question: Question) -> list[tuple[str, datetime, Confirmation]]:
    """(plant, when, what) of the confirmations of the period, and of some days after it."""
    until = min(question.now, question.end + _TOLD_LATER)
    return list(question.told(CONFIRMATION_RECORDED.type, Confirmation, until=until))


def _confirmations(question: Question) -> list[tuple[str, Confirmation]]:
    """Of each the last revision, without those that were taken back. They are told after what they tell."""
    newest: dict[tuple[str, str], Confirmation] = {}
    reversed_ones = set()
    for plant, _, said in question.once("confirmations", recorded):
        known = newest.get((plant, said.id))
        if said.reversal_of:
            reversed_ones.add((plant, said.reversal_of))
        elif known is None or known.revision <= said.revision:
            newest[plant, said.id] = said
    for plant, _, said in question.told(CONFIRMATION_REVERSED.type, Confirmation, until=question.now):
        reversed_ones.add((plant, said.reversal_of or said.id))
    return [(plant, said) for (plant, id), said in newest.items() if (plant, id) not in reversed_ones]


def _counts(question: Question) -> list[tuple[str, Count]]:
    until = min(question.now, question.end + _TOLD_LATER)
    newest: dict[tuple[str, str, str, datetime], Count] = {}
    for plant, _, count in question.told(COUNT_ACCEPTED.type, Count, until=until):
        which = (plant, count.equipment_id, count.property, count.start_time)
        if which not in newest or newest[which].revision <= count.revision:
            newest[which] = count
    return [(plant, count) for (plant, *_), count in newest.items()]
