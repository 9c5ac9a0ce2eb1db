"""Identifiers: derived from business facts where a repeat must be recognised, random elsewhere."""

from __future__ import annotations

import hashlib
import uuid

__all__ = ["business_key", "fingerprint", "new_id"]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lineshaft.dev/business-key")


def new_id() -> str:
    return str(uuid.uuid4())


def business_key(*parts: str) -> str:
    """UUIDv5 over a business tuple. The parts are length-prefixed: ("a", "bc") and ("ab", "c") differ."""
    return str(uuid.uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))


def fingerprint(payload: bytes) -> str:
    """SHA-256 of a canonical payload, hex."""
    return hashlib.sha256(payload).hexdigest()
