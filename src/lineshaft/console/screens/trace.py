"""From device reading to document number, by any business key."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from markupsafe import escape
from starlette.responses import HTMLResponse, Response

from lineshaft.console.page import Page, Visit
from lineshaft.console.page_headers import PAGE_HEADERS
from lineshaft.console.shell import Shell
from lineshaft.console.story import stories
from lineshaft.console.tones import tone_of
from lineshaft.core.errors import LineshaftError
from lineshaft.core.ports import WireMessage

__all__ = ["SentForm", "TraceReads", "TraceScreen"]

_NEWEST = 8
Plants = Collection[str] | None
SentForm = Callable[[str, str, bytes, str], WireMessage | str]
"""From system, operation, request as JSON and idempotency key: how the request would be sent today, or why
that cannot be said."""


class TraceReads(Protocol):
    """plants: whose rows; None: those of every plant."""

    async def trace(self, key: str, plants: Plants) -> Mapping[str, Any]:
        """As core.ports.ReadModel has it."""
        ...

    async def keys_like(self, begins: str, plants: Plants) -> Sequence[str]:
        """Business keys that begin with this, a few."""
        ...

    async def newest(self, plants: Plants, limit: int) -> Sequence[Mapping[str, Any]]:
        """Processes: process_id, type, business_key, state, started_at."""
        ...

    async def versions(self) -> Mapping[str, str]:
        """Of live contracts, by id."""
        ...

    async def call(self, call_id: str, plants: Plants) -> Mapping[str, Any] | None:
        """call_id, operation, system, idempotency_key, and request as JSON, empty when it is not kept."""
        ...


class TraceScreen:
    def __init__(self, shell: Shell, reads: TraceReads, sent_form: SentForm) -> None:
        self._shell = shell
        self._reads = reads
        self._sent_form = sent_form

    def pages(self) -> Iterable[Page]:
        told: dict[str, Any] = {"same": ("trace",), "payloads": True}
        return [
            Page(path="/trace", name="console-trace", show=self._show, permission="read:trace", **told),
            Page(path="/keys", name="console-keys", show=self._keys, permission="read:trace"),
            Page(path="/sent", name="console-sent", show=self._sent, permission="read:trace", **told),
        ]

    async def _show(self, visit: Visit) -> Response:
        """`key`; `story` for one of what it finds, by its correlation id; `whole` for every entry of long
        ones."""
        key, one = visit.asked("key"), visit.asked("story")
        facts: dict[str, Any] = {"stories": [], "more": 0, "cut": False, "newest": [], "fault": ""}
        try:
            if key:
                answer = visit.seen({**await self._reads.trace(one or key, visit.plants)}) | {"query": key}
                facts["more"], facts["cut"] = answer["more"], answer["cut"]
                facts["stories"] = stories(
                    answer,
                    self._shell.time,
                    versions=await self._reads.versions(),
                    shown=visit.shown,
                    whole=bool(visit.asked("whole")),
                )
            if not facts["stories"]:
                facts["newest"] = await self._newest(visit)
        except LineshaftError as error:
            facts["fault"] = error.message
        status = HTTPStatus.SERVICE_UNAVAILABLE if facts["fault"] else HTTPStatus.OK
        return await self._shell.page(visit, "trace.html", here="trace", status=status, key=key, **facts)

    async def _newest(self, visit: Visit) -> list[dict[str, Any]]:
        return [
            {
                **row,
                "at": self._shell.time.moment(row["started_at"], self._shell.now),
                "tone": tone_of(row["state"], "process"),
            }
            for row in await self._reads.newest(visit.plants, _NEWEST)
        ]

    async def _keys(self, visit: Visit) -> Response:
        """Options for what was typed so far, `key`."""
        try:
            found = await self._reads.keys_like(visit.asked("key"), visit.plants)
        except LineshaftError:
            found = []  # typing goes on without suggestions
        options = "".join(f'<option value="{escape(key)}"></option>' for key in found)
        return HTMLResponse(options, headers=PAGE_HEADERS)

    async def _sent(self, visit: Visit) -> Response:
        """How the call `call` would be sent today."""
        call = await self._reads.call(visit.asked("call"), visit.plants)
        if call is None:
            return await self._shell.missing(
                visit,
                here="trace",
                what=f"There is no call “{visit.asked('call')}”",
                hint="Ask the trace for its idempotency key or its document number.",
            )
        request = msgspec.json.decode(call["request"]) if call["request"] else None
        form: WireMessage | str
        if request is None:
            form = "The request is not kept any more: see retention.call_payloads_days in the settings."
        elif visit.shown(request) != request:
            form = "Fields of this request are not shown to you, and so the message is not, either."
        else:
            form = self._sent_form(
                call["system"], call["operation"], call["request"].encode(), call["idempotency_key"]
            )
        message = form if isinstance(form, WireMessage) else None
        return await self._shell.page(
            visit,
            "sent.html",
            here="trace",
            call=call,
            message=message,
            asked="" if request is None else _pretty(visit.shown(request)),
            body="" if message is None or message.body is None else _pretty(message.body),
            why=form if isinstance(form, str) else "",
        )


def _pretty(content: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
