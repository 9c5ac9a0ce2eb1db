"""A mapping file, read: how a REST system's words stand for ours. `mapping_reader` shows the format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lineshaft.connectors.rest.expression import Expression
from lineshaft.connectors.rest.path_template import PathTemplate
from lineshaft.contracts.capability import Operation
from lineshaft.contracts.event import EventContract
from lineshaft.core.signing import TOLERANCE_S

__all__ = [
    "BodySignature",
    "ErrorRule",
    "Exchange",
    "MappedOperation",
    "MappedWebhook",
    "RestMapping",
    "StandardSignature",
]


@dataclass(frozen=True, kw_only=True)
class ErrorRule:
    """What one of the system's error codes means: a business fault, or (retry) that nothing was done yet."""

    code: str
    owner: str = ""
    retry: bool = False


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One HTTP request and what its answer means.

    query, send  see the request's members and `key`
    reply        sees `request`, `answer` and `key`
    absent_on_404  of a look-up: 404 says that there is no such document. Where it is not set, a 404 is a
                   wrong path, as taking it for "not there" would repeat what was done
    """

    method: str
    path: PathTemplate
    query: Expression | None = None
    send: Expression | None = None
    reply: Expression
    absent_on_404: bool = False


@dataclass(frozen=True, kw_only=True)
class MappedOperation:
    operation: Operation
    exchange: Exchange
    find: Exchange | None = None


@dataclass(frozen=True, kw_only=True)
class BodySignature:
    """The header holds prefix + hex HMAC-SHA256 of the body, as GitHub and many others do."""

    header: str = "x-signature"
    prefix: str = "sha256="


@dataclass(frozen=True, kw_only=True)
class StandardSignature:
    """As Standard Webhooks says; tolerance_s: how far the time of sending may be from our clock."""

    tolerance_s: float = TOLERANCE_S


@dataclass(frozen=True, kw_only=True)
class MappedWebhook:
    """when, data, time, identity, correlation all see the body."""

    hook: str
    contract: EventContract[Any]
    when: Expression | None
    data: Expression
    time: Expression
    identity: tuple[Expression, ...]
    correlation: Expression | None
    signature: BodySignature | StandardSignature


@dataclass(frozen=True, kw_only=True)
class RestMapping:
    """error_code, error_text  where an error body has its code and text
    errors_in_success        True: a 2xx answer with a code is a refusal, too
    """

    file: str
    title: str
    capabilities: list[str]
    health: str
    error_code: Expression | None
    error_text: Expression | None
    errors_in_success: bool
    errors: Mapping[str, ErrorRule]
    operations: Mapping[str, MappedOperation]
    webhooks: Mapping[str, MappedWebhook] = field(default_factory=dict)
