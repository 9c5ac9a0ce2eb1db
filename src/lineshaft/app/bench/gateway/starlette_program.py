"""The route of the bench on bare Starlette: the body is parsed, and nothing is checked or kept.

On each line of its standard input it says where it is; it ends with it.
"""

from __future__ import annotations

import json
import socket
import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__: list[str] = []


async def take(request: Request) -> JSONResponse:
    event = json.loads(await request.body())
    return JSONResponse({"events": [event["id"]]}, 202)


app = Starlette(routes=[Route("/api/events", take, methods=["POST"])])


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listening.getsockname()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))

    def say() -> None:
        for _ in sys.stdin:
            print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
        server.should_exit = True

    threading.Thread(target=say, daemon=True).start()
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
