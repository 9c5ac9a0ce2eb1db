"""OPC UA servers as sources of readings. asyncua, the extra `opcua`, is imported when it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lineshaft.connectors.opcua.options import OpcUaOptions
from lineshaft.core.errors import ConfigError

if TYPE_CHECKING:
    from lineshaft.connectors.opcua.browse import BrowsedValue
    from lineshaft.connectors.opcua.source import OpcUaSource

__all__ = ["OpcUaOptions", "browse_opcua", "make_opcua"]

OBJECTS = "i=85"


def make_opcua(
    name: str, options: OpcUaOptions, metrics: Sequence[str], folder: Path = Path()
) -> OpcUaSource:
    """metrics: node ids of its topic in the tag list; folder: where relative paths of the options start.

    raises  ConfigError with every finding, also when asyncua is not installed
    """
    with _installed(name):
        from lineshaft.connectors.opcua.source import OpcUaSource  # noqa: PLC0415 - an extra
    return OpcUaSource(name, options, metrics, folder=folder)


def browse_opcua(
    name: str, options: OpcUaOptions, folder: Path = Path(), start: str = OBJECTS
) -> AsyncIterator[BrowsedValue]:
    """Every variable below `start`, level by level, as the server tells them: for a tag list.

    raises  ConfigError, also when asyncua is not installed; on the way PermanentFault and TransientFault too
    """
    with _installed(name):
        from lineshaft.connectors.opcua.browse import browse  # noqa: PLC0415 - an extra
    return browse(name, options, folder=folder, start=start)


@contextmanager
def _installed(name: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"source {name!r} is an OPC UA server, and {error.name} is not installed",
            hint="pip install 'lineshaft[opcua]'",
        ) from error
