"""Step by step: what happened, how long it took, what was wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lineshaft.app.scenarios import ScenarioStep

__all__ = ["Protocol", "StepFailed"]

T = TypeVar("T")
_LOOK_EVERY_S = 0.02
_RARELY_S = 0.25


class StepFailed(Exception):
    """An expectation was not met; the protocol has the step."""


class Protocol:
    """Each step's latency counts from the end of the step before."""

    def __init__(self, on_step: Callable[[ScenarioStep], None]) -> None:
        self.steps: list[ScenarioStep] = []
        self._on_step = on_step
        self._last = time.perf_counter()

    @property
    def passed(self) -> bool:
        return bool(self.steps) and all(step.ok for step in self.steps)

    def note(self, name: str, ok: bool = True, detail: str = "") -> None:
        now = time.perf_counter()
        step = ScenarioStep(name=name, ok=ok, latency_ms=round((now - self._last) * 1000, 1), detail=detail)
        self._last = now
        self.steps.append(step)
        self._on_step(step)

    def expect(self, name: str, found: object, wanted: object) -> None:
        """raises StepFailed"""
        ok = found == wanted
        self.note(name, ok, f"{found}" if ok else f"found {found}, expected {wanted}")
        if not ok:
            raise StepFailed(name)

    async def until(
        self,
        name: str,
        look: Callable[[], Awaitable[T]],
        *,
        within_s: float = 120.0,
        detail: Callable[[T], str] = lambda _: "",
    ) -> T:
        """Look until the answer is true. The target systems send no events, so they are asked again, more
        rarely the longer it takes: what they have to answer costs them time, too.

        raises  StepFailed when it does not come true in time
        """
        try:
            async with asyncio.timeout(within_s):
                while not (found := await look()):
                    waited_s = time.perf_counter() - self._last
                    await asyncio.sleep(min(_LOOK_EVERY_S + waited_s / 20, _RARELY_S))
        except TimeoutError:
            self.note(name, False, f"did not happen within {within_s:g} s")
            raise StepFailed(name) from None
        self.note(name, detail=detail(found))
        return found
