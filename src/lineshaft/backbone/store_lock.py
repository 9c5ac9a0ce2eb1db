"""One product and one server per store directory: two servers on one store both start, and lose data."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import structlog

from lineshaft.core.errors import ConfigError, PermanentFault

__all__ = ["StoreLock", "stop_orphan"]

_log = structlog.get_logger(__name__)
_POLL_S = 0.02


class StoreLock:
    """Held by the product, not by the server: it ends with the product, however that ends."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._holder = data_dir / "nats.holder"
        self._lock = filelock.FileLock(data_dir / "nats.lock", timeout=0)

    def take(self) -> None:
        """raises  ConfigError naming the process that holds the store"""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            holder = self._holder.read_text().strip() if self._holder.exists() else "unknown"
            raise ConfigError(
                f"the store in {self._data_dir} is in use by process {holder}",
                hint="stop that lineshaft, or give this one its own data directory",
            ) from None
        self._holder.write_text(str(os.getpid()))

    def release(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._holder.unlink()
        self._lock.release()


async def stop_orphan(data_dir: Path, config: Path, grace_s: float = 15.0) -> bool:
    """End a server that an earlier, killed product left on this store. Call with the lock held.

    returns  whether there was one
    raises   PermanentFault when it does not go away
    """
    try:
        pid = int((data_dir / "nats.pid").read_text())
    except (FileNotFoundError, ValueError):
        return False
    if not _runs_our_server(pid, config):
        return False
    _log.warning(
        "a server of an earlier run is still on the store; stopping it", pid=pid, store=str(data_dir)
    )
    loop = asyncio.get_running_loop()
    # It is no child of ours, and no portable event tells that it ended: hence the polling.
    for request in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, request)
        deadline = loop.time() + grace_s
        while loop.time() < deadline:
            if not _runs_our_server(pid, config):
                return True
            await asyncio.sleep(_POLL_S)
    raise PermanentFault(
        f"process {pid}, a NATS server on {data_dir}, does not end", hint=f"end it by hand: kill -9 {pid}"
    )


def _runs_our_server(pid: int, config: Path) -> bool:
    """Whether the process lives and was started with our configuration file: a pid alone may be anyone's."""
    if sys.platform == "linux":
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(config) in command
    if sys.platform == "win32":
        listed = subprocess.run(
            ["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True, check=False
        )
        return "nats-server" in listed.stdout
    listed = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return str(config) in listed.stdout
