"""The devices at our listener: users as their file says, and what they do that they may not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog
import watchfiles

from lineshaft.app.plant_data import PlantData
from lineshaft.backbone import NatsServer
from lineshaft.core.errors import LineshaftError, TransientFault
from lineshaft.core.ports import ExceptionDesk
from lineshaft.core.values import ExceptionKind, ExceptionRecord

__all__ = ["guard_devices"]

_LOG = structlog.get_logger(__name__)
_OWNER = "plant-engineering"
_PAUSE_S = 2.0


def guard_devices(
    plant: PlantData, server: NatsServer, desk: ExceptionDesk
) -> list[Coroutine[Any, Any, None]]:
    """What to run for it, each until cancelled."""
    runs = [_report_incidents(plant.settings.plant, server, desk)]
    if plant.settings.backbone.devices:
        runs.append(_follow_file(plant, server))
    return runs


async def _report_incidents(plant: str, server: NatsServer, desk: ExceptionDesk) -> None:
    waiting: list[ExceptionRecord] = []
    while True:
        try:
            incidents = [] if waiting else await server.next_incidents()
            waiting += [
                ExceptionRecord(
                    kind=ExceptionKind.DEVICE_VIOLATION,
                    plant=plant,
                    source=incident.user or incident.client_id,
                    owner=_OWNER,
                    cause=str(incident),
                )
                for incident in incidents
            ]
            await desk.report(waiting)
            waiting = []
        except TransientFault as fault:
            _LOG.warning("devices.incidents_wait", fault=str(fault))
            await asyncio.sleep(_PAUSE_S)


async def _follow_file(plant: PlantData, server: NatsServer) -> None:
    """With errors in it, the users stay as they were."""
    path = plant.path.parent / plant.settings.backbone.devices
    async for changed in watchfiles.awatch(path.parent, recursive=False):
        if path.name in {Path(name).name for _, name in changed}:
            try:
                await server.reload(plant.mqtt_users() or [])
            except LineshaftError as error:
                _LOG.error("devices.file_refused", error=str(error))
            else:
                _LOG.info("devices.file_taken", file=path.name)
