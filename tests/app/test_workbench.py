"""The workbench over real processes: what parked goes on, and what becomes of it is told."""

from __future__ import annotations

import pytest

from lineshaft.app.workbench import instances_started
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import BusinessFault
from lineshaft.core.exceptions import Chosen
from lineshaft.ledger import OPERATOR, Audit, Corrections, Desk, ExceptionChanges, Redriving, Verdict
from lineshaft.ledger import Workbench as Work
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import exceptions
from tests.ledger.exceptions_at_work import Topics
from tests.processes.plant import Answers, House, started_by
from tests.processes.steered import WHY, actions_on, paying
from tests.rows import rows

CLOSED = BusinessFault("the period is closed", code="closed_period", owner="controlling")


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def house(store: Store, answers: Answers) -> House:
    return House(store, [paying], answers)


@pytest.fixture
def work(store: Store) -> Work:
    clock = SystemClock()
    changes = ExceptionChanges(store, Outbox(store), Audit(OPERATOR, clock), clock)
    corrections, actions = Corrections(EVENTS, {}), actions_on(store, [paying], clock)
    redriving = Redriving(
        store,
        changes,
        corrections,
        actions,
        Topics(Desk(store, clock)),
        taken_in=frozenset(),
        started_by=instances_started([paying]),
        telemetry_since=str,
    )
    return Work(store, changes, corrections, actions, redriving)


async def parked(house: House, answers: Answers) -> str:
    answers.faults["books.post"] = [CLOSED]
    await house.engine.handle(started_by())
    await house.in_state("parked")
    (row,) = await rows(house.store, exceptions)
    return str(row["exception_id"])


async def test_a_parked_process_goes_on_with_a_corrected_request(
    house: House, answers: Answers, work: Work
) -> None:
    async with house.running():
        one = await parked(house, answers)
        shown = await work.show(one)
        assert (shown["payload"]["reference"], shown["payload"]["amount"]) == ("r1-1", 1)
        assert (await work.fix(one, values=["amount=many"], **WHY)).findings
        assert (await work.fix(one, values=["amount=7"], **WHY)).revision == 1
        (told,) = await work.redrive(Chosen(ids=[one]), wait_s=120, **WHY)
    assert (told.verdict, told.detail) == (Verdict.POSTED, "paying pay/r1 is completed")
    assert [(posting.reference, posting.amount) for _, posting in answers.effects] == [
        ("r1-1", 7),
        ("r1-2", 2),
    ]
    (row,) = await rows(house.store, exceptions)
    assert row["state"] == "resolved"


async def test_a_process_that_parks_again_is_the_same_exception(
    house: House, answers: Answers, work: Work
) -> None:
    async with house.running():
        one = await parked(house, answers)
        answers.faults["books.post"] = [BusinessFault("the account is blocked", code="blocked")]
        (told,) = await work.redrive(Chosen(), wait_s=120, **WHY)
        assert (told.verdict, told.detail) == (Verdict.FAILED, "the account is blocked")
        (row,) = await rows(house.store, exceptions)
        assert (row["exception_id"], row["state"], row["count"]) == (one, "open", 2)
        (told,) = await work.redrive(Chosen(), wait_s=120, **WHY)
    assert told.verdict is Verdict.POSTED
    assert answers.references == ["r1-1", "r1-2"]


async def test_a_process_that_somebody_has_retried_refuses(
    house: House, answers: Answers, work: Work
) -> None:
    async with house.running():
        one = await parked(house, answers)
        await actions_on(house.store, [paying], SystemClock()).retry(
            (await house.instance())["process_id"], **WHY
        )
        await house.in_state("completed")
        (told,) = await work.redrive(Chosen(ids=[one]), wait_s=0, **WHY)
    assert told.verdict is Verdict.REFUSED
    assert "is completed" in told.findings[0]


async def test_the_instance_under_an_events_key_is_found_by_its_payload(house: House) -> None:
    event = started_by()
    async with house.running():
        await house.engine.handle(event)
        await house.in_state("completed")
        instance = await house.instance()
    found = instances_started([paying])
    assert found(event.type, event.data) == [instance["process_id"]]
    assert found(event.type, b"{}") == []  # no payload of this event
    assert found("another.event.told.v1", event.data) == []
