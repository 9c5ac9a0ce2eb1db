"""What a REST connector is told: where the system is, how to log in, which mapping describes it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = ["RestSettings"]


class RestSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Secrets come resolved, and are never shown.

    name              the system's name in this installation, e.g. `cmms`; the application fills it in
    url               base address, http or https; the mapping's paths are appended
    mapping           path of the mapping file
    plant, source     of the events that its webhooks become; source e.g. `/northspring/leipzig/cmms/main`
    headers           sent with every request
    bearer            token for `Authorization: Bearer`
    user, password    for `Authorization: Basic`
    ca_file           PEM file of the authorities to trust; empty: those of the machine
    webhook_secret    shared with the system; needed when the mapping has webhooks
    old_webhook_secrets  taken as well, while the system is told of a new one
    max_answer_bytes  longer answers are not read
    connections       at the same time
    """

    name: str = ""
    url: str
    mapping: str
    plant: str = ""
    source: str = ""
    headers: dict[str, str] = {}
    bearer: str = ""
    user: str = ""
    password: str = ""
    ca_file: str = ""
    webhook_secret: str = ""
    old_webhook_secrets: list[Annotated[str, msgspec.Meta(min_length=1)]] = []
    max_answer_bytes: int = 4 * 1024 * 1024
    connections: int = 32

    @property
    def webhook_secrets(self) -> list[str]:
        """Any of them may have signed."""
        return [self.webhook_secret, *self.old_webhook_secrets]

    def check(self, has_webhooks: bool) -> None:
        """raises ConfigError with every finding"""
        findings = [] if self.name else ["name is missing; give the system's name in this installation"]
        address = urlsplit(self.url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            findings.append(f"url {self.url!r} is no http or https address, e.g. https://cmms.example/base")
        if not address.netloc.isascii():
            findings.append(f"url {self.url!r} has a host beyond ASCII; write it in its xn-- form")
        if not _has_sound_port(address):
            findings.append(f"url {self.url!r} has a port that is none; expected 1 to 65535")
        if address.query or address.fragment or address.username:
            findings.append("url has a query, fragment or user; give headers, bearer, or user and password")
        if self.bearer and self.user:
            findings.append("bearer and user are both given; keep one")
        for name, value in self.headers.items():
            if any(ord(character) < 32 for character in name + value):
                findings.append(f"header {name!r} has a control character")
        if self.max_answer_bytes <= 0 or self.connections <= 0:
            findings.append("max_answer_bytes and connections must be above 0")
        if has_webhooks:
            for field in ("webhook_secret", "plant", "source"):
                if not getattr(self, field):
                    findings.append(f"{field} is missing; the mapping has webhooks, which need it")
        if findings:
            raise ConfigError(f"settings of system {self.name!r} are wrong", findings=findings)

    def __repr__(self) -> str:
        return f"RestSettings(name={self.name!r}, url={self.url!r}, mapping={self.mapping!r})"


def _has_sound_port(address: SplitResult) -> bool:
    try:
        return address.port != 0
    except ValueError:
        return False
