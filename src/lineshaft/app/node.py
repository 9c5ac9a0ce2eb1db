"""A running node: every part made, handed to its neighbours, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
from filelock import FileLock, Timeout
from sqlalchemy import text

from lineshaft.app.access import open_access, tls_of
from lineshaft.app.console_part import console_part
from lineshaft.app.console_processes import ConsoleProcesses
from lineshaft.app.device_guard import guard_devices
from lineshaft.app.events_part import EventsPart
from lineshaft.app.http_part import HttpPart
from lineshaft.app.kpis_part import kpi_reads, told_hours
from lineshaft.app.live_contracts import retiring_operations, take_contracts
from lineshaft.app.monitor import Monitor
from lineshaft.app.node_address import NodeAddress
from lineshaft.app.observability import Observability
from lineshaft.app.plant_data import PlantData
from lineshaft.app.readiness import FrontDoor
from lineshaft.app.retention import Sweeper
from lineshaft.app.service_levels import levels_of
from lineshaft.app.steering import make_steering
from lineshaft.app.system_pauses import SystemPauses
from lineshaft.app.systems_at_work import SystemsAtWork
from lineshaft.app.telemetry_part import TelemetryPart
from lineshaft.app.web import WebServer
from lineshaft.app.workbench import keep_settling, make_workbench, tags_read_at
from lineshaft.app.worker_name import worker_name
from lineshaft.backbone import Backbone, DeadLetter, RawAgain, event_subject
from lineshaft.calls import Door, apply_pauses, follow_pauses
from lineshaft.console import SYSTEMS, VALUES, Changes, PlantView
from lineshaft.console.login import LoginPages
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.events.inventory import BALANCE_RECONCILED
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import Health, HealthState
from lineshaft.core.values import Event, EventClass, ExceptionKind, ExceptionRecord
from lineshaft.core.yamlfile import YamlFile
from lineshaft.insight.rollups import Rollups
from lineshaft.ledger import Audit, Claims, Desk, EventLog, Pauses, Reads
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.ledger.projections import Projections
from lineshaft.ledger.registry import ContractBook
from lineshaft.processes import Engine
from lineshaft.processes.journal import take_over
from lineshaft.store import Outbox, Store, Worker

__all__ = ["Node", "NodeAddress", "take_data_dir"]

_LOG = structlog.get_logger(__name__)
# What goes into the event log: everything, or of these types what key figures are counted from.
_LOGGED: Mapping[EventClass, Sequence[str]] = {
    EventClass.OPERATIONAL: (),
    EventClass.TRANSACTIONAL: (),
    EventClass.ANALYTICAL: (BALANCE_RECONCILED.type,),
}


def take_data_dir(data_dir: Path) -> FileLock:
    """Held until the process ends.

    raises  ConfigError naming the holder when another product runs on this folder
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(data_dir / "lineshaft.lock")
    holder = data_dir / "lineshaft.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        pid = holder.read_text().strip() if holder.exists() else "unknown"
        raise ConfigError(
            f"another lineshaft (pid {pid}) runs on the data folder {data_dir}",
            hint="stop it, or give this one its own `data` folder",
        ) from error
    holder.write_text(str(os.getpid()))
    return lock


class Node:
    def __init__(self, plant: PlantData) -> None:
        self._plant = plant
        self._clock = SystemClock()
        self._changes = Changes()
        settings = plant.settings
        self._source = f"/{settings.enterprise}/{settings.plant}/lineshaft"

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A part that fails for good ends the node with its error.

        raises  ConfigError, TransientFault (database away at start)
        """
        plant = self._plant
        async with AsyncExitStack() as stack:
            lock = take_data_dir(plant.data_dir)
            stack.callback(lock.release)
            web = self._web()
            stack.callback(web.close)
            store = Store.open(plant.store_url)
            stack.push_async_callback(store.close)
            backbone = await self._backbone()
            stack.push_async_callback(backbone.stop)
            for system in plant.systems:
                await system.connector.start()
                stack.push_async_callback(system.connector.close)
            await self._serve(stop, store, backbone, web)

    def _web(self) -> WebServer:
        console = self._plant.settings.console
        return WebServer(
            console.host,
            console.port,
            tls=tls_of(self._plant.settings, self._plant.path),
            has_access=bool(self._plant.settings.access),
        )

    async def _backbone(self) -> Backbone:
        plant, wanted = self._plant, self._plant.settings.backbone
        return await Backbone.start(
            wanted.url or None,
            plant.data_dir / "nats",
            topic_filters=plant.topic_filters,
            with_sources=plant.telemetry is not None,
            user=wanted.user,
            password=wanted.password,
            mqtt_url=wanted.mqtt_url,
            storage_bytes=int(wanted.storage_gib * 2**30) or None,
            port=wanted.port,
            mqtt_host=wanted.mqtt_host,
            mqtt_port=wanted.mqtt_port,
            mqtt_users=plant.mqtt_users(),
            mqtt_tls=plant.mqtt_tls,
        )

    async def _serve(self, stop: asyncio.Event, store: Store, backbone: Backbone, web: WebServer) -> None:
        plant, settings, clock = self._plant, self._plant.settings, self._clock
        outbox, desk, reads = Outbox(store), Desk(store, clock), Reads(store)
        worker = Worker(store, worker_name(plant.data_dir), plant=settings.plant)
        await worker.join()
        audit = Audit(worker.name, clock)
        pauses = Pauses(store, audit, clock)
        await apply_pauses(pauses, plant.systems)
        telemetry = None
        if plant.telemetry is not None:
            telemetry = TelemetryPart(
                plant, plant.telemetry, backbone, desk, partial(self._changes.ring, VALUES)
            )
        line = telemetry.values if telemetry else None
        monitor = self._monitor(store, backbone, telemetry)
        observed = Observability(
            plant,
            store,
            backbone,
            worker,
            monitor,
            clock,
            telemetry=telemetry,
        )
        door = Door(
            Claims(store, outbox, audit, clock, worker),
            plant.systems,
            {process.actor: frozenset(process.operations) for process in plant.processes},
            plant=settings.plant,
            source=self._source,
            clock=clock,
            authority=plant.authority,
        )
        calls = observed.metered(door)
        engine = Engine(
            store,
            calls,
            plant.processes,
            desk.add,
            clock,
            plant=settings.plant,
            zone=settings.zone,
            source=self._source,
            worker=worker.name,
            on_events=outbox.wake,
            meter=observed.metrics,
        )
        await engine.check_versions()
        workbench, redriving = make_workbench(
            plant,
            store,
            outbox,
            audit,
            RawAgain(backbone.connection),
            clock,
            telemetry_since=lambda: tags_read_at(plant, plant.data_dir / "lineshaft.pid"),
        )
        contracts = ContractBook(store, audit, clock)
        verifier = Verifier(store, audit, clock)
        await take_contracts(contracts, settings, plant.path.parent, by=worker.name)
        view = PlantView(
            name=settings.plant,
            title=settings.plant.title(),
            time_zone=settings.time_zone,
            enterprise=settings.enterprise.title(),
        )
        access = open_access(settings, plant.path, store, audit, clock, plant=view, url=web.url)
        projections = Projections(store, EVENTS, clock)
        levels = levels_of(settings, plant.processes)
        kpis = kpi_reads(settings, YamlFile(plant.path), levels, store, clock)
        steering = make_steering(
            store, plant.processes, audit, clock, zone=settings.zone, acted=partial(self._acted, engine)
        )
        http = HttpPart(
            plant,
            store,
            outbox,
            backbone,
            worker,
            clock,
            door=calls,
            observed=observed,
            desk=desk,
            reads=reads,
            steering=steering,
            pauses=SystemPauses(settings, pauses, clock, partial(apply_pauses, pauses, plant.systems)),
            workbench=workbench,
            contracts=contracts,
            retiring=await retiring_operations(contracts),
            verifier=verifier,
            events=EventsPart(
                settings,
                plant.path,
                store,
                outbox,
                backbone,
                worker,
                audit,
                desk,
                EVENTS,
                clock,
                access=access.access if access else None,
                authority=plant.authority.of_event,
                attempted=observed.metrics.attempted,
            ),
            access=access,
            kpis=kpis,
            pages=console_part(
                store,
                view,
                monitor.views,
                telemetry.values.views if telemetry else tuple,
                self._changes,
                contracts,
                clock,
                levels=levels,
                processes=ConsoleProcesses(steering, levels.processes),
                kpis=kpis,
                workbench=workbench,
                people=access.people if access else None,
                connected=plant.systems,
                work=SystemsAtWork(plant, pauses, store, backbone, line),
                line=line,
                worker=worker.name,
                verifier=verifier,
                proof=partial(access.access.proof, permission="read:console") if access else None,
            ),
            refusals=LoginPages(view),
        )
        front, ready = FrontDoor(observed.readiness), observed.readiness.now
        async with observed.exporting(), asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(web.run(front, known_as=access.known_as if access else "")),
            ]
            ready("what happened while the node was away is added to the projections")
            await http.load()
            await projections.catch_up()
            front.open(http.gateway)
            running += [
                tasks.create_task(outbox.run(backbone.publisher)),
                tasks.create_task(engine.run()),
                tasks.create_task(worker.run(take_over, engine.wake)),
                tasks.create_task(follow_pauses(pauses, plant.systems)),
                tasks.create_task(monitor.run()),
                tasks.create_task(keep_settling(redriving)),
                tasks.create_task(Sweeper(store, settings.retention, clock).run()),
                tasks.create_task(Rollups(store, levels, clock).run()),
                tasks.create_task(told_hours(settings, store, clock).run()),
                *(tasks.create_task(run) for run in (*http.runs(), *observed.runs())),
                *(
                    tasks.create_task(run)
                    for run in self._consumers(backbone, store, desk, engine, projections, observed)
                ),
            ]
            if backbone.server is not None:
                running += [tasks.create_task(run) for run in guard_devices(plant, backbone.server, desk)]
            if telemetry is not None:
                running += [tasks.create_task(run) for run in telemetry.runs()]
            self._announce(
                NodeAddress(
                    pid=os.getpid(),
                    console=web.url,
                    mqtt=backbone.mqtt_url,
                    nats=backbone.server.url if backbone.server else settings.backbone.url,
                )
            )
            ready("")
            await stop.wait()
            ready("the node is stopping")
            self._changes.close()
            await http.close()
            for task in running:
                task.cancel()
        await worker.leave()

    def _acted(self, engine: Engine) -> None:
        """A person has steered a process: it is taken up at once, and seen."""
        engine.look_by(0.0)
        self._changes.ring()

    def _monitor(self, store: Store, backbone: Backbone, telemetry: TelemetryPart | None) -> Monitor:
        async def store_health() -> Health:
            started = self._clock.monotonic()
            await store.read(lambda connection: connection.execute(text("select 1")).scalar_one())
            return Health(
                state=HealthState.ACTIVE,
                detail=store.dialect,
                latency_ms=(self._clock.monotonic() - started) * 1000,
            )

        systems = {
            system.name: (self._plant.settings.systems[system.name].title or system.name.upper(), system)
            for system in self._plant.systems
        }
        parts = {
            "backbone": ("Backbone", backbone.health),
            "store": ("Store", store_health),
            **(telemetry.checks() if telemetry else {}),
        }
        return Monitor(systems, parts, self._clock, partial(self._changes.ring, SYSTEMS))

    def _consumers(
        self,
        backbone: Backbone,
        store: Store,
        desk: Desk,
        engine: Engine,
        projections: Projections,
        observed: Observability,
    ) -> list[Any]:
        """Each stream feeds the event log with its projections, and the processes; each at its own pace."""
        log = EventLog(store, EVENTS, self._clock)

        async def record(batch: Sequence[Event]) -> None:
            await log.record(batch)
            await projections.apply(batch)
            observed.metrics.recorded(batch)
            self._changes.ring()

        async def advance(batch: Sequence[Event]) -> None:
            await asyncio.gather(*(engine.handle(event) for event in batch))

        async def bury(letter: DeadLetter) -> None:
            event = letter.event
            kind = (
                ExceptionKind.CONTRACT_VIOLATION
                if letter.code == ExceptionKind.CONTRACT_VIOLATION
                else ExceptionKind.DEAD_LETTER
            )
            contract = EVENTS.get(event.type) if event else None
            record = ExceptionRecord(
                kind=kind,
                plant=event.plant if event else self._plant.settings.plant,
                source=f"{letter.durable} of {event.type if event else letter.subject}",
                owner=contract.owner if contract else letter.owner,
                cause=letter.cause,
                payload=letter.data,
                ref=event.id if event else f"{letter.stream}:{letter.sequence}",
                correlation_id=event.correlationid if event else "",
                event=event,
            )
            await desk.report([record])

        runs = []
        for eventclass, logged in _LOGGED.items():
            stream = f"LS_{eventclass.upper()}"
            runs.append(
                backbone.consumer(
                    stream,
                    "ledger",
                    owner="integration",
                    handle_batch=record,
                    filter_subjects=self._subjects(logged),
                    on_dead_letter=bury,
                ).run()
            )
            subjects = self._subjects(
                kind for kind in sorted(engine.event_types) if EVENTS[kind].eventclass is eventclass
            )
            if subjects:
                runs.append(
                    backbone.consumer(
                        stream,
                        "processes",
                        owner="integration",
                        handle_batch=advance,
                        filter_subjects=subjects,
                        on_dead_letter=bury,
                    ).run()
                )
        return runs

    def _subjects(self, kinds: Iterable[str]) -> list[str]:
        plant = self._plant.settings.plant
        return [event_subject(EVENTS[kind].eventclass, plant, kind) for kind in kinds]

    def _announce(self, address: NodeAddress) -> None:
        target = self._plant.data_dir / "node.json"
        draft = target.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.encode(address))
        draft.replace(target)
        _LOG.info("node.up", plant=self._plant.settings.plant, console=address.console, mqtt=address.mqtt)
