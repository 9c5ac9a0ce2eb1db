"""A connection to the backbone of a node that runs, from another process."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineshaft.app.node_address import read_address
from lineshaft.app.settings import BackboneSettings
from lineshaft.backbone import Connection, credentials
from lineshaft.core.errors import ConfigError, TransientFault

__all__ = ["connect_to_node"]

_CONNECT_S = 5.0


async def connect_to_node(backbone: BackboneSettings, data: Path) -> Connection:
    """data: the node's data folder. raises  TransientFault naming it"""
    try:
        if backbone.url:
            return await Connection.open(
                backbone.url, user=backbone.user, password=backbone.password, timeout_s=_CONNECT_S
            )
        node = read_address(data / "node.json")
        user, password = credentials(data / "nats")
        return await Connection.open(node.nats, user=user, password=password, timeout_s=_CONNECT_S)
    except FileNotFoundError as error:
        raise TransientFault(f"no node has run on {data}", hint="start it with `lineshaft run`") from error
    except (OSError, msgspec.MsgspecError, TransientFault, ConfigError) as error:
        raise TransientFault(
            f"the node on {data} does not run, or its backbone is away ({error})",
            hint="start it with `lineshaft run`",
        ) from error
