"""From batches of device messages to published events, with state and positions saved together."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from lineshaft.core.clock import Clock
from lineshaft.core.errors import PermanentFault, TechnicalFault, TransientFault
from lineshaft.core.ports import EventPublisher, ExceptionDesk, StreamPosition
from lineshaft.core.values import Event, ExceptionKind, ExceptionRecord, RawBatch, Value
from lineshaft.telemetry.decode.sample import shown
from lineshaft.telemetry.decoder import Decoded, Decoder
from lineshaft.telemetry.evaluate.evaluation import Evaluation, Results
from lineshaft.telemetry.facts import event_of
from lineshaft.telemetry.readings import Readings
from lineshaft.telemetry.state import OWED, POSITIONS, StateStore, read_state
from lineshaft.telemetry.tags import TagList
from lineshaft.telemetry.telling import Telling

__all__ = ["OnContradicted", "OnRebirth", "Rules", "TelemetryLake", "TelemetryPipeline"]

OnRebirth = Callable[[str, bytes], Awaitable[None]]
OnContradicted = Callable[[], Awaitable[None]]

OWNER = "plant-engineering"
_PAYLOAD_CUT = 16 * 1024
_MOST_KEPT_BYTES = 64 * 2**20
_UNKNOWN = b"\0unknown"

_Evaluated: TypeAlias = tuple[RawBatch, Decoded, Results]

_log = structlog.get_logger(__name__)


class TelemetryLake(Protocol):
    """Where all readings go. It knows up to which position of each stream it has them, leaving those out."""

    async def append(
        self, readings: Readings | None, facts: Sequence[Value] = (), passed: NDArray[np.bool_] | None = None
    ) -> None:
        """passed: of each reading, whether it is kept. Waits while too much is not on disk yet."""
        ...

    def change(self, tags: TagList) -> None:
        """Readings from now on index this tag list. raises  ConfigError for a class that is not declared"""
        ...

    async def flush(self) -> None:
        """Everything appended before this call is on disk when it returns. raises  TransientFault"""
        ...


class Rules(msgspec.Struct, frozen=True):
    """Tags and rules at work: made together, restored together.

    tags   in the order of the columns, virtual tags last
    """

    tags: TagList
    decoder: Decoder
    evaluation: Evaluation

    @property
    def names(self) -> list[str]:
        return self.tags.names

    def saved(self) -> dict[str, bytes]:
        return self.decoder.saved() | self.evaluation.saved()

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """raises PermanentFault for an unreadable value"""
        self.decoder.restore(saved)
        self.evaluation.restore(saved)


async def _nobody(*_: object) -> None:
    """There is no way to devices."""


class TelemetryPipeline:
    """One owner of a plant's device messages.

    source      `/<enterprise>/<site>/telemetry/<node>`; part of each event's identity, so it has to stay the
                same when another machine takes over
    on_rebirth  sends a command to an edge node; a TechnicalFault of it is logged, the next data asks again
    on_contradicted   publishes the STATE of this Sparkplug host again
    busy_since  on the monotonic clock: when it began with the batch that it is at; None between batches

    `checkpoint` saves the state and the positions that it stands for, in one transaction, when all events
    that follow from it are stored; after a crash the source goes on from there. Events told since are then
    told again under the same ids, everything else counts once. What breaks off `take` or `tick` half way,
    cancellation included, ends the pipeline in the same way: it saves nothing more.
    """

    def __init__(
        self,
        *,
        plant: str,
        source: str,
        rules: Rules,
        publisher: EventPublisher,
        desk: ExceptionDesk,
        store: StateStore,
        clock: Clock,
        lake: TelemetryLake | None = None,
        on_rebirth: OnRebirth = _nobody,
        on_contradicted: OnContradicted = _nobody,
    ) -> None:
        self._plant = plant
        self._source = source
        self._rules = rules
        self._telling = Telling(publisher)
        self._desk = desk
        self._store = store
        self._clock = clock
        self._lake = lake
        self._on_rebirth = on_rebirth
        self._on_contradicted = on_contradicted
        self._positions: dict[str, StreamPosition] = {}
        self._exceptions: dict[ExceptionRecord, None] = {}
        self._owed: list[Event] = []
        self._saved: dict[str, bytes] = {}
        self._held: dict[str, bytes] = {}
        self._since: list[RawBatch] | None = []
        self._since_bytes = 0
        self._turn = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._half_way = False
        self.busy_since: float | None = None
        self._counted: Counter[str] = Counter(messages=0, broken=0)

    @property
    def rules(self) -> Rules:
        return self._rules

    def counters(self) -> dict[str, int]:
        """Since the start of the process, or since rules have changed."""
        return {**self._counted, **msgspec.structs.asdict(self._rules.evaluation.counters)}

    async def start(self) -> dict[str, StreamPosition]:
        """Load what was saved; the positions after which to go on.

        raises  PermanentFault naming a state that cannot be read, TransientFault when the store is away
        """
        self._saved = self._held = await self._store.load()
        self._rules.restore(self._saved)
        if POSITIONS in self._saved:
            self._positions = read_state(POSITIONS, self._saved[POSITIONS], dict[str, StreamPosition])
        if OWED in self._saved:
            self._owed = read_state(OWED, self._saved[OWED], list[Event])
        return dict(self._positions)

    async def handle(self, batch: RawBatch) -> None:
        """Take a batch, and return when the backbone has stored every event that follows."""
        await self.take(batch)
        await self._telling.told()

    async def take(self, batch: RawBatch) -> None:
        """Returns when the events that follow are on their way; waits while too many are.

        raises  PermanentFault after something broke off half way
        """
        self.busy_since = self._clock.monotonic()
        async with self._turn:
            if self._half_way:
                raise PermanentFault(
                    f"telemetry of {self._plant!r} broke off half way through earlier messages",
                    hint="start it again: it goes on from what was saved",
                )
            self._half_way = True
            evaluated = await self._evaluated_apart(batch)
            for part, _, _ in evaluated:
                self._keep(part)
            self._positions[batch.stream] = StreamPosition(
                batch.sequences[-1], batch.created, batch.stored_us[-1]
            )
            for part, decoded, results in evaluated:
                self._note(part, decoded, results)
                await self._telling.take(self._events(results.facts))
                if self._lake is not None:
                    await self._lake.append(decoded.readings, results.facts, results.passed)
                    await self._lake.append(results.derived, (), results.derived_passed)
            self._half_way = False
        self.busy_since = None
        for _, decoded, _ in evaluated:
            for topic, payload in decoded.rebirths:
                await self._ask(self._on_rebirth(topic, payload))
            if decoded.contradicted:
                await self._ask(self._on_contradicted())

    async def tick(self, now: int | None = None) -> None:
        """Let time pass for the rules, about once a second.

        now   µs since 1970, by the clock if not given; every message stored before that has to be taken

        What follows from that no message brings again: it is saved with the state before it is told, and
        before another message is taken in. Where database or lake do not answer, nothing has happened: the
        next tick makes up.
        """
        async with self._saving:
            async with self._turn:
                if self._half_way:
                    return
                before = self._rules.saved()
                now = int(self._clock.now().timestamp() * 1_000_000) if now is None else now
                results = self._rules.evaluation.tick(now)
                events = self._events(results.facts)
                if events and not await self._saved_with(events, results):
                    self._rules.restore(before)
                    self._hold()
                owed = self._owed[:]
            await self._tell(owed)

    async def _saved_with(self, events: Sequence[Event], results: Results) -> bool:
        self._half_way = True
        self._owed += events
        try:
            if self._lake is not None:
                await self._lake.append(results.derived, results.facts, results.derived_passed)
            await self._save(self._to_be_saved())
        except TransientFault as fault:
            _log.warning("telemetry.tick_not_saved", fault=str(fault))
            del self._owed[-len(events) :]
            return False
        finally:
            if not isinstance(sys.exception(), asyncio.CancelledError):
                self._half_way = False
        return True

    async def checkpoint(self) -> dict[str, StreamPosition]:
        """Save the state as it is now; the positions up to which no message is needed again.

        raises  TransientFault when database or lake do not answer: nothing is lost, the next one makes up
        """
        async with self._saving:
            async with self._turn:
                if self._half_way:
                    return {}
                positions, owed = dict(self._positions), self._owed[:]
                saved = self._to_be_saved()
            await self.report()
            await self._save(saved)
            await self._tell(owed)
        return positions

    async def report(self) -> None:
        """Hand to the desk what people have to look at. raises  TransientFault"""
        exceptions = list(self._exceptions)
        if exceptions:
            await self._desk.report(exceptions)
            for record in exceptions:
                self._exceptions.pop(record, None)

    async def change(self, rules: Rules) -> None:
        """Go on with other tags and rules, and with the state of those that stay.

        raises  ConfigError when the lake cannot keep some tags: all stays as it was
        """
        async with self._turn:
            if self._lake is not None:
                self._lake.change(rules.tags)
            rules.restore(self._rules.saved())
            self._rules = rules
            self._hold()  # what came before was evaluated by others

    async def _evaluated_apart(self, batch: RawBatch) -> list[_Evaluated]:
        """Messages on which the rules break off go to a person, and the rest goes on: from the state held on
        again, the batch halved until they are found."""
        try:
            return [self._evaluated(batch)]
        except Exception:
            _log.exception("telemetry.batch_broke_off", first=batch.position(0), messages=len(batch))
            if self._since is None:
                raise
        self._rules.restore(self._held)
        for before in self._since:
            self._evaluated(before)
        return await self._halved(batch)

    async def _halved(self, batch: RawBatch) -> list[_Evaluated]:
        held = self._rules.saved()
        try:
            return [self._evaluated(batch)]
        except Exception as error:
            self._rules.restore(held)
            if len(batch) == 1:
                self._counted["broken"] += 1
                name = type(error).__name__
                cause = f"telemetry broke off on this message: {name}; report it with the message"
                self._except(batch, 0, ExceptionKind.TECHNICAL_FAULT, cause)
                return []
        await asyncio.sleep(0)  # pings and the end of the process are not to wait for all of this
        middle = len(batch) // 2
        first = await self._halved(batch.part(0, middle))
        return first + await self._halved(batch.part(middle, len(batch)))

    def _evaluated(self, batch: RawBatch) -> _Evaluated:
        decoded = self._rules.decoder.decode(batch)
        return batch, decoded, self._rules.evaluation.take(decoded.readings)

    def _hold(self) -> None:
        """The state as it is now is where to begin again when rules break off."""
        self._held, self._since, self._since_bytes = self._rules.saved(), [], 0

    def _keep(self, batch: RawBatch) -> None:
        if self._since is not None:
            self._since.append(batch)
            self._since_bytes += sum(map(len, batch.payloads))
            if self._since_bytes > _MOST_KEPT_BYTES:
                self._since = None

    def _note(self, batch: RawBatch, decoded: Decoded, results: Results) -> None:
        self._counted.update(msgspec.structs.asdict(decoded.counters), messages=len(batch))
        for message, fault in decoded.faults:
            self._except(batch, message, fault.kind, fault.cause)
        for message, address, metric in decoded.unknown:
            self._except(batch, message, ExceptionKind.UNKNOWN_TAG, _unknown(address, metric))
        for message, kind, cause in results.faults:
            self._except(batch, message, kind, cause)

    def _except(self, batch: RawBatch, message: int, kind: ExceptionKind, cause: str) -> None:
        topic, payload = batch.topics[message], batch.payloads[message]
        record = ExceptionRecord(
            kind=kind,
            plant=self._plant,
            source=shown(topic),
            owner=OWNER,
            cause=cause,
            payload=payload[:_PAYLOAD_CUT],
            ref=batch.position(message),
            topic=topic if len(payload) <= _PAYLOAD_CUT else "",
        )
        self._exceptions[record] = None

    def _events(self, facts: Sequence[Value]) -> list[Event]:
        """Equal facts of two tags of an asset are one event."""
        events = (event_of(fact, plant=self._plant, source=self._source) for fact in facts)
        return list({event.id: event for event in events}.values())

    def _to_be_saved(self) -> dict[str, bytes]:
        self._hold()
        owed = {OWED: msgspec.msgpack.encode(self._owed)} if self._owed else {}
        return self._held | {POSITIONS: msgspec.msgpack.encode(self._positions)} | owed

    async def _save(self, saved: dict[str, bytes]) -> None:
        """When all is told that follows from messages in it."""
        await self._telling.told()
        changed = {key: value for key, value in saved.items() if self._saved.get(key) != value}
        gone = self._saved.keys() - saved.keys()
        if changed or gone:
            if self._lake is not None:
                await self._lake.flush()
            # what is saved when this fails is not known: all of it will be written again
            self._saved = dict.fromkeys({*self._saved, *saved}, _UNKNOWN)
            await self._store.save(changed, gone)
            self._saved = saved

    async def _tell(self, owed: Sequence[Event]) -> None:
        """What is owed, and saved."""
        if owed:
            await self._telling.take(owed)
            await self._telling.told()
            del self._owed[: len(owed)]

    async def _ask(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except TechnicalFault as fault:
            _log.warning("telemetry.command_not_sent", fault=str(fault))


def _unknown(address: str, metric: str) -> str:
    what = f"metric {shown(metric)!r} of {shown(address)!r}" if metric else f"{shown(address)!r}"
    return f"{what} is not in the tag list; add a row, or stop it"
