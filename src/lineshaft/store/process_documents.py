"""A finished process as one document: what its rows in the live tables said, as compressed JSON."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

__all__ = ["ProcessDocument", "packed", "unpacked"]


class ProcessDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as they were: of processes, process_steps, process_waits and process_actions."""

    process: dict[str, Any]
    steps: list[dict[str, Any]] = []
    waits: list[dict[str, Any]] = []
    actions: list[dict[str, Any]] = []


_DECODER = msgspec.json.Decoder(ProcessDocument)  # for the reason of store.rows


def packed(document: ProcessDocument) -> bytes:
    return zlib.compress(msgspec.json.encode(document))


def unpacked(data: bytes) -> ProcessDocument:
    return _DECODER.decode(zlib.decompress(data))
