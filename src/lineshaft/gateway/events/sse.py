"""`GET /api/v1/events`: events as they come, server-sent, from where a reader stopped.

A message's id is the place in every stream, so that `Last-Event-ID` goes on with no gap and no event twice:

    id: <places>    event: <type>    data: <CloudEvent as JSON>

A comment comes where nothing else does. A reader that does not read is let go: what it is owed waits in the
streams, not here, and it comes back by its last id.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lineshaft.contracts.event import EventContract
from lineshaft.core.access import LOCAL, SOME, Caller, Refused
from lineshaft.core.errors import ContractViolation, LineshaftError, TransientFault
from lineshaft.core.ports import StreamPosition
from lineshaft.core.subscriptions import EventFeed, FedEvent, is_told
from lineshaft.gateway.events.outgoing import OUTGOING_CLASSES, as_cloudevent, may_read, type_findings
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import ApiRoute, Asked, Parameter

__all__ = ["EventsOut", "Proof", "events_out_route"]

_LOG = structlog.get_logger(__name__)
_MOST_PER_ACCOUNT = 20
_MOST_TYPES = 200
_RETRY_MS = 3000
_Places = dict[str, tuple[int, str]]

Proof = Callable[[Asked], Awaitable[Caller]]
"""The caller as it is now. raises  Refused, TransientFault"""


def events_out_route(events: EventsOut) -> ApiRoute:
    """GET /api/v1/events

    403  a type that the caller may not subscribe to
    410  the backbone does not have what follows the Last-Event-ID any more
    422  an unknown type, or a Last-Event-ID that is none of ours
    429  20 streams of one account at a time
    """
    types = {"type": "array", "items": {"type": "string"}}
    return ApiRoute(
        method="GET",
        path="/api/v1/events",
        name="read_events",
        summary="Events as they come, server-sent",
        permission=f"subscribe:{SOME}",
        handler=events.stream,
        tag="events",
        parameters=(
            Parameter(name="type", where="query", schema=types, summary="Only these; none: all you may read"),
            Parameter(name="subject", where="query", summary="Only events of this one"),
            Parameter(name="last_event_id", where="query", summary="As the header, for a first request"),
            Parameter(name="Last-Event-ID", where="header", summary="Go on after this message"),
        ),
        media=(),
        answers={200: {"type": "string"}},
        problems=(403, 410, 422, 429, 503),
        answer_media="text/event-stream",
        any_plant=True,
        version="v1",
    )


class EventsOut:
    """proof: asked again every heartbeat, so that a stream ends with the right to it."""

    def __init__(
        self,
        feed: EventFeed,
        contracts: Mapping[str, EventContract[Any]],
        proof: Proof,
        *,
        heartbeat_s: float = 15.0,
        patience_s: float = 30.0,
    ) -> None:
        """patience_s: how long a reader may take for what is written to it"""
        self._feed = feed
        self._contracts = {
            name: each for name, each in contracts.items() if each.eventclass in OUTGOING_CLASSES
        }
        self._all = contracts
        self._proof = proof
        self._heartbeat_s = heartbeat_s
        self._patience_s = patience_s
        self._open: Counter[str] = Counter()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Ends every stream, so that a server can stop without waiting for its readers."""
        self._closing.set()

    async def stream(self, asked: Asked) -> Response:
        """See `events_out_route`."""
        given = [kind for kind in asked.query.get("type", "").split(",") if kind]
        kinds = [kind.removeprefix("lineshaft.") for kind in given]
        if len(kinds) > _MOST_TYPES:
            raise ContractViolation("too much is asked", findings=[f"type: at most {_MOST_TYPES}"])
        if findings := type_findings(kinds, self._all):
            raise ContractViolation("these events cannot be told", findings=findings)
        wanted = [name for name in self._contracts if not kinds or is_told(name, kinds)]
        allowed = [name for name in wanted if may_read(asked.caller, name)]
        if not allowed or (kinds and len(allowed) < len(wanted)):
            refused = [f"type: subscribe:{name} is not among your permissions" for name in wanted]
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"{asked.caller.name} may not read these events",
                code="not_permitted",
                findings=[line for name, line in zip(wanted, refused, strict=True) if name not in allowed],
            )
        after = await self._after(asked)
        account = asked.caller.account or asked.caller.name
        if self._open[account] >= _MOST_PER_ACCOUNT:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{account} has {_MOST_PER_ACCOUNT} event streams open",
                code="too_many_streams",
                headers={"Retry-After": "30"},
            )
        self._open[account] += 1  # at once: others are asking
        return _EventStream(self, asked, after, frozenset(allowed), account)

    def _left(self, account: str) -> None:
        self._open[account] -= 1
        if not self._open[account]:
            del self._open[account]

    async def _after(self, asked: Asked) -> dict[str, StreamPosition]:
        newest = dict(await self._feed.newest())
        given = asked.headers.get("last-event-id") or asked.query.get("last_event_id", "")
        if not given:
            return newest
        places = _places(given)
        oldest = await self._feed.oldest()
        after = {}
        for stream, now in newest.items():
            sequence, created = places.get(stream, (now.sequence, now.created))
            if created != now.created or not oldest[stream].sequence <= sequence <= now.sequence:
                raise Refusal(
                    HTTPStatus.GONE,
                    f"what follows the Last-Event-ID is not in {stream} any more",
                    code="events_gone",
                    hint="read the present state by the consumer APIs, then begin without a Last-Event-ID",
                )
            after[stream] = StreamPosition(sequence, created)
        return after

    async def _run(self, stream: _EventStream, send: Callable[[bytes], Awaitable[None]]) -> None:
        try:
            async with self._feed.follow(stream.after, types=stream.types) as batches:
                await send(f"retry: {_RETRY_MS}\nid: {_id(stream.places)}\n\n".encode())
                await self._pump(stream, batches, send)
        except (Refused, LineshaftError) as fault:
            reason = fault.detail if isinstance(fault, Refused) else str(fault)
            await send(b"event: closed\ndata: " + msgspec.json.encode({"reason": reason}) + b"\n\n")

    async def _pump(
        self,
        stream: _EventStream,
        batches: AsyncIterator[Sequence[FedEvent]],
        send: Callable[[bytes], Awaitable[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        proved_at = loop.time()
        closing = asyncio.ensure_future(self._closing.wait())
        coming = asyncio.ensure_future(anext(batches))
        try:
            while not closing.done():
                first: set[asyncio.Future[Any]] = {coming, closing}
                await asyncio.wait(first, timeout=self._heartbeat_s, return_when=asyncio.FIRST_COMPLETED)
                if loop.time() - proved_at >= self._heartbeat_s:
                    await self._prove(stream)
                    proved_at = loop.time()
                if coming.done():
                    await send(stream.messages(coming.result()) or b": no news for you\n\n")
                    coming = asyncio.ensure_future(anext(batches))
                else:
                    await send(b": still here\n\n")
        finally:
            for each in (coming, closing):
                each.cancel()
            await asyncio.gather(coming, closing, return_exceptions=True)

    async def _prove(self, stream: _EventStream) -> None:
        """raises  Refused when the caller may not read any more what it is told; asks later if it cannot"""
        if stream.asked.caller.name == LOCAL.name:
            return
        try:
            caller = await self._proof(stream.asked)
        except TransientFault as fault:
            _LOG.warning("events.not_proved", caller=stream.asked.caller.name, reason=str(fault))
            return
        stream.caller = caller
        if not all(may_read(caller, kind) for kind in stream.types):
            raise Refused("your permissions have changed", code="not_permitted")


class _EventStream(Response):
    """One reader. places: of the last message, by stream."""

    media_type = "text/event-stream"

    def __init__(
        self,
        events: EventsOut,
        asked: Asked,
        after: Mapping[str, StreamPosition],
        types: frozenset[str],
        account: str,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self.asked = asked
        self.caller = asked.caller
        self.after = after
        self.types = types
        self.account = account
        self.places: _Places = {stream: (each.sequence, each.created) for stream, each in after.items()}
        self._shown = asked.shown

    def messages(self, fed: Sequence[FedEvent]) -> bytes:
        subject = self.asked.query.get("subject", "")
        parts = []
        for each in fed:
            self.places[each.stream] = (each.position.sequence, each.position.created)
            event = each.event
            if event.type in self.types and subject in ("", event.subject) and self.caller.sees(event.plant):
                head = f"id: {_id(self.places)}\nevent: {event.type}\ndata: ".encode()
                parts.append(head + as_cloudevent(event, self._shown) + b"\n\n")
        return b"".join(parts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "HEAD":
                await super().__call__(scope, receive, send)
            else:
                await self._told(receive, send)
        finally:
            self._events._left(self.account)

    async def _told(self, receive: Receive, send: Send) -> None:
        patience_s = self._events._patience_s

        async def write(part: bytes, *, more: bool = True) -> None:
            async with asyncio.timeout(patience_s):
                await send({"type": "http.response.body", "body": part, "more_body": more})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        running = asyncio.ensure_future(self._events._run(self, write))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
                await write(b"", more=False)
        except TimeoutError:
            _LOG.warning("events.slow_reader", caller=self.asked.caller.name, patience_s=patience_s)
        except OSError as lost:  # while it was being written to
            _LOG.debug("events.reader_lost", reason=str(lost))
        finally:
            for each in (running, leaving):
                each.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(running, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _id(places: _Places) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(places, order="sorted")).decode().rstrip("=")


def _places(text: str) -> _Places:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=_Places)
    except (ValueError, msgspec.DecodeError) as error:
        raise ContractViolation(
            "the Last-Event-ID is none of ours", findings=[f"Last-Event-ID: {text[:100]!r}"]
        ) from error
