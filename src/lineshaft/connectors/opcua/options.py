"""What an OPC UA source is told: which server, how to log in, how often to look."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = ["OpcUaOptions"]

Positive = Annotated[float, msgspec.Meta(gt=0)]


class OpcUaOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Secrets come resolved, and are never shown. Paths are relative to the settings file.

    url                 e.g. `opc.tcp://line1.example:4840/UA/Line1`; port 4840 where none is given
    topic               of the messages, as in the tag list; empty: `opcua/<name of the source>`
    publishing_ms       how often the server sends what has changed
    sampling_ms         how often it looks at each value; what changes and changes back in between is not
                        seen; 0: as fast as it can, -1: as often as it sends; servers revise it, see `health`
    queue_size          values that the server keeps per metric between two sendings, and while the backbone
                        does not take any; beyond that the oldest is lost, and counted
    policy, mode        of the secure channel; without a policy nothing is signed, encrypted or trusted
    certificates        folder: `own` (certificate and key, made when missing), `trusted` (certificates of
                        servers, .der or .pem), `rejected` (what was not in there)
    server_certificate  the one file to trust instead of the folder `trusted`
    trust_first         take over the certificate that the server shows first, when `trusted` is empty
    application_uri     who we are, as it stands in our certificate; empty: `urn:lineshaft:<source>`
    user, password      of a user of the server
    clear_password      allow that the password travels readable, to a server without a policy
    user_certificate    a user by certificate (.der or .pem); its key in `user_key`
    timeout_s           for each answer
    silence_s           after this time without a sign of life the server counts as gone
    retry_s             longest wait between two attempts to connect
    gather_ms           changes of this time go into one message
    """

    url: str
    topic: str = ""
    publishing_ms: Positive = 100
    sampling_ms: Annotated[float, msgspec.Meta(ge=-1)] = 100
    queue_size: Annotated[int, msgspec.Meta(ge=1)] = 100
    policy: Literal["None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] = "None"
    mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"
    certificates: str = "opcua-certificates"
    server_certificate: str = ""
    trust_first: bool = False
    application_uri: str = ""
    user: str = ""
    password: str = ""
    clear_password: bool = False
    user_certificate: str = ""
    user_key: str = ""
    timeout_s: Positive = 5.0
    silence_s: Positive = 10.0
    retry_s: Positive = 30.0
    gather_ms: Annotated[float, msgspec.Meta(ge=0)] = 50

    def check(self, name: str) -> None:
        """raises  ConfigError with every finding"""
        findings = []
        address = urlsplit(self.url)
        if address.scheme != "opc.tcp" or not address.hostname:
            findings.append(f"url {self.url!r} is no OPC UA address, e.g. opc.tcp://line1.example:4840")
        if address.username or address.password:
            findings.append("url has a user in it; give user and password")
        if self.user and self.user_certificate:
            findings.append("user and user_certificate are both given; keep one")
        if bool(self.user_certificate) != bool(self.user_key):
            findings.append("user_certificate and user_key belong together; give both or none")
        if self.password and self.policy == "None" and not self.clear_password:
            findings.append(
                "password without a policy could be read on its way; "
                "give policy: Basic256Sha256, or allow it with clear_password: true"
            )
        if findings:
            raise ConfigError(f"options of OPC UA source {name!r} are wrong", findings=findings)

    def __repr__(self) -> str:
        return f"OpcUaOptions(url={self.url!r}, policy={self.policy!r})"
