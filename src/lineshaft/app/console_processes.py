"""What the console's screens of processes read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lineshaft.app.steering import Steering, Told
from lineshaft.processes.listing import Asked, cursor_of

__all__ = ["ConsoleProcesses"]


class ConsoleProcesses:
    """Implements ProcessList and ProcessReads of console.screens. late_after_s: by type."""

    def __init__(self, steering: Steering, late_after_s: Mapping[str, float]) -> None:
        self._steering = steering
        self.late_after_s = late_after_s

    async def page(
        self, filters: Mapping[str, str], plants: frozenset[str] | None, after: str, limit: int
    ) -> list[Told]:
        return await self._steering.listed(self._asked(filters, plants, after=after, limit=limit))

    async def counted(self, filters: Mapping[str, str], plants: frozenset[str] | None) -> Mapping[str, int]:
        return await self._steering.counted(self._asked(filters, plants))

    async def choices(self, plants: frozenset[str] | None) -> Mapping[str, Sequence[str]]:
        return await self._steering.of_plants(plants).choices()

    async def show(self, ref: str, plants: frozenset[str] | None) -> Told:
        return await self._steering.of_plants(plants).show(ref)

    def suggested(self, shown: Told, action: str, step: str) -> Any:
        return self._steering.suggested(shown, action, step)

    @staticmethod
    def cursor(row: Mapping[str, Any]) -> str:
        return cursor_of(row)

    def _asked(self, filters: Mapping[str, str], plants: frozenset[str] | None, **page: Any) -> Asked:
        named: dict[str, Any] = {name: text for name, text in filters.items() if name != "late"}
        return Asked(plants=plants, late=self.late_after_s if "late" in filters else None, **page, **named)
