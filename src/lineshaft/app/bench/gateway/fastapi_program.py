"""The route of the bench on FastAPI: the body is parsed and validated by its model, and nothing is kept.

On each line of its standard input it says where it is; it ends with it.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from datetime import datetime
from decimal import Decimal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

__all__: list[str] = []


class Quantity(BaseModel):
    value: Decimal
    unit: str


class Data(BaseModel):
    material_definition_id: str
    site: str
    quantity: Quantity
    as_of: datetime
    source_sequence: str


class CloudEvent(BaseModel):
    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    data: Data


class Taken(BaseModel):
    events: list[str]


app = FastAPI()


@app.post("/api/events", status_code=202)
async def take(event: CloudEvent) -> Taken:
    return Taken(events=[event.id])


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
