"""Sending one HTTP request: every way in which that can fail becomes a fault that says how to react.

The line that matters is whether the request may have left: before that nothing took effect; after it, the
outcome of a command is unknown, while a query can simply be asked again.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from lineshaft.connectors.rest.settings import RestSettings
from lineshaft.core.errors import ConfigError, LineshaftError, OutcomeUnknown, PermanentFault, TransientFault

__all__ = ["Answer", "Question", "Transport"]

KEEPALIVE_S = 4.0
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Question:
    """what: for messages, e.g. `maintenance.create_request`; is_command: it may change the system."""

    what: str
    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]
    deadline_s: float
    is_command: bool


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class LostAnswer(aiohttp.ClientError):
    """The connection went away under a request that may have been read."""


class Transport:
    """One shared session to one system."""

    def __init__(self, settings: RestSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """raises ConfigError when ca_file cannot be used"""
        if self._session is not None:
            return
        settings = self._settings
        headers = {"Accept": "application/json", "User-Agent": "lineshaft", **settings.headers}
        if settings.bearer:
            headers["Authorization"] = f"Bearer {settings.bearer}"
        elif settings.user:
            pair = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.connections, keepalive_timeout=KEEPALIVE_S, ssl=_trust(settings)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trace_configs=[_watch_connections()],
            middlewares=[_send_once],
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, question: Question) -> Answer:
        """The answer, whatever its status.

        raises  TransientFault when it was not sent, or a query got no answer; OutcomeUnknown when a command
                got none; PermanentFault when it cannot be sent at all
        """
        if self._session is None:
            raise PermanentFault(f"{self._name(question)}: the connector is not started", code="not_started")
        state = SimpleNamespace(connected=False)
        try:
            async with asyncio.timeout(question.deadline_s):
                return await self._exchange(self._session, question, state)
        except LineshaftError:
            raise
        except TimeoutError as error:
            raise self._lost(question, state, f"no answer within {question.deadline_s:g} s") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise self._unsendable(question, error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(question, state, f"{type(error).__name__}: {error}") from error
        except Exception as error:
            # The border of two dependencies: what they may raise beyond their documented trees still must
            # not leave a command's outcome open without saying so.
            if state.connected:
                raise self._lost(question, state, f"{type(error).__name__}: {error}") from error
            raise self._unsendable(question, error) from error

    async def _exchange(
        self, session: aiohttp.ClientSession, question: Question, state: SimpleNamespace
    ) -> Answer:
        async with session.request(
            question.method,
            URL(self._base + question.path, encoded=True),
            data=question.body,
            headers=dict(question.headers),
            allow_redirects=False,
            trace_request_ctx=state,
        ) as response:
            refused = 400 <= response.status < 500 or response.status == 503
            try:
                body = await self._body(question, response)
            except (aiohttp.ClientError, OSError):
                if not refused:
                    raise
                body = b""
            return Answer(status=response.status, headers=response.headers, body=body)

    async def _body(self, question: Question, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.max_answer_bytes
        parts, size = [], 0
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                reason = f"the answer ({response.status}) is longer than max_answer_bytes, {limit}"
                hint = "narrow the question or raise max_answer_bytes"
                fault = OutcomeUnknown if question.is_command else PermanentFault
                raise fault(f"{self._name(question)}: {reason}", code="answer_too_long", hint=hint)
            parts.append(chunk)
        return b"".join(parts)

    def _name(self, question: Question) -> str:
        return f"{self._settings.name} {question.what}, {question.method} {self._base}{question.path}"

    def _lost(self, question: Question, state: SimpleNamespace, reason: str) -> LineshaftError:
        if not state.connected:
            return TransientFault(f"{self._name(question)}: not sent: {reason}", code="unreachable")
        if question.is_command:
            return OutcomeUnknown(f"{self._name(question)}: sent, {reason}", hint="read it back by its key")
        return TransientFault(f"{self._name(question)}: {reason}", code="no_answer")

    def _unsendable(self, question: Question, error: Exception) -> PermanentFault:
        return PermanentFault(
            f"{self._name(question)}: cannot be sent: {type(error).__name__}: {error}", code="unsendable"
        )


def _trust(settings: RestSettings) -> ssl.SSLContext | bool:
    if not settings.ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"system {settings.name!r}: ca_file {settings.ca_file} cannot be used: {error}",
            hint="give a PEM file with certificates",
        ) from error


def _watch_connections() -> aiohttp.TraceConfig:
    """Notes in the request's own context that it has a connection: from then on it may have been read."""

    async def connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
        context.trace_request_ctx.connected = True

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(connected)
    watch.on_connection_reuseconn.append(connected)
    return watch


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending PUT and DELETE a second time by itself when a kept connection breaks."""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise LostAnswer(f"{type(error).__name__}: {error}") from error
