"""Identifiers: derived from business facts where a repeat must be recognised, random elsewhere."""

from __future__ import annotations

import hashlib
import os
import random
import uuid

__all__ = ["business_key", "fingerprint", "new_id"]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://lineshaft.dev/business-key").bytes


# os.urandom, behind uuid4, gives up Python's lock, which a busy event loop is slow to get back.
_RANDOM = random.Random()  # noqa: S311 - ids have to be unlike others, not secret
os.register_at_fork(after_in_child=_RANDOM.seed)


def new_id() -> str:
    """A UUIDv4."""
    return str(uuid.UUID(int=_RANDOM.getrandbits(128), version=4))


def business_key(*parts: str) -> str:
    """UUIDv5 over a business tuple. The parts are length-prefixed: ("a", "bc") and ("ab", "c") differ."""
    name = "".join([f"{len(part)}:{part}" for part in parts])
    digest = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    # as str(uuid.uuid5(…)) gives it, in a quarter of the time
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def fingerprint(payload: bytes) -> str:
    """SHA-256 of a canonical payload, hex."""
    return hashlib.sha256(payload).hexdigest()
