"""Everything that a node serves over HTTP, wired: every route of the product, through the one gateway."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from lineshaft import __version__
from lineshaft.app.access import NodeAccess
from lineshaft.app.audit_api import audit_routes
from lineshaft.app.events_part import EventsPart
from lineshaft.app.exceptions_api import exception_routes
from lineshaft.app.kpis_part import kpi_route
from lineshaft.app.node_routes import trace_route
from lineshaft.app.observability import Observability
from lineshaft.app.pages import page_routes
from lineshaft.app.plant_data import PlantData
from lineshaft.app.processes_api import process_routes
from lineshaft.app.steering import Steering
from lineshaft.app.system_pauses import SystemPauses
from lineshaft.app.systems_api import pause_routes
from lineshaft.app.workbench import webhooks_of
from lineshaft.backbone import Backbone
from lineshaft.console import Page
from lineshaft.core.clock import Clock
from lineshaft.core.ports import CallPort, ReadModel
from lineshaft.core.values import Event
from lineshaft.gateway.catalogue_api import catalogue_routes
from lineshaft.gateway.consumer_api import consumer_routes
from lineshaft.gateway.openapi import openapi_route
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.process_api import process_api_routes
from lineshaft.gateway.refusing import RefusalPage
from lineshaft.gateway.route import ApiRoute, Retiring
from lineshaft.gateway.system_api import system_routes
from lineshaft.gateway.webhooks import webhook_routes
from lineshaft.insight.kpis import KpiReads
from lineshaft.ledger import Desk, Workbench
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.ledger.call_states import call_row
from lineshaft.ledger.projections import ProjectionReads
from lineshaft.ledger.registry import ContractBook
from lineshaft.ledger.requests import Quotas, RequestClaims, RequestLog
from lineshaft.store import Outbox, Store, Worker

__all__ = ["HttpPart"]


class HttpPart:
    """gateway: the ASGI application. access: None on a node without an access file."""

    def __init__(
        self,
        plant: PlantData,
        store: Store,
        outbox: Outbox,
        backbone: Backbone,
        worker: Worker,
        clock: Clock,
        *,
        door: CallPort,
        observed: Observability,
        desk: Desk,
        reads: ReadModel,
        steering: Steering,
        pauses: SystemPauses,
        workbench: Workbench,
        contracts: ContractBook,
        retiring: Mapping[str, Retiring],
        verifier: Verifier,
        events: EventsPart,
        access: NodeAccess | None,
        kpis: KpiReads,
        pages: Sequence[Page],
        refusals: RefusalPage,
    ) -> None:
        settings = plant.settings
        self._access = access
        self._events = events
        self._log = RequestLog(store)
        self._quotas = Quotas(store, clock, worker.name)

        async def tell(event: Event) -> None:
            await store.write(lambda connection: outbox.add(connection, [event]))
            outbox.wake()

        newest = {process.name: process for process in sorted(plant.processes, key=lambda each: each.version)}
        routes: list[ApiRoute] = [
            *observed.routes(),
            *(access.access.routes if access else []),
            *webhook_routes(webhooks_of(plant), backbone.publisher, desk, settings.plant),
            *events.routes(),
            *system_routes(plant.systems, door, partial(call_row, store), retiring),
            *process_api_routes(
                newest.values(),
                steering,
                tell,
                clock,
                enterprise=settings.enterprise,
                authority=plant.authority.of_event,
            ),
            *consumer_routes(ProjectionReads(store, clock)),
            trace_route(reads),
            kpi_route(kpis),
            *exception_routes(workbench, access.people if access else None, zone=settings.zone),
            *process_routes(steering),
            *pause_routes(pauses),
            *audit_routes(verifier),
            *catalogue_routes(contracts, version=__version__),
            *page_routes(pages),
        ]
        self.gateway = make_gateway(
            [*routes, openapi_route(routes, __version__)],
            access.access.authenticator if access else None,
            plant=settings.plant,
            policies=access.access.directory if access else None,
            claims=RequestClaims(store, clock, worker),
            log=self._log,
            quotas=self._quotas,
            clock=clock,
            tls=settings.console.tls is not None,
            on_answer=observed.metrics.answered,
            page=refusals,
        )

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        runs = [self._log.run(), self._quotas.run(), self._events.run()]
        return [*runs, self._access.run()] if self._access else runs

    async def load(self) -> None:
        """What was used of quotas before this start."""
        await self._quotas.load()

    async def close(self) -> None:
        """Ends open streams; what changes something is done first."""
        self._events.close()
        await self.gateway.close()
