"""Scenarios come from outside the product, by the entry point group `lineshaft.scenarios`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = ["Scenario", "ScenarioResult", "ScenarioStep", "load_scenarios"]


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
