"""A system of which only the kind is known: what it masters, it may tell."""

from __future__ import annotations

import msgspec

from lineshaft.core.ports import Health, HealthState, Manifest
from lineshaft.model.systems import SystemKind

__all__ = ["EventsConnector", "EventsSettings"]


class EventsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """kind: of system, e.g. `qms`: it masters what systems of this kind do"""

    kind: SystemKind


class EventsConnector:
    """Implements core.ports.Connector, without a capability.

    kinds: of system that it is, beside those of its capabilities
    """

    def __init__(self, name: str, settings: EventsSettings) -> None:
        self.manifest = Manifest(name=name, title=name.upper(), capabilities=[], reads_back=[])
        self.kinds = frozenset({str(settings.kind)})

    async def start(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        """Nor to leave."""

    async def health(self) -> Health:
        return Health(state=HealthState.ACTIVE, detail="tells events")
