"""Headers that keep browsers from making more of an answer than it is."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["SecureHeaders"]

Pair = tuple[bytes, bytes]
_ALWAYS: list[Pair] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_FRAMES: Pair = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE: Pair = (b"cache-control", b"no-store")
_TLS_ONLY: Pair = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class SecureHeaders:
    """tls: this server is reached by TLS, and browsers are to reach it by nothing else."""

    def __init__(self, *, tls: bool) -> None:
        self._always = [*_ALWAYS, _TLS_ONLY] if tls else _ALWAYS
        self._data = [*self._always, _FRAMES, _NO_STORE]

    def of_data(self) -> list[Pair]:
        """Of an answer that is no page: nothing in it is to be run, framed or kept."""
        return self._data

    def beside(self, headers: Iterable[Pair]) -> list[Pair]:
        """Of a page or stream, or data with some rules of its own: those that it does not set itself."""
        told = {name.lower() for name, _ in headers}
        frames = (_FRAMES[0], b"frame-ancestors 'none'")
        return [pair for pair in (*self._always, frames, _NO_STORE) if pair[0] not in told]
