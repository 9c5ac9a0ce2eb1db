"""How events and calls are noted in the index of business keys."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["key_rows"]

_LONGEST_KEY = 200


def key_rows(kind: str, found: Iterable[tuple[str, Iterable[tuple[str, str]]]]) -> list[dict[str, str]]:
    """Rows of the index. A key is cut at what a row holds, which is no NUL either, and an empty one is none.

    kind    what mentions them: call, event, process
    found   for each id the (field, key) pairs that it mentions
    """
    return [
        {"key": key, "kind": kind, "ref": ref, "field": field}
        for ref, keys in found
        for key, field in {_held(key): field for field, key in keys if key}.items()
    ]


def _held(key: str) -> str:
    return key[:_LONGEST_KEY].replace("\0", "\ufffd")
