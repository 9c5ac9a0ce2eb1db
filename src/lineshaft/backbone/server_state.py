"""What an embedded server keeps between runs: its ports, its password, its share of the disk."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import socket
from collections import deque
from collections.abc import Collection
from pathlib import Path

import msgspec
import structlog

from lineshaft.backbone.server_config import INTERNAL_USER
from lineshaft.core.errors import ConfigError

__all__ = [
    "ServerState",
    "choose_port",
    "credentials",
    "free_port",
    "load_state",
    "monitor_url",
    "save_state",
    "write_private",
]

_log = structlog.get_logger(__name__)
_SHARE_OF_FREE_DISK = 0.6
_LISTENED_ON = range(20_000, 32_768)  # Linux takes those of outgoing connections from above, others too
_MOST_BYTES = 200 * 2**30
_MOST_KEPT = 64
_kept: deque[socket.socket] = deque()  # of the ports told last


class ServerState(msgspec.Struct, kw_only=True):
    """ports are 0 before the first run; interest: the raw topic filters that had a durable at the last run"""

    password: str
    storage_bytes: int
    port: int = 0
    mqtt_port: int = 0
    monitor_port: int = 0
    interest: list[str] = []


def load_state(data_dir: Path) -> ServerState:
    """Last run's state, or a fresh one: a random password, 60 % of the free disk and at most 200 GiB.

    raises  ConfigError for a state file that cannot be read
    """
    path = _path(data_dir)
    if not path.exists():
        free = shutil.disk_usage(data_dir).free
        return ServerState(
            password=secrets.token_urlsafe(32),
            storage_bytes=min(int(free * _SHARE_OF_FREE_DISK), _MOST_BYTES),
        )
    try:
        return msgspec.json.decode(path.read_bytes(), type=ServerState)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}",
            hint="restore it, or delete it to have new ports and a password",
        ) from error


def credentials(data_dir: Path) -> tuple[str, str]:
    """User and password of the embedded server on this folder, for another process on this machine.

    raises  ConfigError where no server has run
    """
    if not _path(data_dir).exists():
        raise ConfigError(f"no backbone has run on {data_dir}", hint="start the node first")
    return INTERNAL_USER, load_state(data_dir).password


def monitor_url(data_dir: Path) -> str:
    """Of the embedded server on this folder, for another process on this machine.

    raises  ConfigError where no server has run
    """
    credentials(data_dir)
    return f"http://127.0.0.1:{load_state(data_dir).monitor_port}"


def save_state(data_dir: Path, state: ServerState) -> None:
    write_private(_path(data_dir), msgspec.json.format(msgspec.json.encode(state)))


def write_private(path: Path, content: bytes) -> None:
    """Replace the file whole, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def choose_port(host: str, wanted: int, remembered: int, purpose: str, taken: set[int]) -> int:
    """The port to listen on; 0 wants the remembered one if it is free, else any.

    raises  ConfigError when a port asked for by number is in use
    """
    if wanted:
        if not _is_free(host, wanted):
            raise ConfigError(
                f"{purpose} port {wanted} on {host} is in use",
                hint="stop what listens there, or choose another port (0 takes any free one)",
            )
        return wanted
    if remembered and remembered not in taken and _is_free(host, remembered):
        return remembered
    port = free_port(host, taken)
    if remembered:
        _log.warning("port of the last run is in use", purpose=purpose, was=remembered, now=port)
    return port


def free_port(host: str = "127.0.0.1", taken: Collection[int] = ()) -> int:
    """One that stays free while a server restarts: no outgoing connection is given it meanwhile. Nor is it
    told to those who ask next, here or in another process, before its server has come.

    raises  ConfigError when none is free
    """
    for port in random.sample(_LISTENED_ON, len(_LISTENED_ON)):
        if port not in taken and (kept := _keep(host, port)):
            _kept.append(kept)
            if len(_kept) > _MOST_KEPT:
                _kept.popleft().close()
            return port
    raise ConfigError(
        f"no port of {_LISTENED_ON[0]} to {_LISTENED_ON[-1]} is free on {host}",
        hint="stop what listens there",
    )


def _path(data_dir: Path) -> Path:
    return data_dir / "nats-state.json"


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _keep(host: str, port: int) -> socket.socket | None:
    """Bound, it is in the way of who wants the port for himself, and not of a server, which shares it."""
    kept = socket.socket()
    try:
        kept.bind((host, port))
        if os.name == "posix":
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        kept.close()
        return None
    return kept
