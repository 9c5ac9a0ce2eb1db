"""The four requests that the connector makes of Tryton's REST API."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import aiohttp
import msgspec

from lineshaft.connectors.tryton.faults import fault_of_answer, fault_of_exception, malformed_answer
from lineshaft.connectors.tryton.settings import TrytonSettings
from lineshaft.core.errors import PermanentFault
from lineshaft.core.ports import CallContext

__all__ = ["Balance", "Posted", "TrytonClient"]

T = TypeVar("T")
CONNECT_TIMEOUT_S = 5.0


class Posted(msgspec.Struct, frozen=True):
    """An entry of `lineshaft.posting`. record is `<model>,<id>`; number is the document's own."""

    key: str
    record: str
    number: str
    fingerprint: str = ""
    duplicate: bool = True


class Balance(msgspec.Struct, frozen=True):
    """unit: Tryton's symbol; sequence: grows with every change; as_of: when the last one was entered."""

    quantity: float
    unit: str
    sequence: int
    as_of: datetime


class TrytonClient:
    """Raises from the error tree and nothing else."""

    def __init__(self, settings: TrytonSettings) -> None:
        self._base = f"{settings.url.rstrip('/')}/{settings.database}/rest/model/"
        self._authorization = f"Bearer {settings.key}"
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(headers={"Authorization": self._authorization})

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, call: CallContext, posting: Mapping[str, Any]) -> Posted:
        """One `lineshaft.posting.post`: the document, new or found under its key."""
        path = "lineshaft.posting/post"
        return await self._request(call, "POST", path, Posted, body=dict(posting), writes=True)

    async def find(self, call: CallContext, key: str) -> Posted | None:
        """The posting with this key, or None: nothing took effect under it."""
        query = _query([["key", "=", key]], ("key", "record", "number", "fingerprint"))
        found = await self._request(call, "GET", "lineshaft.posting", list[Posted], query=query)
        return found[0] if found else None

    async def balance(self, call: CallContext, product: str, location: str) -> Balance:
        body = {"product": product, "location": location}
        return await self._request(call, "POST", "lineshaft.balance/of", Balance, body=body)

    async def ping(self, call: CallContext) -> None:
        """The cheapest read that needs the key and the module."""
        query = [*_query([], ("key",)), ("s", "1")]
        await self._request(call, "GET", "lineshaft.posting", list[dict[str, Any]], query=query)

    async def _request(
        self,
        call: CallContext,
        method: str,
        path: str,
        answer_type: type[T],
        *,
        query: list[tuple[str, str]] | None = None,
        body: dict[str, Any] | None = None,
        writes: bool = False,
    ) -> T:
        what = f"{call.operation} {call.idempotency_key}".rstrip()
        if self._session is None:
            raise PermanentFault(f"{what}: the connector was not started", code="not_started")
        connect_s = min(CONNECT_TIMEOUT_S, call.deadline_s)
        try:
            async with self._session.request(
                method,
                self._base + path,
                params=query,
                json=body,
                headers=dict(call.headers),
                timeout=aiohttp.ClientTimeout(total=call.deadline_s, connect=connect_s),
                allow_redirects=False,
            ) as answer:
                content, status, headers = await answer.read(), answer.status, answer.headers
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            raise fault_of_exception(what, error, writes=writes) from error
        if status >= 300:
            raise fault_of_answer(what, status, headers, content, writes=writes)
        try:
            return msgspec.json.decode(content, type=answer_type)
        except msgspec.DecodeError as error:
            torn = not isinstance(error, msgspec.ValidationError)
            raise malformed_answer(what, content, writes=writes, torn=torn) from error


def _query(domain: list[Any], fields: tuple[str, ...]) -> list[tuple[str, str]]:
    encoded = base64.urlsafe_b64encode(json.dumps(domain).encode()).decode()
    return [*(("f", field) for field in fields), ("d", encoded)]
