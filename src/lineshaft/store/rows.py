"""Rows of the store as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

__all__ = ["converter", "plain"]

T = TypeVar("T")


def plain(row: Any) -> dict[str, Any]:
    """Column names as plain text; SQLAlchemy's own name type is a subclass that msgspec refuses."""
    return {str(name): value for name, value in row._mapping.items()}


def converter(kind: type[T], *, strict: bool = True) -> Callable[[Mapping[str, Any]], T]:
    """Makes plain rows values of a type. To be made at import.

    msgspec learns what a type is when it is first used, and in two threads at once, as
    readers are, that crashes.
    """
    msgspec.json.Decoder(kind, strict=strict)

    def convert(row: Mapping[str, Any]) -> T:
        return msgspec.convert(row, kind, strict=strict)

    return convert
