"""Who counts processes is told of each start and end, and who takes spans sees one trace."""

from __future__ import annotations

from lineshaft.core.errors import BusinessFault
from lineshaft.core.tracing import Span, taking_spans
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context
from tests.waiting import until

from .conftest import Build
from .plant import Answers, booked_event, started_by
from .shapes import Result, defined, post
from .test_children import OUTER


class Meter:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.took_s: list[float] = []

    def started(self, process: str) -> None:
        self.told.append(f"{process} started")

    def ended(self, process: str, state: str, took_s: float) -> None:
        self.told.append(f"{process} {state}")
        self.took_s.append(took_s)


async def test_starts_and_ends_are_counted_once_those_of_children_too(house: Build) -> None:
    meter = Meter()
    here = house(OUTER, meter=meter)
    async with here.running():
        await here.engine.handle(started_by())
        await here.engine.handle(started_by())
        await here.in_state("waiting", 3)
        for name in ("x", "y"):
            await here.engine.handle(booked_event(name))
        await until(lambda: len(meter.told) == 6)
    assert sorted(meter.told) == ["inner completed"] * 2 + ["inner started"] * 2 + [
        "test completed",
        "test started",
    ]
    assert all(took_s > 0 for took_s in meter.took_s)


async def test_a_parked_process_ends_its_span_with_the_fault(house: Build, answers: Answers) -> None:
    async def run(ctx: Context, breach: ThresholdExceeded) -> Result:
        await post(ctx, "r1")
        return Result()

    answers.faults["books.post"] = [BusinessFault("closed", code="closed_period")]
    meter, taken = Meter(), list[Span]()
    here = house(defined(run), meter=meter)
    with taking_spans(taken.append):
        async with here.running():
            await here.engine.handle(started_by())
            await until(lambda: len(meter.told) == 2)
    assert meter.told == ["test started", "test parked"]
    spans = {each.name: each for each in taken}
    start, step, whole = spans["start test"], spans["step 0"], spans["process test"]
    assert spans["event equipment.condition.threshold_exceeded.v1"].traceparent == start.parent
    assert step.parent == whole.parent == start.traceparent == (await here.instance())["traceparent"]
    assert (step.error, whole.error) == ("closed_period", "closed_period")
    assert answers.commands[0].origin.traceparent == step.traceparent
