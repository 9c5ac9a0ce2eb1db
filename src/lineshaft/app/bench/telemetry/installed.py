"""Peers from PyPI, each with a program of ours."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lineshaft.app.bench.pypi import pypi_installed
from lineshaft.app.bench.telemetry.load import LIMIT, RELEASE, Shape
from lineshaft.app.bench.telemetry.peer import INPUT, PeerSide
from lineshaft.app.child_process import end_with_its_input
from lineshaft.backbone import Backbone

__all__ = ["PythonPeer"]

_GRACE_S = 5.0
_HERE = Path(__file__).parent


class PythonPeer:
    """Implements `peer.Peer`. Its program is `<name>_program.py` beside this module."""

    def __init__(self, name: str, version: str, python: Path, stateful: frozenset[Shape]) -> None:
        self.name = name
        self.version = version
        self._python = python
        self._stateful = stateful

    @classmethod
    def found(cls, name: str, package: str, version: str, stateful: frozenset[Shape]) -> PythonPeer | None:
        """Installed from PyPI at the first time; None, saying why, where it cannot be.

        stateful   shapes for which it does hysteresis and windows
        """
        python = pypi_installed(package, f"{package}-{version}", [f"{package}=={version}"])
        return None if python is None else cls(name, version, python, stateful)

    def has_state(self, shape: Shape) -> bool:
        return shape in self._stateful

    @asynccontextmanager
    async def running(self, backbone: Backbone, shape: Shape, *, stateful: bool) -> AsyncIterator[PeerSide]:
        server = backbone.server
        assert server is not None  # noqa: S101 - the bench runs its own
        asked = {
            "url": server.url,
            "user": server.user,
            "password": server.password,
            "mqtt_url": backbone.mqtt_url,
            "input": INPUT,
            "limit": LIMIT,
            "release": RELEASE,
            "batches": shape is Shape.BATCHES,
            "stateful": stateful,
        }
        process = await asyncio.create_subprocess_exec(
            self._python,
            "-P",
            _HERE / f"{self.name}_program.py",
            json.dumps(asked),
            stdin=PIPE,
            stdout=sys.__stderr__,
            start_new_session=True,
        )
        try:
            side = PeerSide(self.name, process, backbone.connection)
            await side.begin(shape)
            yield side
        finally:
            await end_with_its_input(process, _GRACE_S)
