"""The keys with which this node signs: two at most, in a file that only its owner reads.

After a rotation, what the key before has signed is still believed until the next one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lineshaft.core.clock import Clock
from lineshaft.core.errors import ConfigError
from lineshaft.core.ids import new_id

__all__ = ["ALGORITHM", "SigningKeys"]

ALGORITHM = "ES256"
_ROTATED_AFTER = timedelta(days=90)


class _Kept(msgspec.Struct, frozen=True):
    """pem: PKCS #8"""

    kid: str
    made_at: datetime
    pem: str


class SigningKeys:
    """raises  ConfigError when the file cannot be read or written"""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._stamp: tuple[int, int] = (0, 0)
        self._kept: list[_Kept] = []
        self._private: dict[str, ec.EllipticCurvePrivateKey] = {}
        if not file.exists():
            self._write([self._fresh()], only_new=True)
        self._read()

    def current(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        """(kid, key) to sign with."""
        self._read()
        kid = self._kept[0].kid
        return kid, self._private[kid]

    def public(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        if kid not in self._private:
            self._read()
        found = self._private.get(kid)
        return found.public_key() if found else None

    def jwks(self) -> dict[str, Any]:
        """RFC 7517"""
        self._read()
        keys = []
        for kid, key in self._private.items():
            described = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
            keys.append(described | {"kid": kid, "use": "sig", "alg": ALGORITHM})
        return {"keys": keys}

    def rotate(self, *, only_if_old: bool = False) -> bool:
        """Sign with a new key from now on; other processes follow by the file."""
        self._read()
        if only_if_old and self._clock.now() - self._kept[0].made_at < _ROTATED_AFTER:
            return False
        self._write([self._fresh(), self._kept[0]])
        self._read()
        return True

    def _fresh(self) -> _Kept:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _Kept(new_id(), self._clock.now(), pem.decode())

    def _write(self, kept: list[_Kept], *, only_new: bool = False) -> None:
        draft = self._file.with_name(f"{self._file.name}.{new_id()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(msgspec.json.encode(kept))
                out.flush()
                os.fsync(out.fileno())
            if only_new:
                with suppress(FileExistsError):  # another process was first: its key holds
                    os.link(draft, self._file)
                draft.unlink()
            else:
                draft.replace(self._file)
        except OSError as error:
            raise ConfigError(f"the signing keys cannot be written to {self._file}: {error}") from error

    def _read(self) -> None:
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp == self._stamp:
                return
            kept = msgspec.json.decode(self._file.read_bytes(), type=list[_Kept])
            private = {each.kid: _loaded(each.pem) for each in kept}
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the signing keys in {self._file} cannot be read: {error}",
                hint="move the file away: new keys are made, and clients ask for new tokens",
            ) from error
        self._stamp, self._kept, self._private = stamp, kept, private


def _loaded(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("no elliptic curve key")
    return key
