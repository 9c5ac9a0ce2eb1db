"""A day of plant time, with a process that dies and rules that change: what is told equals the books."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from lineshaft.core.ports import StreamPosition
from lineshaft.core.values import Event, ExceptionRecord
from lineshaft.store import Store, TelemetryState
from lineshaft.telemetry import ColumnarEvaluation, Decoder, Rules, TelemetryPipeline, parse_tags, read_rules

from .day import RULES, START, S, Sent, a_day, batch_of, tags_csv
from .day_books import Books, must_be_told, was_told
from .plant import FakeClock, Killed

MACHINES, HOURS = 20, 24
MINUTE = 60 * S


class Line:
    """The process that takes a day in, each time that it is started anew, and the backbone around it.

    fuse   publications until it dies in one, before or after its effect
    """

    def __init__(self, store: Store, dice: random.Random) -> None:
        self._store = store
        self._dice = dice
        self._clock = FakeClock()
        self._version = 1
        self.events: dict[str, Event] = {}
        self.fuse = 0
        self.counted = Counter[str]()
        self.pipeline = self._new()

    async def publish(self, events: Sequence[Event]) -> None:
        self.fuse -= 1
        cut = self._dice.randint(0, len(events)) if self.fuse == 0 else len(events)
        for event in events[:cut]:
            self.events.setdefault(event.id, event)
            self.counted["published"] += 1
        if self.fuse == 0:
            raise Killed

    async def report(self, records: Sequence[ExceptionRecord]) -> None:
        self.counted.update(str(record.kind) for record in records)

    async def take(self, sent: Sequence[Sent]) -> None:
        """Every message, in batches that come of how time passes; after a death, from the saved position."""
        done = heard = 0
        now = next_save = START
        while done < len(sent):
            now += self._dice.choice((10, 40, 80)) * S
            end = done
            while end < len(sent) and sent[end].received <= now:
                end += 1
            try:
                if end > done:
                    await self.pipeline.handle(batch_of(sent[done:end], done + 1))
                    done, heard = end, max(heard, end)
                self._clock.seconds = (now - START) / S
                if done >= heard:
                    await self.pipeline.tick()
                if now >= next_save:
                    await self.pipeline.checkpoint()
                    next_save = now + self._dice.randint(1, 30) * MINUTE
                await self._disturb()
            except Killed:
                done = await self._begin_again()
        self._clock.seconds += 86_400
        self.fuse = 0
        await self.pipeline.tick()
        await self.pipeline.checkpoint()

    async def _disturb(self) -> None:
        luck = self._dice.random()
        if luck < 0.006:
            raise Killed
        if luck < 0.012:
            self.fuse = self._dice.randint(1, 3)
        elif luck < 0.018:
            self._version += 1
            self.counted["reloads"] += 1
            await self.pipeline.change(self._rules())

    async def _begin_again(self) -> int:
        self.counted["deaths"] += 1
        self.fuse = 0
        self.pipeline = self._new()
        return (await self.pipeline.start()).get("RAW", StreamPosition(0)).sequence

    def _rules(self) -> Rules:
        tags = parse_tags(tags_csv(MACHINES), file="tags.csv")
        document = {"rules": [{**rule, "version": self._version} for rule in RULES]}
        rules = read_rules(document, tags, file="rules.yaml")
        return Rules(rules.tags, Decoder(tags, None, self._clock), ColumnarEvaluation(rules))

    def _new(self) -> TelemetryPipeline:
        return TelemetryPipeline(
            plant="north",
            source="/acme/north/telemetry/n1",
            rules=self._rules(),
            publisher=self,
            desk=self,
            store=TelemetryState(self._store, "north"),
            clock=self._clock,
        )


@pytest.mark.parametrize("seed", [1])
async def test_a_day_comes_out_as_the_books_say(seed: int, migrated_sqlite: Path, tmp_path: Path) -> None:
    sent = a_day(seed, MACHINES, HOURS)
    books, odd = must_be_told(sent)
    database = shutil.copy(migrated_sqlite, tmp_path / "telemetry.db")
    store = Store.open(f"sqlite:///{database}")
    line = Line(store, random.Random(seed))
    await line.take(sent)
    await store.close()
    told = was_told(line.events.values())

    assert line.counted["deaths"] > 5
    assert line.counted["reloads"] > 2
    assert line.counted["published"] > len(line.events)
    assert min(odd.values()) > 10, odd
    assert sum(told.good.values()) == sum(books.good.values())
    for part in Books.__struct_fields__:
        assert getattr(told, part) == getattr(books, part), part
