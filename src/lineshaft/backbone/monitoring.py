"""What the embedded server says of itself and its connections, over its monitoring port."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from lineshaft.core.errors import TransientFault

__all__ = ["DeviceConnection", "config_loaded_at", "device_connections", "users_of"]

T = TypeVar("T")
_PATIENCE_S = 5.0
_MOST = 100_000


class DeviceConnection(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is connected; in: messages that came from it, as the server counts them."""

    cid: int
    kind: str = msgspec.field(name="type", default="")
    user: str = msgspec.field(name="authorized_user", default="")
    client_id: str = msgspec.field(name="mqtt_client", default="")
    ip: str = ""
    port: int = 0
    start: datetime
    last_activity: datetime
    messages_in: int = msgspec.field(name="in_msgs", default=0)
    messages_out: int = msgspec.field(name="out_msgs", default=0)


class _Connections(msgspec.Struct, frozen=True):
    connections: list[DeviceConnection]


class _Server(msgspec.Struct, frozen=True):
    config_load_time: str


async def device_connections(monitor_url: str) -> list[DeviceConnection]:
    """raises  TransientFault when the server does not answer"""
    found = await _get(monitor_url, f"/connz?auth=1&limit={_MOST}", _Connections)
    return [each for each in found.connections if each.kind == "mqtt"]


async def users_of(monitor_url: str, cids: set[int]) -> dict[int, str]:
    """By connection, of those that the server still remembers: it forgets the oldest of 10,000 closed ones.

    raises  TransientFault
    """
    users = {}
    for cid in cids:
        found = await _get(monitor_url, f"/connz?auth=1&state=all&cid={cid}", _Connections)
        users.update({each.cid: each.user for each in found.connections})
    return users


async def config_loaded_at(monitor_url: str) -> str:
    """raises  TransientFault"""
    return (await _get(monitor_url, "/varz", _Server)).config_load_time


async def _get(monitor_url: str, path: str, type: type[T]) -> T:
    address = urlsplit(monitor_url)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
        return msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=type)
    except (OSError, TimeoutError, msgspec.MsgspecError) as error:
        raise TransientFault(
            f"nats-server does not answer on {monitor_url}{path}: {error or type.__name__}",
            hint="is the node running?",
        ) from error
