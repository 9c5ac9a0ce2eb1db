"""wrk counts what it was answered, and sends no id twice."""

from __future__ import annotations

import asyncio
import re

import pytest

from lineshaft.app.bench.gateway.wrk import Wrk, found_wrk
from lineshaft.core.errors import ConfigError, TransientFault


@pytest.fixture
def wrk() -> Wrk:
    try:
        return found_wrk()
    except ConfigError as error:
        pytest.skip(str(error))


async def test_each_request_is_new_and_refusals_are_counted(wrk: Wrk) -> None:
    seen: list[str] = []
    refused: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = re.search(rb"Content-Length: (\d+)", head)
            assert size is not None
            assert b"X-Key: secret" in head
            said = (await reader.readexactly(int(size[1]))).decode()
            seen.append(said)
            status = 202
            if len(seen) % 3 == 0:
                refused.append(said)
                status = 429
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())

    def ended(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        assert isinstance(context.get("exception"), asyncio.IncompleteReadError | ConnectionError)

    asyncio.get_running_loop().set_exception_handler(ended)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        load = await wrk.run(
            f"http://{host}:{port}/x", {"X-Key": "secret"}, "id=@ID@", seconds=1, wait_ms=5, connections=4
        )
    assert 0 < load.requests <= len(seen)
    assert len(set(seen)) == len(seen)
    assert all(re.fullmatch(r"id=\S+-0-\d+", said) for said in seen)
    assert len(refused) - 4 <= load.failed <= len(refused)
    assert 0 < load.p50_us <= load.p99_us


async def test_nobody_there_is_told(wrk: Wrk) -> None:
    with pytest.raises(TransientFault, match="wrk ended with"):
        await wrk.run("http://127.0.0.1:1/", {}, "", seconds=1)
