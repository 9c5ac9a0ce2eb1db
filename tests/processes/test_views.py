"""What people see: which instances there are, everything about one, and what they can do next."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from lineshaft.core.errors import BusinessFault, TransientFault
from lineshaft.processes.archive import Archive
from lineshaft.processes.listing import Asked, listed
from lineshaft.processes.lookup import find
from lineshaft.processes.refusals import AmbiguousProcess, NoSuchProcess
from lineshaft.processes.views import shown
from lineshaft.store.schema import processes

from .conftest import Build
from .plant import Answers, House, booked_event, started_by
from .steered import LOADED, WHY, actions_on, asking, household, paying

REFUSED = BusinessFault("period 3 is closed", code="closed_period", owner="controlling", hint="reopen it")


async def seen(house: House, **asked: Any) -> list[dict[str, Any]]:
    return await house.store.read(partial(listed, asked=Asked(**asked), now=house.clock.now()))


async def show(house: House, ref: str, loaded: Any = LOADED) -> dict[str, Any]:
    return await house.store.read(partial(shown, ref=ref, now=house.clock.now(), loaded=loaded))


def actions(shown: dict[str, Any]) -> list[str]:
    return [each["action"] for each in shown["next"]]


async def test_each_says_what_it_is_about(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [REFUSED]
    here = house(paying, asking)
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.in_state("parked")
        answers.faults["books.post"] = [TransientFault("connection refused", retry_after_s=600)]
        await here.engine.handle(started_by("r2"))
        await here.in_state("retrying")
        await here.in_state("waiting", 2)
    parked, retrying, waiting, _ = sorted(
        await seen(here), key=lambda row: (row["state"], row["business_key"])
    )
    assert (parked["cause"], parked["owner"], parked["at_step"]) == (str(REFUSED), "controlling", "0")
    assert (parked["waits_for"], parked["next_try"]) == ([], "")
    (step,) = retrying["waits_for"]
    assert (step["kind"], step["name"], step["attempts"]) == ("call", "books.post", 1)
    assert retrying["next_try"] > retrying["started_at"]
    assert retrying["cause"] == "connection refused"
    (step,) = waiting["waits_for"]
    assert (step["kind"], step["name"], step["key"]) == ("wait", "finance.posting.booked.v1", "r1-ext")
    assert waiting["age_s"] > 0


async def test_they_are_found_by_what_is_asked(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [REFUSED]
    here = house(paying, asking)
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.in_state("parked")
        await here.engine.handle(started_by("r2"))
        await here.in_state("waiting", 2)
        await here.in_state("completed")

    async def keys(**asked: Any) -> list[str]:
        return sorted(row["business_key"] for row in await seen(here, **asked))

    assert await keys(state="parked") == ["pay/r1"]
    assert await keys(state="open") == ["ask/r1", "ask/r2", "pay/r1"]
    assert await keys(state="finished") == ["pay/r2"]
    assert await keys(type="asking") == ["ask/r1", "ask/r2"]
    assert await keys(owner="controlling") == ["pay/r1"]
    assert await keys(key="pay/") == ["pay/r1", "pay/r2"]
    assert await keys(key="PUMP-7") == ["ask/r1", "ask/r2", "pay/r1", "pay/r2"]
    assert await keys(key="pay_") == []
    assert await keys(waiting_for="finance.posting.booked.v1") == ["ask/r1", "ask/r2"]
    assert await keys(waiting_for="r2-ext") == ["ask/r2"]
    assert await keys(waiting_for="books.post") == []
    newest = await seen(here, limit=2)
    assert [row["business_key"][-2:] for row in newest] == ["r2", "r2"]


async def test_everything_about_one_that_was_corrected(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [REFUSED]
    here = house(paying)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
        parked = await show(here, "pay/r1")
        assert actions(parked) == ["retry", "correct", "skip", "abort", "cancel"]
        value = msgspec.json.encode({"reference": "other", "amount": 9})
        steering = actions_on(here.store, [paying], here.clock)
        assert await steering.correct(parked["process_id"], value, **WHY) == []
        await here.in_state("completed")
    done = await show(here, parked["process_id"][:9])
    first, second = done["steps"]
    assert (first["input"]["reference"], first["corrected"]["reference"]) == ("r1-1", "other")
    assert (first["output"]["id"], first["attempts"], first["error"]) == ("D-other", 2, None)
    assert second["output"]["id"] == "D-r1-2"
    assert done["result"] == {"text": "D-other D-r1-2"}
    assert done["input"]["rule"] == "r1"
    (action,) = done["actions"]
    assert (action["actor"], action["action"], action["reason"]) == ("anna", "correct", WHY["reason"])
    assert action["detail"]["after"]["reference"] == "other"
    assert actions(done) == ["fork"]
    assert done["next"][0]["command"].startswith(f"lineshaft processes fork {done['process_id']} --step 1 ")


async def test_what_can_be_done_follows_what_it_waits_for(house: Build) -> None:
    here = house(household)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting", 2)
        parent, child = await show(here, "house/r1"), await show(here, "ask/r1")
        assert actions(parent) == ["show", "abort", "cancel"]
        assert parent["next"][0]["command"] == f"lineshaft processes show {child['process_id']}"
        assert [each["business_key"] for each in parent["children"]] == ["ask/r1"]
        assert [each["business_key"] for each in child["parents"]] == ["house/r1"]
        assert actions(child) == ["skip", "abort", "cancel"]

        await here.engine.handle(booked_event("r1-ext"))
        await until_waits_for(here, "approval")
        child = await show(here, "ask/r1")
        assert actions(child) == ["approve", "refuse", "abort", "cancel"]
        assert child["waits_for"][0]["question"] == "Pay 5?"
        assert "--role controller" in child["next"][0]["command"]

        steering = actions_on(here.store, [household], here.clock)
        await steering.approve(child["process_id"], approved=True, role="controller", **WHY)
        await until_waits_for(here, "sleep")
        child = await show(here, "ask/r1")
        assert actions(child) == ["skip", "abort", "cancel"]
        assert [action["action"] for action in child["actions"]] == ["approve"]


async def test_one_without_its_version_can_be_moved(house: Build, answers: Answers) -> None:
    answers.faults["books.post"] = [REFUSED]
    here = house(paying)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("parked")
    told = await show(here, "pay/r1", {"paying": [2]})
    assert told["next"][0]["command"] == "lineshaft processes migrate paying --from 1 --to 2 --dry-run"


async def test_copies_name_each_other(house: Build) -> None:
    here = house(paying)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("completed")
        steering = actions_on(here.store, [paying], here.clock)
        first = await steering.fork((await here.instance())["process_id"], 1, **WHY)
        second = await steering.fork((await here.instance())["process_id"], 0, **WHY)
        await here.in_state("completed", 3)
    original, copy = await show(here, "pay/r1"), await show(here, second)
    assert [each["process_id"] for each in original["forks"]] == [first, second]
    assert [each["business_key"] for each in copy["originals"]] == ["pay/r1"]


async def test_which_one_is_meant(house: Build) -> None:
    here = house(paying, asking)
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.engine.handle(started_by("r11"))
        await here.in_state("waiting", 2)
        await here.in_state("completed", 2)

    async def found(ref: str) -> str:
        return (await here.store.read(partial(find, ref=ref))).business_key

    assert await found("pay/r1") == "pay/r1"
    process_id = (await show(here, "ask/r11"))["process_id"]
    assert await found(process_id[:8]) == await found(process_id) == "ask/r11"
    with pytest.raises(AmbiguousProcess, match="'pay' may be one of these") as caught:
        await found("pay")
    assert len(caught.value.findings) == 2
    assert caught.value.findings[0].endswith("paying pay/r1 (completed)")
    with pytest.raises(AmbiguousProcess) as caught:
        await found("PUMP-7")  # an asset that started all of them
    assert len(caught.value.findings) == 4
    with pytest.raises(NoSuchProcess, match="there is no process 'nothing'"):
        await found("nothing")
    with pytest.raises(NoSuchProcess):
        await found("%")


async def test_those_of_other_plants_do_not_exist(house: Build) -> None:
    here = house(paying, asking)
    async with here.running():
        await here.engine.handle(started_by("r1"))
        await here.in_state("waiting")
        await here.in_state("completed")
    moved = update(processes).where(processes.c.type == "asking").values(plant="LYON")
    await here.store.write(lambda connection: connection.execute(moved))

    async def found(ref: str, *plants: str) -> str:
        return (await here.store.read(partial(find, ref=ref, plants=plants))).business_key

    assert await found("PUMP-7", "NSP") == "pay/r1"  # of both, for who sees both
    assert await found("PUMP-7", "LYON") == "ask/r1"
    for plants in (("NSP",), ()):
        with pytest.raises(NoSuchProcess):
            await found("ask/r1", *plants)
    await Archive(here.store, here.clock, keep=timedelta(0), keep_archived=timedelta(days=9)).sweep_all()
    assert await found("pay/r1", "NSP") == "pay/r1"
    with pytest.raises(NoSuchProcess):
        await found("pay/r1", "LYON")


async def until_waits_for(here: House, kind: str) -> None:
    from tests.waiting import until

    async def waits() -> bool:
        rows = await seen(here, type="asking")
        return [step["kind"] for row in rows for step in row["waits_for"]] == [kind]

    await until(waits)
