"""Server-sent events: what changed, when it did, and a beat when nothing does.

    event: touched    id: <version>    data: {"at": <RFC 3339>, "topics": [<name>, …]}
    event: beat                        data: {"at": <RFC 3339>}

`at` is the server's time, by which the browser counts ages. EventSource returns by itself with the last id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lineshaft.console.pulse import Pulse
from lineshaft.core.access import Refused
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import TransientFault

__all__ = ["ChangeStream"]

_BEAT_S = 10.0
_RETRY_MS = 2000


class ChangeStream(StreamingResponse):
    """Counts as a watcher from its first byte until the browser is gone.

    proof  asked about every ten seconds; raises Refused when who watches may not any more
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        pulse: Pulse,
        clock: Clock,
        version: str,
        headers: dict[str, str],
        proof: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._pulse = pulse
        self._clock = clock
        self._proof = proof
        super().__init__(self._messages(version), headers={**headers, "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        async with self._pulse.attend():
            await super().__call__(scope, receive, send)

    async def _messages(self, version: str) -> AsyncIterator[bytes]:
        yield f"retry: {_RETRY_MS}\n".encode() + self._message("beat", {})
        proved_at = self._clock.monotonic()
        while not self._pulse.closed and not self._pulse.rests:
            touched = await self._pulse.after(version, _BEAT_S)
            if self._clock.monotonic() - proved_at >= _BEAT_S:
                proved_at = self._clock.monotonic()
                if not await self._may_watch():
                    return
            version = touched.version
            if touched.topics:
                yield self._message("touched", {"topics": sorted(touched.topics)}, version)
            else:
                yield self._message("beat", {})

    async def _may_watch(self) -> bool:
        """As long as nobody can be asked, yes: who began this stream was let in."""
        try:
            if self._proof is not None:
                await self._proof()
        except Refused:
            return False
        except TransientFault:
            return True
        return True

    def _message(self, name: str, data: dict[str, Any], version: str = "") -> bytes:
        body = msgspec.json.encode({"at": rfc3339(self._clock.now()), **data})
        number = f"id: {version}\n".encode() if version else b""
        return b"event: " + name.encode() + b"\n" + number + b"data: " + body + b"\n\n"
