"""Which ports an embedded server is given."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from lineshaft.backbone import server_state
from lineshaft.backbone.server_state import free_port
from lineshaft.core.errors import ConfigError

FEW = range(19_000, 19_040)  # nobody else here is told these
ASK = f"""
import sys
from lineshaft.backbone import server_state
server_state._LISTENED_ON = range({FEW.start}, {FEW.stop})
print(*[server_state.free_port() for _ in range(12)], flush=True)
sys.stdin.read()
"""


def test_a_port_is_told_once_to_all_who_ask_before_its_server_has_come() -> None:
    with ExitStack() as stack:
        asked = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            for _ in range(3)
        ]
        told = [port for each in asked for port in each.stdout.readline().split()]  # none has ended yet
        for each in asked:
            each.stdin.close()
    assert len(told) == len(set(told)) == 36


async def test_its_server_listens_there_and_comes_back() -> None:
    port = free_port()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        writer.close()

    for _ in range(2):
        async with await asyncio.start_server(greet, "127.0.0.1", port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b"here"
            writer.close()


def test_none_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        monkeypatch.setattr(server_state, "_LISTENED_ON", range(port, port + 1))
        with pytest.raises(ConfigError, match=rf"no port of {port} to {port} is free on 127\.0\.0\.1"):
            free_port()
