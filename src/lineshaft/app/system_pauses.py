"""Pausing and resuming systems, as the command line and the API do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from lineshaft.app.settings import Settings
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import ConfigError
from lineshaft.ledger import Pause, Pauses

__all__ = ["SystemPauses", "said_moment"]


class _NoSuchSystem(ConfigError):
    default_code = "no_such_system"


class _ImpossiblePause(ConfigError):
    default_code = "impossible_pause"


async def _nobody_follows() -> None:
    return


class SystemPauses:
    """follow: what makes a node heed a change at once; without it, nodes follow within two seconds."""

    def __init__(
        self,
        settings: Settings,
        pauses: Pauses,
        clock: Clock,
        follow: Callable[[], Awaitable[None]] = _nobody_follows,
    ) -> None:
        self._settings = settings
        self._pauses = pauses
        self._clock = clock
        self._follow = follow

    async def listing(self) -> list[dict[str, Any]]:
        """{"system", "title", "maintenance", "paused_until", "by", "reason"} of each."""
        current = await self._pauses.current()
        return [self._told(name, current.get(name)) for name in self._settings.systems]

    async def pause(self, name: str, until: str, *, by: str, reason: str) -> dict[str, Any]:
        """until: RFC 3339; without an offset, in the plant's time zone

        raises  ConfigError, code no_such_system, or impossible_pause for a time that is none or is over;
                PermanentFault without a reason
        """
        system, end = self._system(name), self._moment(until)
        await self._pauses.pause(system, end, by=by, reason=reason)
        await self._follow()
        return self._told(system, (await self._pauses.current()).get(system))

    async def resume(self, name: str, *, by: str, reason: str) -> dict[str, Any]:
        """raises  ConfigError, code no_such_system; PermanentFault without a reason"""
        system = self._system(name)
        await self._pauses.resume(system, by=by, reason=reason)
        await self._follow()
        return self._told(system, None)

    def _system(self, name: str) -> str:
        known = {system.lower(): system for system in self._settings.systems}
        if name.lower() not in known:
            hint = f"known: {', '.join(self._settings.systems)}"
            raise _NoSuchSystem(f"there is no system {name!r}", hint=hint)
        return known[name.lower()]

    def _moment(self, text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=self._settings.zone)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise _ImpossiblePause(f"{text!r} is no time", hint="such as 2026-11-21T14:00Z") from error
        if moment <= self._clock.now():
            raise _ImpossiblePause(f"{text} is in the past", hint="give a time to come")
        return moment

    def _told(self, name: str, pause: Pause | None) -> dict[str, Any]:
        system = self._settings.systems[name]
        return {
            "system": name,
            "title": system.title or name,
            "maintenance": [str(window) for window in system.policy.maintenance],
            "paused_until": rfc3339(pause.until) if pause else None,
            "by": pause.actor if pause else "",
            "reason": pause.reason if pause else "",
        }


def said_moment(moment: str, settings: Settings) -> str:
    """An RFC 3339 time in the plant's time zone."""
    return f"{datetime.fromisoformat(moment).astimezone(settings.zone):%Y-%m-%d %H:%M %Z}"
