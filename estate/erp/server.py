"""A Tryton server as a child process, on 127.0.0.1, with its database in a folder of the caller's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from estate.erp.environment import Environment, ensure_environment
from lineshaft.app.last_run import cache_dir
from lineshaft.backbone.server_state import free_port
from lineshaft.core.errors import TransientFault

__all__ = ["TrytonServer"]

CHILD = Path(__file__).with_name("trytond_child.py")
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 10.0
CONFIG = """\
[database]
uri = sqlite://
path = {path}
list = False
[request]
timeout = 60
"""


class TrytonServer:
    """A running server.

    url          base address, `http://127.0.0.1:<port>`; the database is named `erp`
    key          REST key of the technical user that lineshaft works as
    auditor_key  REST key of the administrator, for the estate's own look at the books
    log_path     what the server wrote
    """

    def __init__(
        self, keys: dict[str, str], data_dir: Path, process: asyncio.subprocess.Process, port: int
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.key = keys["integration"]
        self.auditor_key = keys["auditor"]
        self.data_dir = data_dir
        self.log_path = data_dir / "trytond.log"
        self._process = process

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        port: int | None = None,
        *,
        cache: Path | None = None,
        on_progress: Callable[[str], None] = lambda line: None,
    ) -> TrytonServer:
        """Start on `data_dir`, with a fresh copy of the seeded database if there is none in it yet.

        port     None for a free one
        cache    where the environment is; None for `cache_dir()`; the first build takes about 45 s
        raises   TransientFault with the log's tail when it does not answer within three minutes
        """
        environment = await asyncio.to_thread(ensure_environment, cache or cache_dir(), on_progress)
        keys = await asyncio.to_thread(_prepare, environment, data_dir)
        with (data_dir / "trytond.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                str(environment.python),
                str(CHILD),
                str(data_dir / "trytond.conf"),
                str(port or free_port()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))},
            )
        try:
            bound = await _port_of(process, data_dir / "trytond.log")
        except BaseException:
            await _end(process)
            raise
        return cls(keys, data_dir, process, bound)

    async def stop(self) -> None:
        """End the process; returns when it is gone. The database stays, so it can be started again."""
        await _end(self._process)

    async def kill(self) -> None:
        """End the process at once, as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def __aenter__(self) -> TrytonServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _prepare(environment: Environment, data_dir: Path) -> dict[str, str]:
    """The keys that go with the database in `data_dir`, which may be older than the environment."""
    data_dir.mkdir(parents=True, exist_ok=True)
    database = data_dir / "erp.sqlite"
    keys = data_dir / "keys.json"
    if not database.exists():
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(environment.keys))
        fresh = data_dir / "erp.sqlite.new"
        shutil.copyfile(environment.seeded, fresh)
        fresh.rename(database)
    (data_dir / "trytond.conf").write_text(CONFIG.format(path=data_dir.absolute()))
    known: dict[str, str] = json.loads(keys.read_text())
    return known


async def _port_of(process: asyncio.subprocess.Process, log_path: Path) -> int:
    """The port that the child reports when it listens."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await process.stdout.readline()
    if not line.strip().isdigit():
        tail = await asyncio.to_thread(_tail, log_path)
        raise TransientFault(f"Tryton did not start:\n{tail or '(nothing in the log)'}", code="erp_start")
    return int(line)


def _tail(log_path: Path) -> str:
    return "\n".join(log_path.read_text(errors="replace").splitlines()[-15:])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
