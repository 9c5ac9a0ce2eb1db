"""The systems: how they are, how calls went, when they are not called, and who masters what."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from lineshaft.app.console_part import console_part
from lineshaft.app.systems_api import pause_routes
from lineshaft.console import Changes
from lineshaft.core.clock import SystemClock
from lineshaft.core.values import OutcomeState
from lineshaft.model.maintenance import TaskState, TaskUpdate
from lineshaft.store import Store
from lineshaft.store.schema import audit
from tests.console.at_work import AtWork, pauses_of
from tests.console.conftest import serving
from tests.console.factory import PLANT, Factory, systems
from tests.console.looking import Look
from tests.rows import rows


def look(store: Store, work: AtWork | None = None) -> Look:
    clock = SystemClock()
    work = work or AtWork(store, pauses_of(store, clock), clock)
    return Look(console_part(store, PLANT, systems, tuple, Changes(), None, clock, work=work))


async def calls(store: Store) -> None:
    """Twenty updates that took 10, 20, … 200 ms, one of unknown outcome and two that failed."""
    factory, half_an_hour_ago = Factory(store), datetime.now(UTC) - timedelta(minutes=30)

    async def update(number: int, **how: object) -> None:
        task = TaskUpdate(
            maintenance_order_id=f"MO-{number}",
            state=TaskState.WAITING_FOR_PARTS,
            note="",
            part_requirement=[],
        )
        reply = None if "state" in how else task
        await factory.call("maintenance.update_task", task, reply, half_an_hour_ago, "", "", **how)

    for number in range(1, 21):
        await update(number, took_s=number / 100)
    await update(21, state=OutcomeState.UNKNOWN, took_s=22)
    for number in (22, 23):
        await update(number, state=OutcomeState.FAILED)
    await update(24, took_s=9)


async def test_each_system_tells_how_it_is_and_how_its_calls_went(store: Store) -> None:
    await calls(store)
    rows_ = {row["system"]: row for row in await look(store).rows("/systems?format=csv")}
    assert (rows_["atlas"]["state"], rows_["atlas"]["breaker"]) == ("degraded", "half-open")
    assert (rows_["atlas"]["calls in the last hour"], rows_["atlas"]["faults"]) == ("24", "3")
    assert rows_["tryton"]["calls in the last hour"] == "0"
    text = await look(store).text("/systems")
    assert "Atlas CMMS cmms 5 faults in a row: no answer within 10 s; probing again degraded" in text
    assert "3 of 16 4 wait 2 unknown" in text  # one is of the seeded evening
    for part in (
        "Backbone active",
        "Telemetry active 1.9 ms 12 messages wait",
        "11 GB free of 120 GB nearly full",
    ):
        assert part in text, part
    assert "LS_OPERATIONAL 48 211 61 MB 1 % of 7.2 GB ledger 0 0 processes 1 204 256 3 again" in text.replace(
        "\u202f", " "
    )


async def test_percentiles_and_faults_are_of_the_last_hour_and_of_who_may_see(store: Store) -> None:
    await calls(store)
    (row, *_) = await look(store).rows("/system?name=atlas&format=csv")
    assert (row["operation"], row["calls"], row["took effect"]) == ("maintenance.update_task", "24", "21")
    assert [float(row[name]) for name in ("p50 ms", "p95 ms", "p99 ms")] == [110.0, 200.0, 9000.0]
    assert row["faults"] == "closed_period: 3"
    text = await look(store).text("/system?name=atlas")
    assert "half-open after 5 faults in a row" in text
    assert "maintenance.update_task command unknown outcomes go to a person 24 21 110 ms 200 ms 9.0 s" in text
    assert "Requests under way 3 of 16" in text
    elsewhere = {"plants": ["lyon"]}
    assert (await look(store).at("/system?name=atlas", **elsewhere)).status_code == 404
    assert "none of your plants" in await look(store).text("/systems", **elsewhere)
    assert (await look(store).at("/system?name=nobody")).status_code == 404


async def test_a_system_is_paused_and_resumed_by_the_api_and_the_screen_and_the_audit_say_so(
    store: Store,
) -> None:
    clock = SystemClock()
    work = AtWork(store, pauses_of(store, clock), clock)
    screen = look(store, work)
    async with serving(store, routes=pause_routes(work.pausing)) as console:
        body = {"until": "2126-11-21T14:00", "reason": "upgrade", "by": "jo"}
        async with console.http.post("/api/systems/tryton/pause", json=body) as answer:
            assert answer.status == 200, await answer.text()
            assert (await answer.json())["paused_until"] == "2126-11-21T13:00:00.000000Z"
        text = await screen.text("/system?name=tryton")
        assert "Paused until 21 Nov 2126 14:00 by jo" in text
        assert ": upgrade. What has to be sent waits until then." in text
        assert "Resume …" in text
        assert "paused until 21 Nov 2126 14:00" in await screen.text("/systems")
        listed = json.loads(await console.get("/api/systems"))
        assert {row["system"]: row["reason"] for row in listed}["tryton"] == "upgrade"
        async with console.http.post(
            "/api/systems/TRYTON/resume", json={"reason": "done", "by": "jo"}
        ) as answer:
            assert answer.status == 200, await answer.text()
        assert "Paused" not in await screen.text("/system?name=tryton")
        for path, refused, status in (
            ("nobody/pause", body, 404),
            ("tryton/pause", body | {"until": "2020-01-01T00:00Z"}, 422),
            ("tryton/pause", body | {"until": "soon"}, 422),
            ("tryton/pause", body | {"reason": " "}, 422),
            ("tryton/pause", {"until": "2126-11-21T14:00", "reason": "x"}, 422),
            ("tryton/resume", {"by": "jo", "reason": ""}, 422),
        ):
            async with console.http.post(f"/api/systems/{path}", json=refused) as answer:
                assert answer.status == status, (path, await answer.text())
    noted = [row for row in await rows(store, audit) if row["action"].startswith("system.")]
    assert [(row["action"], row["subject"], row["actor"], row["reason"]) for row in noted] == [
        ("system.paused", "tryton", "jo", "upgrade"),
        ("system.resumed", "tryton", "jo", "done"),
    ]


async def test_who_may_only_look_is_offered_no_action(store: Store) -> None:
    screen = look(store)
    assert "api/systems/tryton/pause" in await screen.html("/system?name=tryton")
    page = await screen.html("/system?name=tryton", permissions=["read:*"])
    assert "api/systems" not in page
    assert "sat 22:00-02:00" in page


async def test_the_authority_matrix_says_who_masters_and_who_is_told(store: Store) -> None:
    rows_ = {row["entity"]: row for row in await look(store).rows("/authority?format=csv")}
    lot, reservation, asset = rows_["cost_posting"], rows_["reservation"], rows_["physical_asset"]
    assert (lot["mastered by"], lot["erp"]) == ("tryton", "masters")
    assert (reservation["mastered by"], reservation["wms"]) == ("stockroom", "masters")
    assert (asset["cmms"], asset["erp"], asset["fields mastered elsewhere"]) == (
        "masters",
        "some",
        "fixed_asset_id: tryton",
    )
    assert rows_["quality_hold"]["mastered by"] == ""
    text = await look(store).text("/authority")
    assert "Reservation".lower() in text
    assert "Spare-part store set here" in text
    assert "quality hold processes only" in text
