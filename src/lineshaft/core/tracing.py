"""W3C trace context, carried in events (`traceparent`) and HTTP headers.

The ids tie events, calls and requests to other systems into one trace, whether anybody looks at it or not.
Who wants to see the spans takes them with `taking_spans`.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import StrEnum

import msgspec

from lineshaft.core.errors import LineshaftError

__all__ = [
    "Span",
    "SpanKind",
    "current_traceparent",
    "parse_traceparent",
    "span",
    "taking_spans",
    "tell_span",
    "trace_headers",
]

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_CURRENT: ContextVar[str] = ContextVar("traceparent", default="")


class SpanKind(StrEnum):
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    CONSUMER = "consumer"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What lasted from begin_ns to end_ns, since 1970. parent: a traceparent; empty or broken: none.

    error   code of what it was left with; empty: it went well
    """

    name: str
    kind: SpanKind
    traceparent: str
    parent: str
    begin_ns: int
    end_ns: int
    error: str
    attributes: Mapping[str, str]


_takers: list[Callable[[Span], None]] = []


@contextmanager
def taking_spans(take: Callable[[Span], None]) -> Iterator[None]:
    """Inside, each sampled span of this process goes to `take` as it ends, which must be quick."""
    _takers.append(take)
    try:
        yield
    finally:
        _takers.remove(take)


def span(
    name: str, traceparent: str = "", *, kind: SpanKind = SpanKind.INTERNAL, **attributes: str
) -> AbstractContextManager[str]:
    """Open a span under `traceparent` (or under the current one) and yield the new traceparent."""
    return _Open(name, traceparent or _CURRENT.get(), kind, attributes)


class _Open:
    __slots__ = ("_attributes", "_before", "_begin_ns", "_kind", "_made", "_name", "_parent")

    def __init__(self, name: str, parent: str, kind: SpanKind, attributes: dict[str, str]) -> None:
        self._name = name
        self._parent = parent
        self._kind = kind
        self._attributes = attributes

    def __enter__(self) -> str:
        self._made = _child(self._parent)
        self._before = _CURRENT.set(self._made)
        self._begin_ns = time.time_ns() if _takers else 0
        return self._made

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        _CURRENT.reset(self._before)
        if not self._begin_ns:
            return
        code = ""
        if error is not None:
            code = error.code if isinstance(error, LineshaftError) else type(error).__name__
        _tell(
            self._name,
            self._kind,
            self._made,
            self._parent,
            self._begin_ns,
            time.time_ns(),
            code,
            self._attributes,
        )


def tell_span(
    name: str, parent: str, *, begin_s: float, end_s: float, error: str = "", **attributes: str
) -> None:
    """A span of what is over, in epoch seconds."""
    if _takers:
        begin_ns, end_ns = int(begin_s * 1e9), int(end_s * 1e9)
        _tell(name, SpanKind.INTERNAL, _child(parent), parent, begin_ns, end_ns, error, attributes)


def _tell(
    name: str,
    kind: SpanKind,
    made: str,
    parent: str,
    begin_ns: int,
    end_ns: int,
    error: str,
    attributes: Mapping[str, str],
) -> None:
    if not int(made[-2:], 16) & 1:  # its trace is not sampled
        return
    ended = Span(
        name=name,
        kind=kind,
        traceparent=made,
        parent=parent,
        begin_ns=begin_ns,
        end_ns=end_ns,
        error=error,
        attributes=attributes,
    )
    for take in _takers:
        take(ended)


def _child(traceparent: str) -> str:
    """A new span in the same trace, sampled as its parent is; in a new trace when the parent is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    span_id = random.getrandbits(64) or 1
    if found is None:
        return f"00-{random.getrandbits(128) or 1:032x}-{span_id:016x}-01"
    return f"00-{found[1]}-{span_id:016x}-{found[3]}"


def parse_traceparent(traceparent: str) -> tuple[int, int, int] | None:
    """Trace id, span id and flags; None where it is empty or broken."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None


def current_traceparent() -> str:
    return _CURRENT.get()


def trace_headers() -> dict[str, str]:
    """The headers that hand the current span on to another system."""
    made = _CURRENT.get()
    return {"traceparent": made} if made else {}
