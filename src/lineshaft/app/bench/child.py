"""A child process of a bench: one line of JSON in, one line of JSON out; it ends with its standard input."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from lineshaft.app.child_process import end_with_its_input
from lineshaft.core.errors import TransientFault

__all__ = ["Child", "child", "program"]

_GRACE_S = 5.0
_LONGEST_ANSWER = 32 * 2**20  # bytes


class Child:
    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, question: dict[str, Any], *, within_s: float) -> dict[str, Any]:
        """raises  TransientFault when it ended or does not answer"""
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None  # noqa: S101 - both are pipes
        assert writer is not None  # noqa: S101
        try:
            async with asyncio.timeout(within_s):
                writer.write(msgspec.json.encode(question) + b"\n")
                await writer.drain()
                line = await reader.readline()
        except (TimeoutError, OSError) as error:
            raise TransientFault(f"{self._name} does not answer: {error!r}") from error
        if not line:
            raise TransientFault(f"{self._name} ended", hint="what it said is above")
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer


@asynccontextmanager
async def child(module: str) -> AsyncIterator[Child]:
    """A module of this package, run as a program."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise TransientFault(f"{module} is not installed")
    # by its file, so that it loads what it needs and not all of this package
    async with program(module, [sys.executable, "-P", spec.origin]) as started:
        yield started


@asynccontextmanager
async def program(
    name: str, command: Sequence[str | Path], environment: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Child]:
    """Ctrl-C in a terminal reaches only us; the end of its input, however that comes about, ends it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        env=os.environ | environment,
        start_new_session=True,
        limit=_LONGEST_ANSWER,
    )
    try:
        yield Child(name, process)
    except BaseException:
        await end_with_its_input(process, 0)  # what it measures is of no use any more
        raise
    else:
        await end_with_its_input(process, _GRACE_S)
