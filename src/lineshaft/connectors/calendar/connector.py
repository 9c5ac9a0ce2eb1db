"""The connector of a calendar file: it answers from memory, and nothing of it can fail on the way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from lineshaft.connectors.calendar.calendar_file import read_calendar
from lineshaft.connectors.calendar.entries import entries_of
from lineshaft.core.errors import BusinessFault
from lineshaft.core.ports import CallContext, Health, HealthState, Manifest
from lineshaft.model.calendar import CalendarEntries, EquipmentPeriod

__all__ = ["CalendarConnector", "CalendarSettings"]

_LONGEST = timedelta(days=366)


class CalendarSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """file: of the calendar"""

    file: str


class CalendarConnector:
    """Implements core.ports.Connector, for the capability `calendar`.

    kinds: of system that it is: none, so that it masters nothing
    """

    kinds: frozenset[str] = frozenset()

    def __init__(self, name: str, file: Path, zone: ZoneInfo) -> None:
        """Reads the file, once. raises ConfigError with every finding

        zone  of the site
        """
        self._calendar = read_calendar(file)
        self._zone = zone
        self.manifest = Manifest(
            name=name, title=self._calendar.title, capabilities=["calendar"], reads_back=[]
        )

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def health(self) -> Health:
        return Health(state=HealthState.ACTIVE)

    async def entries(self, call: CallContext, request: EquipmentPeriod) -> CalendarEntries:
        """raises  BusinessFault for a period that is none, or longer than a year"""
        if not timedelta(0) < request.end_time - request.start_time <= _LONGEST:
            raise BusinessFault(
                f"{request.start_time} to {request.end_time} is no period of up to {_LONGEST.days} days",
                code="invalid_period",
                owner="production",
                hint="ask for less",
            )
        return CalendarEntries(
            equipment_id=request.equipment_id, entries=entries_of(self._calendar, request, self._zone)
        )
