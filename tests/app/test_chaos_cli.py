"""`lineshaft chaos` hands on what was asked for, and its exit code is the verdict."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.app.scenarios import ChaosPlan, ChaosResult

RESULT = ChaosResult(
    scenario="S2",
    seed=1,
    seconds=5,
    db="sqlite",
    facts=3,
    asked=20,
    posted=20,
    lost=0,
    duplicated=0,
    parked=0,
    unsettled=0,
    passed=True,
    effects={"finding": (3, 3)},
    findings=[],
    causes={},
    disturbances={"kill node": 1},
    requests_hit={"http_500": 2},
    duration_s=9.5,
    settled_s=1.0,
    facts_per_s=0.6,
    recovery_s={"kill node": {"p50": 1.5, "p99": 1.5, "count": 1}},
    data="somewhere",
)


class Scripted:
    """A scenario whose chaos ends as the test says."""

    def __init__(self, result: ChaosResult) -> None:
        self.result = result
        self.plans: list[ChaosPlan] = []

    async def chaos(self, plan: ChaosPlan, say: Callable[[str], None]) -> ChaosResult:
        self.plans.append(plan)
        say("under way")
        return self.result


def run(monkeypatch: pytest.MonkeyPatch, scenario: Scripted, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("lineshaft.app.chaos_cli.chosen_scenario", lambda _: scenario)
    done = CliRunner().invoke(app, ["chaos", *arguments])
    return done.exit_code, done.stdout


def test_the_plan_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = Scripted(RESULT)
    run(monkeypatch, scenario, "--seconds", "5", "--seed", "9", "--db", "postgres", "--instances", "4")
    run(monkeypatch, scenario, "--faults", "reset, http_500", "--kills", "none")
    assert scenario.plans == [
        ChaosPlan(seconds=5, seed=9, db="postgres", instances=4),
        ChaosPlan(faults=["reset", "http_500"], kills=[]),
    ]


def test_json_is_one_document_on_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, Scripted(RESULT), "--json")
    assert code == 0
    assert msgspec.json.decode(said, type=ChaosResult) == RESULT


def test_a_run_that_did_not_pass_ends_with_1_and_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = msgspec.structs.replace(RESULT, lost=1, posted=19, passed=False, findings=["lost: finding FIL-1"])
    code, said = run(monkeypatch, Scripted(lost))
    assert code == 1
    assert "lost: finding FIL-1" in said
    assert "1 lost" in said
    assert run(monkeypatch, Scripted(lost), "--json")[0] == 1
