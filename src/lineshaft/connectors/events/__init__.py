"""A system that tells events over HTTP and is asked nothing."""

from lineshaft.connectors.events.connector import EventsConnector, EventsSettings

__all__ = ["EventsConnector", "EventsSettings"]
