"""What a body may cost: JSON that is small but dear to read, and compressed bodies that swell.

Checked before anything is made of a body. XML is read nowhere, so that no route takes it.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, NoReturn

import msgspec

from lineshaft.core.errors import ContractViolation

__all__ = ["ENCODINGS", "UnsoundBody", "check_json", "inflated"]

MOST_DEPTH = 64
MOST_MEMBERS = 100_000
_MOST_RATIO = 100
_FREE_BYTES = 64 * 1024
_LONGEST_NUMBER = 40
_WIDEST_EXPONENT = 400
_QUICK_BYTES = 64 * 1024  # what is longer is looked at without keeping any of it
_SHAPES = bytes.maketrans(b"123456789E+", b"000000000e-")
_LONG = b"0" * 30
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(each for each in range(256) if each not in b"[]{}")
ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content codings that are read, with zlib's window bits for them."""


class UnsoundBody(ContractViolation):
    """A body that is not to be read at all."""

    default_code = "unsound_body"

    def __init__(
        self, message: str, *, code: str = "", findings: list[str] | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, findings=findings, hint=hint)
        self.code = code or self.default_code


def check_json(body: bytes, most_depth: int = MOST_DEPTH, most_members: int = MOST_MEMBERS) -> None:
    """most_members: members of objects and items of lists, all together.

    raises  UnsoundBody: no UTF-8 or JSON, nested too deep, too much in it, a member name twice in one object,
            a number longer than 40 characters or beyond 1e±400
    """
    if body.count(b",") >= most_members:
        raise _unsound(f"it may have at most {most_members} members and items")
    shapes = body.translate(_SHAPES)
    is_suspect = _LONG in shapes or b"0e000" in shapes or b"0e-000" in shapes
    try:
        if is_suspect or not _is_plainly_sound(body):
            (_CAREFUL if is_suspect else _QUICK).decode(body.decode())
    except UnicodeDecodeError as error:
        raise _unsound(f"byte {error.start} is no UTF-8") from error
    except RecursionError as error:
        raise _too_deep(most_depth) from error
    except ValueError as error:
        raise _unsound(str(error)) from error
    if body.count(b"[") + body.count(b"{") > most_depth and _is_deeper(body, most_depth):
        raise _too_deep(most_depth)


def inflated(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body out of its content coding; `identity` and none leave it as it is.

    most_bytes  of what comes out; beyond 64 KiB also at most 100 times what came in
    raises      UnsoundBody, with the code `unknown_encoding` for other codings, `body_too_large` when it
                swells
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in ENCODINGS:
        raise UnsoundBody(
            f"Content-Encoding {encoding!r} is not read here",
            code="unknown_encoding",
            findings=[f"Content-Encoding: one of {', '.join(ENCODINGS)}, identity ({encoding!r})"],
        )
    limit = min(most_bytes, max(_FREE_BYTES, len(body) * _MOST_RATIO))
    stream = zlib.decompressobj(ENCODINGS[coding])
    try:
        content = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise _unsound(f"it is not {coding}, as its Content-Encoding says: {error}") from error
    if len(content) > limit:
        raise UnsoundBody(
            f"the body, {len(body)} bytes of {coding}, becomes longer than {limit} bytes",
            code="body_too_large",
            hint="send smaller messages",
        )
    if not stream.eof or stream.unused_data:
        raise _unsound(f"its {coding} {'goes on after its end' if stream.eof else 'ends too early'}")
    return content


def _is_plainly_sound(body: bytes) -> bool:
    """Without escapes, a text has as many colons read and written again as before, unless a member that was
    given twice is gone. False: it is to be looked at more closely."""
    if len(body) > _QUICK_BYTES or b"\\" in body:
        return False
    try:
        return msgspec.json.encode(msgspec.json.decode(body)).count(b":") == body.count(b":")
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError):
        return False


def _once(pairs: list[tuple[str, Any]]) -> None:
    """Nothing is kept: objects cost no memory while they are counted."""
    if len(pairs) > 1 and len({name for name, _ in pairs}) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"member {name[:100]!r} is given twice in one object")
            seen.add(name)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _number(text: str) -> None:
    exponent = text.lower().partition("e")[2]
    if len(text) > _LONGEST_NUMBER or (exponent and abs(int(exponent)) > _WIDEST_EXPONENT):
        shown = text if len(text) < 50 else f"{text[:50]}…"
        raise ValueError(
            f"number {shown} is longer than {_LONGEST_NUMBER} characters or beyond 1e±{_WIDEST_EXPONENT}"
        )


_QUICK = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_once, parse_constant=_constant, parse_int=_number, parse_float=_number
)


def _is_deeper(body: bytes, most_depth: int) -> bool:
    depth = 0
    for bracket in _TEXT.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > most_depth:
            return True
    return False


def _too_deep(most_depth: int) -> UnsoundBody:
    return _unsound(f"it is nested deeper than {most_depth} levels")


def _unsound(reason: str) -> UnsoundBody:
    return UnsoundBody("the body is not sound JSON", findings=[f"(root): {reason}"])
