"""One connector for every REST system, driven by a mapping file."""

from lineshaft.connectors.rest.connector import RestConnector
from lineshaft.connectors.rest.settings import RestSettings

__all__ = ["RestConnector", "RestSettings"]
