"""Our own certificate, and which certificates of servers are trusted: files that a person looks after."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from lineshaft.core.errors import ConfigError, PermanentFault

__all__ = ["Certificates", "fingerprint"]

_YEARS = 10  # a server trusts the very certificate, so that a new one needs a person at each server


def fingerprint(der: bytes) -> str:
    """SHA-256, as certificate viewers show it."""
    return hashlib.sha256(der).digest().hex(":").upper()


class Certificates:
    """folder: see OpcUaOptions; pinned: the one server certificate to trust, or None."""

    def __init__(self, folder: Path, *, pinned: Path | None, trust_first: bool) -> None:
        self._folder = folder
        self._pinned = pinned
        self._trust_first = trust_first
        self.own = folder / "own" / "lineshaft.der"
        self.key = folder / "own" / "lineshaft.pem"

    def make_own(self, application_uri: str) -> None:
        """Where there is none: self-signed, 2048-bit RSA, for ten years, readable by us only.

        raises  ConfigError when it cannot be written, is not for this application_uri, or half is missing
        """
        try:
            if not self.own.exists() and not self.key.exists():
                self._generate(application_uri)
            stands_in_it = _uris(_certificate(self.own))
            self.key.read_bytes()
        except (OSError, ValueError, x509.ExtensionNotFound) as error:
            raise ConfigError(
                f"certificate {self.own} with key {self.key} cannot be used: {error}",
                hint="correct it, or remove both and have a new one made",
            ) from error
        if application_uri not in stands_in_it:
            raise ConfigError(
                f"certificate {self.own} is for {', '.join(stands_in_it) or 'no application URI'}, "
                f"not for {application_uri}",
                hint="give that as application_uri, or remove both files and have a new one made",
            )

    def check_server(self, der: bytes, url: str) -> None:
        """raises  PermanentFault with the fingerprint and where to put the certificate; ConfigError"""
        trusted = self._trusted()
        if der in trusted:
            return
        name = hashlib.sha256(der).hexdigest()[:16] + ".der"
        try:
            if self._trust_first and not trusted and self._pinned is None:
                _write(self._folder / "trusted" / name, der)
                return
            refused = self._folder / "rejected" / name
            _write(refused, der)
        except OSError as error:
            raise ConfigError(f"certificate of {url} cannot be kept: {error}") from error
        place = f"as {self._pinned}" if self._pinned else f"into {self._folder / 'trusted'}"
        raise PermanentFault(
            f"the certificate of {url} is not trusted; its SHA-256 fingerprint is {fingerprint(der)}",
            code="untrusted_certificate",
            hint=f"compare it with the server's and copy {refused} {place}",
        )

    def _trusted(self) -> set[bytes]:
        folder = self._folder / "trusted"
        files = [self._pinned] if self._pinned else sorted(folder.glob("*")) if folder.is_dir() else []
        try:
            return {
                _certificate(file).public_bytes(Encoding.DER)
                for file in files
                if file == self._pinned or file.suffix in {".der", ".pem", ".crt", ".cer"}
            }
        except (OSError, ValueError) as error:
            raise ConfigError(f"a trusted certificate in {folder} cannot be read: {error}") from error

    def _generate(self, application_uri: str) -> None:
        key = generate_private_key()
        host = socket.gethostname()
        certificate = generate_self_signed_app_certificate(
            key,
            "lineshaft",
            {},
            [x509.UniformResourceIdentifier(application_uri), x509.DNSName(host)],
            [ExtendedKeyUsageOID.CLIENT_AUTH],
            days=365 * _YEARS,
        )
        _write(self.key, dump_private_key_as_pem(key))
        _write(self.own, certificate.public_bytes(Encoding.DER))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def _certificate(path: Path) -> x509.Certificate:
    data = path.read_bytes()
    if data.startswith(b"-----"):
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)


def _uris(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)
