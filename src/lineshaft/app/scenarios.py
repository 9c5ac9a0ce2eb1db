"""Scenarios come from outside the product, by the entry point group `lineshaft.scenarios`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = [
    "ChaosPlan",
    "ChaosResult",
    "Scenario",
    "ScenarioResult",
    "ScenarioStep",
    "chosen_scenario",
    "load_scenarios",
]


class ScenarioStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step or assertion. latency_ms: from the step before it."""

    name: str
    ok: bool
    latency_ms: float
    detail: str = ""


class ScenarioResult(msgspec.Struct, frozen=True, kw_only=True):
    """effects: what was counted in the target systems, by kind; data: folder that `trace` can read."""

    scenario: str
    variant: str
    passed: bool
    steps: list[ScenarioStep]
    effects: dict[str, int]
    documents: dict[str, list[str]]
    duration_s: float
    data: str


class ChaosPlan(msgspec.Struct, frozen=True, kw_only=True):
    """seconds    how long facts are told and disturbed; then everything is lifted and settles
    seed       of the disturbances: the same seed disturbs at the same moments in the same way
    db         `sqlite`, `postgres` (a server of the run's own), or the URL of a database
    instances  of the process, at about the same time
    faults     kinds; None: all
    kills      of `node`, `nats`, `postgres`; None: all that apply to db
    """

    seconds: float = 60.0
    seed: int = 1
    db: str = "sqlite"
    instances: int = 32
    faults: list[str] | None = None
    kills: list[str] | None = None


class ChaosResult(msgspec.Struct, frozen=True, kw_only=True):
    """Effects counted in the target systems against what was asked: asked = posted + lost + parked.

    facts         that were told; each asks for several effects
    duplicated    effects there more often than asked
    parked        effects missing while a person has the instance
    unsettled     instances that were neither completed nor parked at the end
    passed        nothing lost, doubled or unsettled, and a person is asked about refusals of a system only
    effects       by kind: [asked, held]
    findings      the first of the lost, duplicated and parked ones, by business key
    causes        why instances were parked or calls wait for a person, with counts
    disturbances  by kind, with counts; requests_hit: requests that the faults reached
    duration_s    of the whole run; settled_s: from the last disturbance to the last effect
    recovery_s    by what was disturbed: p50, p99 and how many
    data          folder that `trace` can read
    """

    scenario: str
    seed: int
    seconds: float
    db: str
    facts: int
    asked: int
    posted: int
    lost: int
    duplicated: int
    parked: int
    unsettled: int
    passed: bool
    effects: dict[str, tuple[int, int]]
    findings: list[str]
    causes: dict[str, int]
    disturbances: dict[str, int]
    requests_hit: dict[str, int]
    duration_s: float
    settled_s: float
    facts_per_s: float
    recovery_s: dict[str, dict[str, float]]
    data: str


class Scenario(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def variants(self) -> Sequence[str]:
        """The first is the default."""
        ...

    async def run(self, variant: str, on_step: Callable[[ScenarioStep], None]) -> ScenarioResult: ...

    async def demo(self, say: Callable[[str], None]) -> None:
        """Over and over, until cancelled."""
        ...

    async def chaos(self, plan: ChaosPlan, say: Callable[[str], None]) -> ChaosResult:
        """Many instances at once, disturbed; say: one line of progress.

        raises  ConfigError for a fault, kill or database that it cannot do
        """
        ...


def load_scenarios() -> dict[str, Scenario]:
    """raises  ConfigError when one cannot be loaded"""
    found: dict[str, Any] = {}
    for point in sorted(entry_points(group="lineshaft.scenarios"), key=lambda point: point.name):
        try:
            found[point.name] = point.load()
        except ImportError as error:
            raise ConfigError(
                f"scenario {point.name} cannot be loaded: {error}",
                hint="install the extra: pip install 'lineshaft[estate]'",
            ) from error
    return found


def chosen_scenario(name: str) -> Scenario:
    """raises  ConfigError naming those that there are"""
    found = load_scenarios()
    if name not in found:
        raise ConfigError(f"there is no scenario {name!r}", hint=f"known: {', '.join(found) or 'none'}")
    return found[name]
