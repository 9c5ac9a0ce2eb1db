"""A short run of chaos end to end, and the same with an effect that was really doubled, or is missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from estate.chaos.checker import Fact
from estate.chaos.run import ChaosRun, checked_plan, run_chaos
from lineshaft.app.scenarios import ChaosPlan
from lineshaft.core.errors import ConfigError

PLAN = ChaosPlan(seconds=8, seed=3, instances=6, kills=["node", "nats"])


async def test_nothing_is_lost_or_doubled_and_what_is_doubled_behind_our_back_is_told(tmp_path: Path) -> None:
    async with ChaosRun(checked_plan(PLAN), tmp_path, "", None, lambda _: None) as run:
        await run.disturb()
        await run.settle()
        honest = await run.result()
        assert honest.findings == []
        assert honest.causes == {}
        assert honest.passed
        assert honest.facts >= 6
        assert honest.asked == honest.posted > honest.facts
        assert any(kind.startswith("kill") for kind in honest.disturbances)

        await _reserve_again(run)
        doubled = await run.result()
        assert (doubled.lost, doubled.duplicated, doubled.passed) == (0, 1, False)
        assert doubled.findings[0].startswith("duplicated: reservation WO-")

        run.fleet.asked.append(Fact("FIL-001", datetime(2026, 1, 1, tzinfo=UTC)))
        missing = await run.result()
        assert (missing.lost, missing.passed) == (1, False)


async def _reserve_again(run: ChaosRun) -> None:
    """As a product would that posts twice: over the system's own API."""
    (first, *_) = run.estate.inventory.effect_rows()["allocations"][1:]
    body = {"sku": first["sku"], "facility": first["facility"], "qty": first["qty"], "uom": first["uom"]}
    body |= {"demandRef": first["demand_ref"], "demandLine": first["demand_line"], "externalRef": "again"}
    async with (
        aiohttp.ClientSession(run.estate.inventory.url) as session,
        session.post("/v1/allocations", json=body) as answer,
    ):
        assert answer.status == 201


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (ChaosPlan(faults=["gremlins"]), "no fault gremlins"),
        (ChaosPlan(kills=["postgres"]), "no kill postgres"),
        (ChaosPlan(db="oracle://x"), "db 'oracle://x' is not known"),
    ],
)
async def test_what_cannot_be_done_is_said_before_anything_starts(
    plan: ChaosPlan, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        await run_chaos(plan, tmp_path, lambda _: None)


def test_all_faults_and_the_kills_that_apply_are_the_default() -> None:
    assert checked_plan(ChaosPlan()).kills == ["node", "nats"]
    assert checked_plan(ChaosPlan(db="postgres")).kills == ["node", "nats", "postgres"]
    assert checked_plan(ChaosPlan(faults=[], kills=[])) == ChaosPlan(faults=[], kills=[])
    assert len(checked_plan(ChaosPlan()).faults or []) > 10
