"""Sending one HTTP request: every way in which that can fail becomes a fault that says how to react.

The line that matters is whether the request may have left: before that nothing took effect; after it, the
outcome of a command is unknown, while a query can simply be asked again.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lineshaft.connectors.rest.http1 import (
    Answer,
    Connections,
    LostAnswer,
    Progress,
    TooLong,
    Unsendable,
    request_head,
)
from lineshaft.connectors.rest.settings import RestSettings
from lineshaft.core.errors import ConfigError, LineshaftError, OutcomeUnknown, PermanentFault, TransientFault

__all__ = ["Question", "Transport"]

_OF_A_REQUEST = (
    "Authorization",
    "Content-Length",
    "Content-Type",
    "Idempotency-Key",
    "traceparent",
    "tracestate",
)


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


class Transport:
    """The connections to one system."""

    def __init__(self, settings: RestSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._base_path = urlsplit(self._base).path
        self._headers = _headers(settings)
        self._connections: Connections | None = None

    async def start(self) -> None:
        """raises ConfigError when ca_file cannot be used"""
        if self._connections is not None:
            return
        settings, address = self._settings, urlsplit(self._base)
        tls = _trust(settings) if address.scheme == "https" else None
        self._connections = Connections(
            address.hostname or "",
            address.port or (443 if tls else 80),
            tls,
            limit=settings.connections,
            max_answer_bytes=settings.max_answer_bytes,
        )

    async def close(self) -> None:
        if self._connections is not None:
            self._connections.close()
            self._connections = None

    async def ask(self, question: Question) -> Answer:
        """The answer, whatever its status.

        raises  TransientFault when it was not sent, or a query got no answer; OutcomeUnknown when a command
                got none; PermanentFault when it cannot be sent at all
        """
        if self._connections is None:
            raise PermanentFault(f"{self._name(question)}: the connector is not started", code="not_started")
        progress = Progress()
        try:
            request = self._request(question)
            async with asyncio.timeout(question.deadline_s):
                return await self._connections.exchange(request, progress)
        except TimeoutError as error:
            raise self._lost(question, progress, f"no answer within {question.deadline_s:g} s") from error
        except TooLong as error:
            raise self._too_long(question, error.status) from error
        except (LostAnswer, OSError) as error:
            raise self._lost(question, progress, f"{type(error).__name__}: {error}") from error
        except Unsendable as error:
            raise self._unsendable(question, error) from error
        except Exception as error:
            # The border of two dependencies: what they may raise beyond their documented trees still must
            # not leave a command's outcome open without saying so.
            if progress.connected:
                raise self._lost(question, progress, f"{type(error).__name__}: {error}") from error
            raise self._unsendable(question, error) from error

    def _request(self, question: Question) -> bytes:
        headers = {**self._headers, **question.headers}
        body = question.body or b""
        if body or question.method not in {"GET", "DELETE"}:
            headers["Content-Length"] = str(len(body))
        return request_head(question.method, self._base_path + question.path, headers) + body

    def _name(self, question: Question) -> str:
        return f"{self._settings.name} {question.what}, {question.method} {self._base}{question.path}"

    def _too_long(self, question: Question, status: int) -> LineshaftError:
        reason = f"the answer ({status}) is longer than max_answer_bytes, {self._settings.max_answer_bytes}"
        hint = "narrow the question or raise max_answer_bytes"
        fault = OutcomeUnknown if question.is_command else PermanentFault
        return fault(f"{self._name(question)}: {reason}", code="answer_too_long", hint=hint)

    def _lost(self, question: Question, progress: Progress, reason: str) -> LineshaftError:
        if not progress.connected:
            return TransientFault(f"{self._name(question)}: not sent: {reason}", code="unreachable")
        if question.is_command:
            return OutcomeUnknown(f"{self._name(question)}: sent, {reason}", hint="read it back by its key")
        return TransientFault(f"{self._name(question)}: {reason}", code="no_answer")

    def _unsendable(self, question: Question, error: Exception) -> PermanentFault:
        return PermanentFault(
            f"{self._name(question)}: cannot be sent: {type(error).__name__}: {error}", code="unsendable"
        )


def _headers(settings: RestSettings) -> dict[str, str]:
    """Sent with every request; those of the settings replace ours, those of a request replace both."""
    given = {
        "Host": urlsplit(settings.url).netloc,
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": "lineshaft",
    }
    by_name = {name.lower(): name for name in (*given, *_OF_A_REQUEST)}
    given |= {by_name.get(name.lower(), name): value for name, value in settings.headers.items()}
    if settings.bearer:
        given["Authorization"] = f"Bearer {settings.bearer}"
    elif settings.user:
        pair = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
        given["Authorization"] = f"Basic {pair}"
    return given


def _trust(settings: RestSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"system {settings.name!r}: ca_file {settings.ca_file} cannot be used: {error}",
            hint="give a PEM file with certificates",
        ) from error
