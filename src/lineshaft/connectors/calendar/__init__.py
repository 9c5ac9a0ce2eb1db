"""A work calendar kept in a file: a system of the plant that has no address."""

from lineshaft.connectors.calendar.connector import CalendarConnector, CalendarSettings

__all__ = ["CalendarConnector", "CalendarSettings"]
