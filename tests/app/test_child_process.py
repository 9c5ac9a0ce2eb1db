"""Children that die: why, how often, and who is told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from lineshaft.app.child_process import ChildProcess, reason_of
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ports import Health, HealthState
from tests.app.dying_child import Orders

WELL = Health(state=HealthState.ACTIVE, detail="its own word")


async def own_word() -> Health:
    return WELL


class Desk:
    def __init__(self, refusals: int = 0) -> None:
        self.told: list[str] = []
        self.reported = asyncio.Event()
        self._refusals = refusals

    async def report(self, reason: str) -> None:
        if self._refusals:
            self._refusals -= 1
            raise TransientFault("the database is away")
        self.told.append(reason)
        self.reported.set()


async def after_three_deaths(orders: Orders) -> tuple[str, Health]:
    desk = Desk()
    child = ChildProcess("tests.app.dying_child", orders, desk.report)
    running = asyncio.create_task(child.run())
    async with asyncio.timeout(60):
        await desk.reported.wait()
    health = await child.health(own_word, heard_at=0.0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    (reason,) = desk.told
    return reason, health


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("config", "rules.yaml has 1 error(s); rules.yaml:3: limit: no number"),
        ("group", "the lock is held (stop the other); KeyError: 'pressure'"),
        ("killed", "killed by SIGKILL without a word, see the log of the node"),
        ("returns", "exit code 0 without a word, see the log of the node"),
    ],
)
async def test_the_reason_of_three_deaths_is_reported_and_is_its_health(how: str, reason: str) -> None:
    told, health = await after_three_deaths(Orders(how))
    assert told == reason
    assert health.state is HealthState.STOPPED
    assert health.detail == f"the process has ended 3 times: {reason}"


async def test_a_child_that_speaks_again_has_the_word(tmp_path: Path) -> None:
    healed = tmp_path / "healed"
    desk, loop = Desk(refusals=1), asyncio.get_running_loop()
    child = ChildProcess("tests.app.dying_child", Orders("config", str(healed)), desk.report)
    assert await child.health(own_word, heard_at=0.0) == WELL
    running = asyncio.create_task(child.run())
    async with asyncio.timeout(60):
        await desk.reported.wait()
    assert (
        "4 times" in (await child.health(own_word, loop.time())).detail
    )  # dead: what it said does not count
    healed.touch()
    async with asyncio.timeout(60):
        while (await child.health(own_word, loop.time())) != WELL:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    assert (await child.health(own_word, heard_at=0.0)).state is HealthState.STOPPED
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert len(desk.told) == 1


def test_a_reason_is_one_line_that_says_each_thing_once() -> None:
    config = ConfigError("two\nlines", findings=["a:1: x"], hint="mend it")
    group = ExceptionGroup("g", [ValueError("v"), ExceptionGroup("h", [ValueError("v"), config])])
    assert reason_of(group) == "ValueError: v; two lines (mend it); a:1: x"
