"""State of many tags or rules as columns: names under one key, arrays in their order under others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import DTypeLike, NDArray

from lineshaft.core.errors import PermanentFault
from lineshaft.telemetry.readings import Ints
from lineshaft.telemetry.state import read_state

__all__ = ["pack", "pack_each", "pack_names", "places", "unpack", "unpack_each"]

Column = NDArray[Any]


def pack_names(names: Sequence[str]) -> bytes:
    return msgspec.msgpack.encode(list(names))


def places(saved: Mapping[str, bytes], key: str, index: Mapping[str, int]) -> tuple[Ints, Ints, int]:
    """(places now, places in the saved columns) of the names that there are still, and how many were saved.

    raises  PermanentFault
    """
    names = read_state(key, saved[key], list[str]) if key in saved else []
    pairs = [(index[name], there) for there, name in enumerate(names) if name in index]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1], len(names)


def pack(columns: Iterable[Column]) -> bytes:
    return msgspec.msgpack.encode([column.tobytes() for column in columns])


def unpack(key: str, saved: Mapping[str, bytes], dtypes: Sequence[DTypeLike], length: int) -> list[Column]:
    """Read-only columns. raises PermanentFault when they are not there, or not of this length"""
    parts = read_state(key, saved[key], list[bytes]) if key in saved else []
    lengths = [np.dtype(dtype).itemsize * length for dtype in dtypes]
    if lengths != [len(part) for part in parts]:
        raise PermanentFault(
            f"saved telemetry state {key!r} cannot be read: it is not {len(dtypes)} columns of {length}",
            hint="it was written by another version or is damaged; remove its rows to start afresh",
        )
    kinds = [np.dtype(dtype) for dtype in dtypes]
    return [
        np.frombuffer(part, kind.base).reshape(length, *kind.shape)
        for part, kind in zip(parts, kinds, strict=True)
    ]


def pack_each(states: Mapping[str, bytes]) -> dict[str, bytes]:
    """States under `<kind>/…` as one value for each kind, so that many of them are not as many rows."""
    kinds: dict[str, dict[str, bytes]] = {}
    for key, state in states.items():
        kinds.setdefault(f"each/{key.partition('/')[0]}", {})[key] = state
    return {kind: msgspec.msgpack.encode(held) for kind, held in kinds.items()}


def unpack_each(saved: Mapping[str, bytes]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key, data in saved.items():
        if key.startswith("each/"):
            found |= read_state(key, data, dict[str, bytes])
    return found
