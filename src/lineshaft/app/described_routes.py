"""The routes of a node that does not run, to be described and not to be asked."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lineshaft.app.access import NodeAccess, access_of
from lineshaft.app.events_part import EventsPart
from lineshaft.app.http_part import HttpPart
from lineshaft.app.observability import Observability
from lineshaft.app.plant_data import PlantData
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.gateway.identity import make_access
from lineshaft.gateway.route import ApiRoute

__all__ = ["described_routes"]


class _Nobody:
    """Stands for the parts behind the routes, which no question reaches."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        return self


def described_routes(plant: PlantData) -> list[ApiRoute]:
    nobody: Any = _Nobody()
    clock, settings = SystemClock(), plant.settings
    file = access_of(settings, plant.path)
    access = None
    if file is not None:
        with TemporaryDirectory(prefix="lineshaft-") as folder:
            access = make_access(
                file,
                credentials=nobody,
                sessions=nobody,
                pages=nobody,
                keys_file=Path(folder) / "keys.json",
                url="",
                tls=settings.console.tls is not None,
                clock=clock,
            )
    events = EventsPart(
        settings, plant.path, nobody, nobody, nobody, nobody, nobody, nobody, EVENTS, clock, access=access
    )
    http = HttpPart(
        plant,
        nobody,
        nobody,
        nobody,
        nobody,
        clock,
        door=nobody,
        observed=Observability(plant, nobody, nobody, nobody, nobody, clock, telemetry=None),
        desk=nobody,
        reads=nobody,
        steering=nobody,
        pauses=nobody,
        workbench=nobody,
        contracts=nobody,
        retiring={},
        verifier=nobody,
        events=events,
        access=NodeAccess(access, settings, plant.path) if access else None,
        kpis=nobody,
        pages=[],
        refusals=nobody,
    )
    return list(http.gateway.routes)
