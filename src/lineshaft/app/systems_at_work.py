"""What a node knows of the systems that it calls, and of its own parts, for the console."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping

from lineshaft.app.live_values import LiveValues
from lineshaft.app.plant_data import PlantData
from lineshaft.backbone import Backbone, StreamState
from lineshaft.calls import System
from lineshaft.contracts.authority import Authority
from lineshaft.contracts.system_facts import (
    ConsumerFacts,
    OperationFacts,
    OwnParts,
    PauseFacts,
    StreamFacts,
    SystemFacts,
)
from lineshaft.core.errors import TransientFault
from lineshaft.ledger import Pause, Pauses
from lineshaft.ledger.projections import PlantReads
from lineshaft.store import Store, database_bytes

__all__ = ["SystemsAtWork"]

_PATIENCE_S = 2.0


class SystemsAtWork:
    """Implements console.screens.systems.SystemsAtWork. line: None where no device values are taken in."""

    def __init__(
        self,
        plant: PlantData,
        pauses: Pauses,
        store: Store,
        backbone: Backbone,
        line: LiveValues | None,
    ) -> None:
        self._plant = plant
        self._pauses = pauses
        self._store = store
        self._books = PlantReads(store)
        self._backbone = backbone
        self._line = line

    @property
    def authority(self) -> Authority:
        return self._plant.authority

    async def facts(self) -> Mapping[str, SystemFacts]:
        pauses = await self._pauses.current()
        return {system.name: self._facts(system, pauses.get(system.name)) for system in self._plant.systems}

    def _facts(self, system: System, pause: Pause | None) -> SystemFacts:
        policy, manifest = system.policy, system.connector.manifest
        return SystemFacts(
            name=system.name,
            connector=self._plant.settings.systems[system.name].connector,
            kinds=tuple(sorted(self.authority.systems[system.name])),
            capabilities=tuple(manifest.capabilities),
            operations=tuple(
                OperationFacts(
                    name=operation.name,
                    is_command=operation.is_command,
                    reads_back=system.reads_back(operation),
                )
                for operation in system.operations.values()
            ),
            rate_per_s=policy.rate_per_s,
            concurrency=policy.concurrency,
            waiting=policy.waiting,
            deadline_s=policy.deadline_s,
            attempts=policy.attempts,
            under_way=system.limits.in_flight,
            inside=system.inside.calls,
            faults=system.breaker.faults,
            windows=tuple(str(window) for window in policy.maintenance),
            window=system.maintenance.window(),
            pause=PauseFacts(until=pause.until, reason=pause.reason, by=pause.actor, at=pause.at)
            if pause
            else None,
        )

    async def own(self) -> OwnParts:
        fault, streams = "", list[StreamFacts]()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                streams = [_stream(state) for state in await self._backbone.stream_states()]
        except TimeoutError:
            fault = f"the backbone did not tell its streams within {_PATIENCE_S:g} s"
        except TransientFault as error:
            fault = str(error)
        backlog = self._line.backlog() if self._line else None
        disk = await asyncio.get_running_loop().run_in_executor(None, shutil.disk_usage, self._plant.data_dir)
        return OwnParts(
            streams=tuple(streams),
            fault=fault,
            store=self._store.dialect,
            store_bytes=await database_bytes(self._store),
            disk_free=disk.free,
            disk_total=disk.total,
            outbox=await self._books.waiting_events(),
            telemetry_waiting=backlog[0] if backlog else None,
            telemetry_lag_ms=backlog[1] if backlog else None,
        )


def _stream(state: StreamState) -> StreamFacts:
    return StreamFacts(
        name=state.stream,
        messages=state.messages,
        bytes=state.bytes,
        most_bytes=state.most_bytes,
        consumers=tuple(
            ConsumerFacts(
                name=each.durable,
                pending=each.pending,
                unacked=each.unacknowledged,
                again=each.redelivered,
            )
            for each in state.consumers
        ),
    )
