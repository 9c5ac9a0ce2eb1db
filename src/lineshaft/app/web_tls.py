"""TLS of the HTTP server; certificates that are renewed are taken up without a restart."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import structlog
import watchfiles

from lineshaft.app.settings import ConsoleTls
from lineshaft.core.errors import ConfigError

__all__ = ["WebTls"]

_LOG = structlog.get_logger(__name__)


class WebTls:
    """TLS 1.2 and 1.3. raises  ConfigError for files that cannot be used"""

    def __init__(self, settings: ConsoleTls, folder: Path) -> None:
        """folder: from which the paths are"""
        self._certificate, self._key = folder / settings.certificate, folder / settings.key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(self.context)
        if settings.ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            try:
                self.context.load_verify_locations(folder / settings.ca)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"console.tls.ca: {folder / settings.ca} cannot be used: {error}"
                ) from error

    async def follow(self) -> None:
        """Until cancelled; new connections have the new certificate."""
        names = {self._certificate.name, self._key.name}
        async for changed in watchfiles.awatch(self._certificate.parent, self._key.parent, recursive=False):
            if names.isdisjoint(os.path.basename(path) for _, path in changed):
                continue
            try:
                self._load(
                    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                )  # a key that does not fit spoils what it is in
                self._load(self.context)
            except ConfigError as error:
                _LOG.warning("console.certificate_not_taken", reason=str(error))
            else:
                _LOG.info("console.certificate_read", certificate=str(self._certificate))

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"console.tls: {self._certificate} and {self._key} cannot be used: {error}",
                hint="give PEM files, the key without a password",
            ) from error
