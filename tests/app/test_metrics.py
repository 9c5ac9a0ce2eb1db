"""What is counted where it happens: under few labels, and quickly."""

from __future__ import annotations

import time

import pytest

from lineshaft.app.metrics import MeteredCalls, Metrics
from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import (
    BusinessFault,
    ContractViolation,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.values import Command, Outcome
from tests.app.queries import alert_rules, dashboard, is_balanced
from tests.books import Posting, booking
from tests.processes.plant import started_by

REPLY = Posting(reference="R1", amount=1)


def metrics() -> Metrics:
    return Metrics("leipzig", "1.0", {THRESHOLD_EXCEEDED.type: THRESHOLD_EXCEEDED}, SystemClock())


def values(of: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """By the labels in order of their names, without the plant's."""
    return {
        tuple(value for label, value in sorted(sample.labels.items()) if label != "plant"): sample.value
        for family in of.collect()
        for sample in family.samples
        if sample.name == name
    }


class Scripted:
    """A CallPort that does what it is told."""

    def __init__(self, *ends: Outcome | LineshaftError) -> None:
        self._ends = list(ends)

    async def call(self, command: Command) -> Outcome:
        end = self._ends.pop(0)
        if isinstance(end, LineshaftError):
            raise end
        return end


def test_what_is_not_to_be_missed_begins_at_zero() -> None:
    told = metrics()
    told.expect({"books.post": "books"}, ["corrective_maintenance"])
    assert values(told, "lineshaft_calls_total") == {
        ("books.post", outcome, "books"): 0 for outcome in ("rejected", "unknown", "failed")
    }
    assert values(told, "lineshaft_processes_ended_total")["corrective_maintenance", "parked"] == 0
    assert values(told, "lineshaft_webhook_attempts_total") == {
        ("delivered",): 0,
        ("waiting",): 0,
        ("failed",): 0,
    }
    told.called("books", "books.post", "unknown", 1.0)
    assert values(told, "lineshaft_calls_total")["books.post", "unknown", "books"] == 1


async def test_calls_are_counted_by_what_came_of_them() -> None:
    told = metrics()
    ends: list[tuple[Outcome | LineshaftError, str]] = [
        (Outcome(call_id="c", reply=REPLY), "posted"),
        (Outcome(call_id="c", reply=REPLY, replayed=True), "replayed"),
        (Outcome(call_id="", reply=REPLY), "answered"),
        (BusinessFault("closed", code="closed_period"), "rejected"),
        (OutcomeUnknown("no answer"), "unknown"),
        (ContractViolation("amount"), "invalid"),
        (TransientFault("refused"), "failed"),
        (PermanentFault("401", code="credentials"), "failed"),
        (PermanentFault("no", code="not_authorised"), "refused"),
    ]
    calls = MeteredCalls(Scripted(*(end for end, _ in ends)), {"books.post": "books"}, told)
    for end, _ in ends:
        if isinstance(end, LineshaftError):
            with pytest.raises(type(end)):
                await calls.call(booking())
        else:
            assert await calls.call(booking()) is end
    counted = values(told, "lineshaft_calls_total")
    assert counted == {
        ("books.post", outcome, "books"): sum(each == outcome for _, each in ends) for _, outcome in ends
    }
    assert values(told, "lineshaft_call_duration_seconds_count") == {("books.post", "books"): len(ends)}


async def test_a_made_up_operation_makes_no_series() -> None:
    told = metrics()
    calls = MeteredCalls(Scripted(PermanentFault("none", code="no_system")), {}, told)
    with pytest.raises(PermanentFault):
        await calls.call(booking())
    assert values(told, "lineshaft_calls_total") == {}


def test_events_of_many_plants_and_types_make_few_series() -> None:
    told = metrics()
    told.recorded([started_by()])
    told.recorded([started_by(type="no.such.thing.v1", plant=f"p{number}") for number in range(1000)])
    counted = values(told, "lineshaft_events_recorded_total")
    assert {kind for _, kind in counted} == {THRESHOLD_EXCEEDED.type, "other"}
    of_plants = {
        sample.labels["plant"]
        for family in told.collect()
        for sample in family.samples
        if sample.name == "lineshaft_events_recorded_total"
    }
    assert len(of_plants) <= 201
    assert "other" in of_plants


def test_counting_a_call_takes_microseconds() -> None:
    told = metrics()
    best_s = 1.0
    for _ in range(20):
        began = time.thread_time()
        for _ in range(1000):
            told.called("erp", "accounting.post_cost", "posted", 0.02)
        best_s = min(best_s, (time.thread_time() - began) / 1000)
    assert best_s < 20e-6  # 2 µs measured; the machine may have other things to do


def test_alerts_say_what_to_look_at() -> None:
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert len(rule["annotations"]["runbook"]) > 40, rule["alert"]
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_panels_of_the_dashboard_lie_side_by_side() -> None:
    taken: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids)) > 40
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@pytest.mark.parametrize("query", ["rate(x[5m)", 'x{a="b}', "sum(x))", "(x"])
def test_a_query_that_cannot_be_read_is_found(query: str) -> None:
    assert not is_balanced(query)
