"""A system that tells events and is asked nothing."""

from __future__ import annotations

from lineshaft.calls import CallPolicy, System
from lineshaft.connectors.events import EventsConnector, EventsSettings
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.clock import SystemClock
from lineshaft.model.systems import SystemKind


async def test_it_is_of_its_kind_serves_nothing_and_is_well() -> None:
    connector = EventsConnector("lab", EventsSettings(kind=SystemKind.QMS))
    system = System("lab", connector, CAPABILITIES, CallPolicy(), SystemClock())
    await connector.start()
    assert (await connector.health()).state == "active"
    await connector.close()
    assert not system.operations
    assert connector.kinds == {"qms"}
