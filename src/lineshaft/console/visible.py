"""What an account may see of facts, in the form that a screen reads: what is hidden is empty there."""

from __future__ import annotations

from typing import Any

import msgspec

from lineshaft.core.access import PAYLOADS

__all__ = ["visible"]

_EMPTY: dict[type, Any] = {bool: False, int: 0, float: 0.0}
_STANDS_ON = frozenset(
    ("id", "exception_id", "process_id", "call_id", "step", "kind", "type", "state", "at", "time", "carrier")
) | {"form", "first_at", "last_at", "started_at", "finished_at", "updated_at", "closed_at", "revision"}
"""By these a screen finds, names and orders what it shows: they are no secret of who may open it."""


def visible(whole: Any, seen: Any, name: str = "") -> Any:
    """whole: the facts; seen: what field rules leave of them, as plain values, or None for nothing"""
    if name in _STANDS_ON or msgspec.to_builtins(whole) == seen:
        return whole
    is_payload = name in PAYLOADS and isinstance(whole, dict | list | str)
    if is_payload or (isinstance(whole, str) and isinstance(seen, str)):
        return seen
    if isinstance(whole, msgspec.Struct):
        left = seen if isinstance(seen, dict) else {}
        facts = ((each, getattr(whole, each)) for each in whole.__struct_fields__)
        return type(whole)(**{each: visible(value, left.get(each), each) for each, value in facts})
    if isinstance(whole, dict):
        left = seen if isinstance(seen, dict) else {}
        return {each: visible(value, left.get(each), each) for each, value in whole.items()}
    if isinstance(whole, list):
        every = seen if isinstance(seen, list) and len(seen) == len(whole) else [None] * len(whole)
        return [visible(value, left) for value, left in zip(whole, every, strict=True)]
    return _EMPTY.get(type(whole), "" if isinstance(whole, str) else None)
