"""From batches of raw readings to published events: what a batch owes, and in which order it is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import TechnicalFault, TransientFault
from lineshaft.core.ports import EventPublisher, ExceptionDesk
from lineshaft.core.values import Event, ExceptionRecord, RawReading, Reading
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.telemetry.rules import RuleSet
from lineshaft.telemetry.screening import Counters, Screening
from lineshaft.telemetry.state import StateStore
from lineshaft.telemetry.tags import TagList

__all__ = ["OnLive", "OnRebirth", "TelemetryPipeline"]

OnRebirth = Callable[[str, bytes], Awaitable[None]]
OnLive = Callable[[Sequence[Reading]], None]

_log = structlog.get_logger(__name__)


class _Owed:
    """What screened batches still owe; each part is struck out when it is done.

    events      by id: two tags of an asset that break one rule at one time are one event
    exceptions  without repeats: a message that comes again meanwhile is noted once
    """

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.exceptions: dict[ExceptionRecord, None] = {}
        self.changed: dict[str, bytes] = {}
        self.rebirths: list[tuple[str, bytes]] = []
        self.live: list[Reading] = []


class TelemetryPipeline:
    """One owner of a plant's device messages.

    source      `/<enterprise>/<site>/telemetry/<node>`; part of each event's identity, so it has to stay the
                same when another machine takes over
    on_rebirth  sends a command to an edge node; a TechnicalFault of it is logged, the next data asks again
    on_live     told of readings taken and gone stale, after everything else is done

    State moves forward in memory with each batch, in the order in which batches are handed over; what they
    owe is paid by kind: events, then exceptions, then saved state. When a payment fails, `handle` raises, the
    batch is not acknowledged, and the next call pays what is still owed along with its own. So it does not
    matter whether the same batch comes again next, all duplicates by then, or a later one that was already
    under way. After a crash the saved state is that of an earlier batch, and the messages after it come
    again: the source has to hand those over before newer ones.
    """

    def __init__(
        self,
        *,
        plant: str,
        source: str,
        tags: TagList,
        rules: RuleSet,
        publisher: EventPublisher,
        desk: ExceptionDesk,
        store: StateStore,
        clock: Clock,
        on_rebirth: OnRebirth | None = None,
        on_live: OnLive | None = None,
    ) -> None:
        self._plant = plant
        self._source = source
        self._publisher = publisher
        self._desk = desk
        self._store = store
        self._on_rebirth = on_rebirth
        self._on_live = on_live
        self._screening = Screening(plant=plant, tags=tags, rules=rules, clock=clock)
        self._owed = _Owed()
        self._restored = False
        self._turn = asyncio.Lock()

    @property
    def live(self) -> Mapping[str, Reading]:
        """The last reading of each tag since the start of the process."""
        return self._screening.live

    @property
    def counters(self) -> Counters:
        return self._screening.counters

    async def start(self) -> None:
        """Load the saved state; with a store that is away, the first `handle` does it.

        raises  PermanentFault naming a state that cannot be read
        """
        async with self._turn:
            try:
                await self._restore()
            except TransientFault as fault:
                _log.warning("telemetry state not loaded yet", fault=str(fault))

    async def handle(self, batch: Sequence[RawReading]) -> None:
        """Returns when everything that follows from the batch is on disk, so that it can be acknowledged.

        raises  TransientFault when a part it needs does not answer; the batch is to be delivered again
        """
        async with self._turn:
            await self._restore()
            self._screen(batch)
            await self._settle()

    async def _restore(self) -> None:
        if not self._restored:
            await self._settle()  # so that what is loaded is not behind what was screened
            self._screening.restore(await self._store.load())
            self._restored = True

    def _screen(self, batch: Sequence[RawReading]) -> None:
        try:
            screened = self._screening.screen(batch)
        except BaseException:
            self._restored = False  # half a batch is in memory: go back to what was saved
            raise
        owed = self._owed
        owed.events.update((event.id, event) for event in map(self._event, screened.breaches))
        owed.exceptions.update(dict.fromkeys(screened.exceptions))
        owed.changed |= screened.changed
        owed.rebirths += screened.rebirths
        owed.live += screened.live

    async def _settle(self) -> None:
        owed = self._owed
        if owed.events:
            await self._publisher.publish(list(owed.events.values()))
            owed.events = {}
        if owed.exceptions:
            await self._desk.report(list(owed.exceptions))
            owed.exceptions = {}
        if owed.changed:
            await self._store.save(owed.changed)
            owed.changed = {}
        rebirths, owed.rebirths = owed.rebirths, []
        for topic, payload in rebirths:
            await self._ask_rebirth(topic, payload)
        live, owed.live = owed.live, []
        if live and self._on_live:
            self._on_live(live)

    async def _ask_rebirth(self, topic: str, payload: bytes) -> None:
        if self._on_rebirth is None:
            return
        try:
            await self._on_rebirth(topic, payload)
        except TechnicalFault as fault:
            _log.warning("rebirth_not_sent", topic=topic, fault=str(fault))

    def _event(self, breach: ThresholdExceeded) -> Event:
        return THRESHOLD_EXCEEDED.make(
            breach,
            plant=self._plant,
            source=self._source,
            identity=(breach.physical_asset_id, breach.rule, rfc3339(breach.episode_start)),
            time=breach.evidence.time,
        )
