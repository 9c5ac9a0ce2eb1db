"""The state of the whole plant in one sentence, for the head of every page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from lineshaft.console.overall import Overall, overall
from lineshaft.console.page import Visit
from lineshaft.console.views import LiveValue, SystemView
from lineshaft.core.clock import Clock
from lineshaft.core.errors import LineshaftError

__all__ = ["Headline"]

_LOG = structlog.get_logger(__name__)
_OLDEST_S = 0.5

Plants = frozenset[str] | None


class Headline:
    """systems, values   what memory knows now of this plant: for who sees it
    open_exceptions   how many there are, of these plants; None: of all
    """

    def __init__(
        self,
        systems: Callable[[], Mapping[str, SystemView]],
        values: Callable[[], Sequence[LiveValue]],
        open_exceptions: Callable[[Plants], Awaitable[int]],
        clock: Clock,
        plant: str,
    ) -> None:
        self._plant = plant
        self._systems = systems
        self._values = values
        self._open_exceptions = open_exceptions
        self._clock = clock
        self._counted: dict[Plants, tuple[float, int]] = {}
        self._is_away = False

    async def take(self, visit: Visit) -> Overall:
        """At most half a second old. Never raises: a ledger that does not answer is part of the sentence."""
        fault, count = "", 0
        try:
            count = await self._count(visit.plants)
            self._is_away = False
        except LineshaftError as error:
            fault = str(error)
            if not self._is_away:
                _LOG.warning("console.ledger_away", reason=fault)
            self._is_away = True
        if not visit.caller.sees(self._plant):
            return overall(None, [], count, fault)
        return overall([*self._systems().values()], self._values(), count, fault)

    async def _count(self, plants: Plants) -> int:
        now = self._clock.monotonic()
        read_at, count = self._counted.get(plants, (float("-inf"), 0))
        if now - read_at > _OLDEST_S:
            count = await self._open_exceptions(plants)
            self._counted = {plants: (now, count)} | {
                each: counted
                for each, counted in self._counted.items()
                if each != plants and now - counted[0] <= _OLDEST_S
            }
        return count
