"""The planning system of the bench, as a child process: takes notices over HTTP and counts them by their key.

It keeps nobody from posting twice. On each line of its standard input it says where it is and what it
counted.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
from aiohttp import web

__all__: list[str] = []


class _Target:
    """first: the number of the first notice under each key."""

    def __init__(self) -> None:
        self.posts = 0
        self.first: dict[str, str] = {}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.method == "GET":
            number = self.first.get(request.query.get("externalRef", ""))
            return _json({"notices": [{"noticeId": number}] if number else []})
        notice = msgspec.json.decode(await request.read())
        self.posts += 1
        number = f"CN-{self.posts}"
        self.first.setdefault(request.headers["Idempotency-Key"], number)
        return _json({"noticeId": number, "reference": notice["reference"]}, status=201)


def _json(document: dict[str, object], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(document), status=status, content_type="application/json")


async def _serve() -> None:
    target = _Target()
    runner = web.ServerRunner(web.Server(target.answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    while await asyncio.to_thread(sys.stdin.readline):
        said = {"url": f"http://{host}:{port}", "posts": target.posts, "keys": len(target.first)}
        print(msgspec.json.encode(said).decode(), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
