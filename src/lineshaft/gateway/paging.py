"""Answers that are read again and again: pages with opaque cursors, and answers that have not changed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec

from lineshaft.core.errors import ContractViolation
from lineshaft.core.ids import fingerprint
from lineshaft.gateway.route import Answer, Asked, Parameter

__all__ = ["CURSOR", "LIMIT", "answer_if_changed", "cursor_of", "limit_of", "next_link", "place_of"]

_MOST, _USUAL = 500, 100
_LONGEST_CURSOR = 1_000
CURSOR = Parameter(
    name="cursor",
    where="query",
    schema={"type": "string", "maxLength": _LONGEST_CURSOR},
    summary="`next` of the page before",
)
LIMIT = Parameter(
    name="limit",
    where="query",
    schema={"type": "integer", "minimum": 1, "maximum": _MOST, "default": _USUAL},
    summary="Most items in an answer",
)


def limit_of(query: Mapping[str, str]) -> int:
    return int(query.get("limit", _USUAL))


def cursor_of(place: Sequence[str]) -> str | None:
    """place: key of the last item of the page; None where there is no page after it."""
    if not place:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode(list(place))).rstrip(b"=").decode()


def place_of(query: Mapping[str, str], length: int) -> tuple[str, ...]:
    """The key that the cursor names; empty for the first page.

    raises  ContractViolation for what is no cursor of a page of such keys
    """
    given = query.get("cursor", "")
    if not given:
        return ()
    try:
        text = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        place = msgspec.json.decode(text, type=list[str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _no_cursor(given) from error
    if len(place) != length or "\0" in "".join(place):
        raise _no_cursor(given)
    return tuple(place)


def _no_cursor(given: str) -> ContractViolation:
    return ContractViolation(
        "the cursor is not one of this list",
        findings=[f"cursor: {given[:100]!r} is not `next` of a page of this list"],
        hint="leave it out for the first page",
    )


def next_link(path: str, query: Mapping[str, str], cursor: str | None) -> dict[str, str]:
    """RFC 8288. path: as asked for, percent-encoded"""
    if cursor is None:
        return {}
    return {"link": f'<{path}?{urlencode({**query, "cursor": cursor})}>; rel="next"'}


def answer_if_changed(
    asked: Asked, body: msgspec.Struct, *, seen: Any, as_of: datetime | None, headers: Mapping[str, str]
) -> Answer:
    """304 where the caller has the same already, by RFC 9110 §13.1.2.

    seen   what of the body makes it another: not how old it is
    as_of  when it last changed
    """
    etag = f'W/"{fingerprint(msgspec.json.encode(seen))[:32]}"'
    sent = {**headers, "etag": etag}
    if as_of is not None:
        sent["last-modified"] = format_datetime(as_of.replace(microsecond=0), usegmt=True)
    if _has(asked.headers.get("if-none-match", ""), etag):
        return Answer(status=HTTPStatus.NOT_MODIFIED, headers=sent)
    return Answer(body=body, headers=sent)


def _has(given: str, etag: str) -> bool:
    """Weak comparison."""
    return given.strip() == "*" or etag.removeprefix("W/") in {
        part.strip().removeprefix("W/") for part in given.split(",")
    }
