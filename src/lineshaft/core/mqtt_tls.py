"""TLS of the devices' listener, for the server and for our own connection to it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = ["MqttTls"]


class MqttTls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PEM files.

    clients    certificate: each device shows one by `ca`, and its name there is its user. A listener asks
               all of its devices for the same
    own_…      where clients show certificates, our own connection does too: its files, and its name as
               MqttUser.username has it
    """

    certificate: str
    key: str
    ca: str = ""
    clients: Literal["password", "certificate"] = "password"
    own_certificate: str = ""
    own_key: str = ""
    own_name: str = ""

    def for_server(self) -> dict[str, Any]:
        """raises  ConfigError for files that are not there, and for certificates without an authority"""
        files = [self.certificate, self.key, self.ca, self.own_certificate, self.own_key]
        for name in filter(None, files):
            if not Path(name).is_file():
                raise ConfigError(f"TLS of the MQTT listener: there is no file {name}", hint="give PEM files")
        block: dict[str, Any] = {"cert_file": self.certificate, "key_file": self.key, "timeout": 10}
        if self.clients == "certificate":
            if not (self.ca and self.own_certificate and self.own_key and self.own_name):
                raise ConfigError(
                    "TLS of the MQTT listener asks devices for certificates",
                    hint="give ca, own_certificate, own_key and own_name",
                )
            block |= {"ca_file": self.ca, "verify_and_map": True}
        return block

    def for_us(self) -> ssl.SSLContext:
        """To connect to our own listener: what counts is its certificate, not a host name.

        raises  ConfigError for files that cannot be used
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(self.certificate)
            if self.own_certificate:
                context.load_cert_chain(self.own_certificate, self.own_key)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"TLS of the MQTT listener: {self.certificate}, {self.own_certificate}, {self.own_key} cannot"
                f" be used: {error}",
                hint="give PEM files; keys without a password",
            ) from error
        return context
