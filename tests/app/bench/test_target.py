from __future__ import annotations

import asyncio

import aiohttp

from lineshaft.app.bench.child import child


async def test_it_takes_everything_and_counts_what_came_twice() -> None:
    async with child("lineshaft.app.bench.target") as server, aiohttp.ClientSession() as session:
        url = (await server.ask({}, within_s=60))["url"]

        async def post(key: str) -> tuple[int, dict[str, str]]:
            headers = {"idempotency-KEY": key}
            async with session.post(f"{url}/notices", json={"reference": key}, headers=headers) as answer:
                return answer.status, await answer.json()

        async def found(key: str) -> object:
            async with session.get(f"{url}/notices?externalRef={key}") as answer:
                return await answer.json()

        assert await post("a") == (201, {"noticeId": "CN-1", "reference": "a"})
        assert await post("a") == (201, {"noticeId": "CN-2", "reference": "a"})
        assert await found("a") == {"notices": [{"noticeId": "CN-1"}]}
        assert await found("b") == {"notices": []}
        counted = await server.ask({}, within_s=60)
        assert (counted["posts"], counted["keys"]) == (2, 1)


async def test_a_request_may_come_in_pieces_and_two_in_one() -> None:
    async with child("lineshaft.app.bench.target") as server:
        url = (await server.ask({}, within_s=60))["url"]
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = b'{"reference": "r"}'
        request = b"POST /notices HTTP/1.1\r\nIdempotency-Key: k\r\nContent-Length: 18\r\n\r\n" + body
        for sent in (request[:20], request[20:-5], request[-5:] + request):
            writer.write(sent)
            await writer.drain()
        async with asyncio.timeout(60):
            for number in (b"CN-1", b"CN-2"):
                assert (await reader.readline()).startswith(b"HTTP/1.1 201")
                assert number in await reader.readuntil(b'"r"}')
        writer.close()
