"""API keys and client secrets: made, taken apart, compared.

`lsk_<id>_<secret>` is a key, `lss_<id>_<secret>` a client's secret. The id is public: it names the row. The
secret has 256 random bits, so that a plain SHA-256 of the whole is enough to keep: there is nothing to guess
that a slow hash would slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from datetime import datetime

from lineshaft.core.credentials import Credential, CredentialKind

__all__ = ["fits", "id_of", "key_holds", "key_id", "make_secret", "stored"]

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = {CredentialKind.KEY: "lsk", CredentialKind.CLIENT: "lss"}
_FORM = re.compile(r"(ls[ks]_[0-9A-Za-z]{10})_[0-9A-Za-z]{43}", re.ASCII)


def make_secret(kind: CredentialKind) -> tuple[str, str]:
    """(credential id, the secret text, which is shown once)"""
    credential_id = f"{_PREFIX[kind]}_{_random(10)}"
    return credential_id, f"{credential_id}_{_random(43)}"


def id_of(text: str, kind: CredentialKind) -> str:
    """The credential id in a secret text; empty: it is none of this kind."""
    found = _FORM.fullmatch(text)
    return found[1] if found and found[1].startswith(_PREFIX[kind]) else ""


def key_id(text: str) -> str:
    return id_of(text, CredentialKind.KEY)


def key_holds(key: Credential, text: str, at: datetime) -> bool:
    return key.kind is CredentialKind.KEY and fits(text, key.hash) and key.holds(at)


def stored(text: str) -> str:
    """The hash under which it is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def fits(text: str, hash: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(stored(text), hash)


def _random(length: int) -> str:
    return "".join([secrets.choice(_ALPHABET) for _ in range(length)])
