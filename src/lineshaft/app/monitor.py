"""Looks at each system and each part of our own every few seconds, for the console and `doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from lineshaft.calls import BreakerState, System
from lineshaft.console import SystemView
from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import Health, HealthState

__all__ = ["Monitor", "look"]

_EVERY_S = 3.0
_PATIENCE_S = 5.0


async def look(check: Callable[[], Awaitable[Health]]) -> Health:
    """A health check that always has an answer."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await check()
    except TimeoutError:
        return Health(state=HealthState.STOPPED, detail=f"no answer within {_PATIENCE_S:g} s")
    except LineshaftError as fault:
        return Health(state=HealthState.STOPPED, detail=str(fault))


class Monitor:
    """parts: our own, by name: (title, kind, check)."""

    def __init__(
        self,
        systems: Mapping[str, tuple[str, System]],
        parts: Mapping[str, tuple[str, Callable[[], Awaitable[Health]]]],
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._systems = systems
        self._parts = parts
        self._clock = clock
        self._on_change = on_change
        now = clock.now()
        self._views = {
            name: SystemView(name=name, title=title, kind=kind, state=HealthState.STARTING, since=now)
            for name, title, kind in (
                *((name, title, _kind(system)) for name, (title, system) in systems.items()),
                *((name, title, name) for name, (title, _) in parts.items()),
            )
        }

    def views(self) -> Mapping[str, SystemView]:
        return self._views

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            async with asyncio.TaskGroup() as looks:
                for name, (_, system) in self._systems.items():
                    looks.create_task(self._look(name, system.connector.health, system))
                for name, (_, check) in self._parts.items():
                    looks.create_task(self._look(name, check, None))
            self._on_change()
            await asyncio.sleep(_EVERY_S)

    async def _look(self, name: str, check: Callable[[], Awaitable[Health]], system: System | None) -> None:
        health = await look(check)
        before = self._views[name]
        state = health.state
        breaker = str(system.breaker.state) if system else ""
        if state is HealthState.ACTIVE and breaker not in ("", BreakerState.CLOSED):
            state = HealthState.DEGRADED
        self._views[name] = SystemView(
            name=name,
            title=before.title,
            kind=before.kind,
            state=state,
            detail=health.detail,
            latency_ms=health.latency_ms or None,
            breaker=breaker,
            since=before.since if before.state is state else self._clock.now(),
        )


def _kind(system: System) -> str:
    return ", ".join(system.connector.manifest.capabilities)
