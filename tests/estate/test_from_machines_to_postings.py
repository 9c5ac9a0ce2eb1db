"""An hour of the example plant: machines, rules, MES, CMMS, calendar and processes say the same of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest_asyncio

from estate.machines.behaviour import Behaviour, FillerBehaviour, SteadyBehaviour
from estate.machines.stops import HELD
from estate.plant import MACHINES, PLANT, machine
from estate.systems.cmms import CmmsSystem
from estate.systems.mes import MesSystem
from lineshaft.connectors.calendar import CalendarConnector
from lineshaft.connectors.rest import RestConnector, RestSettings
from lineshaft.contracts.catalogue import (
    COUNT_ACCEPTED,
    COUNT_AGGREGATED,
    DOWNTIME_CLASSIFIED,
    DOWNTIME_ENDED,
)
from lineshaft.core.clock import rfc3339
from lineshaft.core.ports import CallContext, Connector
from lineshaft.core.values import Command, Event, Outcome, RawBatch, Value
from lineshaft.core.yamlfile import YamlFile
from lineshaft.ledger import Desk
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.equipment_state import Downtime
from lineshaft.processes import SHIPPED, Engine
from lineshaft.store import Store
from lineshaft.store.schema import exceptions, outbox, processes
from lineshaft.telemetry import ColumnarEvaluation, Decoder, read_rules, read_tags
from tests.clocks import ManualClock
from tests.rows import rows
from tests.waiting import until

LEIPZIG = Path(__file__).parents[2] / "estate/plants/leipzig"
SECONDS, SECONDS_PER_BATCH = 3600, 60
MINOR_STOP_S, SPLIT_RUN_S = 30, 10
AROUND_THE_CLOCK = (
    "shifts: [{id: day, start: 06:00, finish: 18:00}, {id: night, start: 18:00, finish: 06:00}]\n"
)


class Systems:
    """Implements core.ports.CallPort for queries, on the real connectors."""

    def __init__(self, connectors: dict[str, Connector]) -> None:
        self._connectors = connectors

    async def call(self, command: Command) -> Outcome:
        capability, method = command.operation.split(".")
        call = CallContext(
            call_id="", operation=command.operation, idempotency_key="", deadline_s=60, headers={}
        )
        asked: Any = getattr(self._connectors[capability], method)
        return Outcome(call_id="", reply=await asked(call, command.request))


@pytest_asyncio.fixture
async def mes(tmp_path: Path) -> AsyncIterator[MesSystem]:
    async with MesSystem(tmp_path / "mes") as system:
        yield system


@pytest_asyncio.fixture
async def systems(tmp_path: Path, mes: MesSystem) -> AsyncIterator[Systems]:
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text(AROUND_THE_CLOCK)
    async with AsyncExitStack() as stack:
        cmms = await stack.enter_async_context(CmmsSystem(tmp_path / "cmms"))
        served: dict[str, Connector] = {
            "calendar": CalendarConnector("calendar", calendar, ZoneInfo("Europe/Berlin"))
        }
        for capability, system in (("production", mes), ("maintenance", cmms)):
            mapping = str(LEIPZIG / "mappings" / f"{system.name}.yaml")
            connector = RestConnector(
                RestSettings(
                    name=system.name,
                    url=system.url,
                    mapping=mapping,
                    plant=PLANT,
                    source="/x",
                    webhook_secret="s",
                )
            )
            await connector.start()
            stack.push_async_callback(connector.close)
            served[capability] = connector
        yield Systems(served)


class Hour:
    """told: by machine, what it said each second; facts: what telemetry made of it."""

    def __init__(self, start: datetime) -> None:
        self.told: dict[str, list[dict[str, float]]] = {each.equipment: [] for each in MACHINES}
        self.facts: list[Value] = []
        self._sequence = 0
        behaviours: dict[str, Behaviour] = {
            each.equipment: (FillerBehaviour if each.equipment == "FILLER-01" else SteadyBehaviour)(each)
            for each in MACHINES
        }
        tags, file = read_tags(LEIPZIG / "tags.csv"), YamlFile(LEIPZIG / "rules.yaml")
        rules = read_rules(file.data, tags, file="rules.yaml", line_of=file.line)
        decoder, evaluation = Decoder(tags, None, ManualClock(at=start)), ColumnarEvaluation(rules)
        for first in range(0, SECONDS, SECONDS_PER_BATCH):
            decoded = decoder.decode(self._batch(behaviours, start, first))
            assert decoded.faults == []
            results = evaluation.take(decoded.readings)
            assert list(results.faults) == []
            self.facts += results.facts

    def _batch(self, behaviours: dict[str, Behaviour], start: datetime, first: int) -> RawBatch:
        messages = []
        for second in range(first, first + SECONDS_PER_BATCH):
            at = start + timedelta(seconds=second)
            for name, behaviour in behaviours.items():
                values = behaviour.values(1.0)
                self.told[name].append(values)
                for tag, value in values.items():
                    payload = json.dumps({"value": value, "time": rfc3339(at)}).encode()
                    messages.append((f"{machine(name).topic}/{tag}", payload, round(at.timestamp() * 1e6)))
        begin = self._sequence
        self._sequence += len(messages)
        return RawBatch(
            stream="RAW",
            topics=[topic for topic, _, _ in messages],
            payloads=[payload for _, payload, _ in messages],
            stored_us=[at_us + 5_000 for _, _, at_us in messages],
            sequences=list(range(begin + 1, self._sequence + 1)),
        )

    def stops(self) -> list[Downtime]:
        return [fact for fact in self.facts if isinstance(fact, Downtime) and fact.end_time is not None]

    def counts(self) -> list[CountAggregate]:
        return [fact for fact in self.facts if isinstance(fact, CountAggregate)]

    def held(self, equipment: str) -> list[tuple[int, int]]:
        """Seconds [from, until) of the stops that are over, as the machine said."""
        states = [values["state"] for values in self.told[equipment]]
        turns = [second for second in range(1, SECONDS) if states[second] != states[second - 1]]
        return [
            (start, end)
            for start, end in pairwise(turns)
            if states[start] == HELD and end + SPLIT_RUN_S < SECONDS
        ]


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[None]:
    task = asyncio.create_task(engine.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_hour_of_the_example_plant(store: Store, mes: MesSystem, systems: Systems) -> None:
    begun = datetime.fromisoformat(mes.database.rows("SELECT * FROM jobs")[0]["started_at"])
    hour = Hour(begun.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1))
    stops, counts = hour.stops(), hour.counts()
    for name in hour.told:
        lengths = [end - start for start, end in hour.held(name) if end - start >= MINOR_STOP_S]
        assert [
            round((each.end_time - each.start_time).total_seconds())  # type: ignore[operator]
            for each in stops
            if each.equipment_id == name
        ] == lengths
        of_machine = [each for each in counts if each.equipment_id == name]
        said = {values["count"] for values in hour.told[name]}
        assert {each.to_count for each in of_machine} <= said
        assert sum(each.quantity.value for each in of_machine) == Decimal(
            of_machine[-1].to_count - of_machine[0].from_count
        )
    assert len(stops) > 10

    clock = ManualClock(at=begun + timedelta(hours=1), tick_s=0.001)
    definitions = [*SHIPPED["classify_downtime"], *SHIPPED["accept_count"]]
    engine = Engine(
        store,
        systems,
        definitions,
        Desk(store, clock).add,
        clock,
        plant=PLANT,
        zone=ZoneInfo("Europe/Berlin"),
        source="/northspring/leipzig/lineshaft",
        worker="local",
    )
    for number, fact in enumerate([*stops, *counts]):
        contract: Any = DOWNTIME_ENDED if isinstance(fact, Downtime) else COUNT_AGGREGATED
        await engine.handle(
            contract.make(fact, plant=PLANT, source="/t", identity=(str(number),), time=clock.now())
        )

    async with running(engine):

        async def at_rest() -> bool:
            states = [row["state"] for row in await rows(store, processes)]
            return len(states) == len(stops) + len(counts) and "running" not in states

        await until(at_rest, timeout_s=200)

    events = [msgspec.json.decode(row["event"], type=Event) for row in await rows(store, outbox)]
    classified = [
        DOWNTIME_CLASSIFIED.decode(event) for event in events if event.type == DOWNTIME_CLASSIFIED.type
    ]
    accepted = [COUNT_ACCEPTED.decode(event) for event in events if event.type == COUNT_ACCEPTED.type]

    without_leaf = {each.start_time for each in stops if each.reason_code == "MECH" and not each.upstream}
    assert {each.start_time for each in stops} - without_leaf == {each.stop_start_time for each in classified}
    for each in classified:
        expected = "blocked_or_starved" if each.root_cause_equipment_id else "downtime"
        assert each.classification == expected
        assert each.erp_postable is (expected == "downtime" and each.reason_code != "CLEAN")

    by_filler = [each for each in counts if each.equipment_id == "FILLER-01"]
    assert {each.equipment_id for each in accepted} == {"FILLER-01"}
    assert all(abs(each.quantity.value - each.counted_quantity.value) <= 2 for each in accepted)
    mismatches = [row for row in await rows(store, exceptions) if "the MES has" in row["cause"]]
    assert len(accepted) + len(mismatches) == len(by_filler)
    assert len(accepted) > 20
