"""The access file: who may do what here. It holds no secret: those are made by `lineshaft access`.

url: https://lineshaft.example.com        # as clients and browsers reach this node
roles:
  line_terminal: {may: ["publish:production.*", "read:orders"]}
accounts:
  mes: {title: MES, roles: [integrator, line_terminal], plants: [leipzig], system: mes}
  jo: {kind: person, roles: [engineer], plants: "*"}
oidc:
  - name: corp
    issuer: https://login.example.com/realms/plant
    audience: lineshaft
    roles_claim: realm_access.roles
    map: {plant-engineer: engineer}
    plants_claim: plants
    console: {client_id: lineshaft-console, client_secret: "${env:OIDC_SECRET}"}
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.gateway.identity.roles import BUILT_IN, doubts_about
from lineshaft.gateway.policies import AccountPolicy

__all__ = [
    "AccessFile",
    "AccountEntry",
    "ConsoleClient",
    "IssuerRules",
    "OidcIssuer",
    "RoleEntry",
    "SessionRules",
    "is_safe_url",
    "read_access",
]

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
AccountName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$")]
Plants = list[Name] | Literal["*"]
Claim = Annotated[str, msgspec.Meta(min_length=1)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class RoleEntry(_Section, frozen=True, kw_only=True):
    may: list[str]


class AccountEntry(_Section, frozen=True, kw_only=True):
    """groups  names that approvals ask for, beside the roles, without permissions of their own
    system  the connected system that it speaks for, whose mastered fields are its to change
    """

    title: str = ""
    kind: Literal["service", "person"] = "service"
    roles: list[str] = msgspec.field(default_factory=list)
    groups: list[str] = msgspec.field(default_factory=list)
    plants: Plants = msgspec.field(default_factory=list)
    system: str = ""
    limits: AccountPolicy = AccountPolicy()


class ConsoleClient(_Section, frozen=True, kw_only=True):
    """Of the console there. client_secret: by reference; empty: a public client, by PKCE alone."""

    client_id: Annotated[str, msgspec.Meta(min_length=1)]
    client_secret: str = ""
    scope: str = "openid profile"

    def __repr__(self) -> str:
        return f"ConsoleClient(client_id={self.client_id!r})"


class OidcIssuer(_Section, frozen=True, kw_only=True):
    """audience      that its access tokens have to name
    roles_claim   where a token says roles or groups, with dots; map: what is said there → role here
    plants_claim  where it says plants; without one, `plants` holds for everybody
    limits        of each person or client that it knows
    """

    name: Name
    issuer: str
    audience: Annotated[str, msgspec.Meta(min_length=1)]
    title: str = ""
    roles_claim: Claim = "roles"
    map: dict[str, str] = msgspec.field(default_factory=dict)
    plants_claim: str = ""
    plants: Plants = msgspec.field(default_factory=list)
    limits: AccountPolicy = AccountPolicy()
    console: ConsoleClient | None = None


class IssuerRules(_Section, frozen=True, kw_only=True):
    """Of the tokens that this node signs for clients of its own."""

    audience: Annotated[str, msgspec.Meta(min_length=1)] = "lineshaft"
    token_ttl_s: Annotated[int, msgspec.Meta(ge=30, le=86_400)] = 600


class SessionRules(_Section, frozen=True, kw_only=True):
    """idle_s: a session ends when nothing is asked for so long; longest_s: and then, whatever is asked."""

    idle_s: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)] = 3_600
    longest_s: Annotated[int, msgspec.Meta(ge=1, le=90 * 86_400)] = 43_200


class AccessFile(_Section, frozen=True, kw_only=True):
    """url: under which clients and browsers reach this node; empty: where it listens."""

    url: str = ""
    roles: dict[Name, RoleEntry] = msgspec.field(default_factory=dict)
    accounts: dict[AccountName, AccountEntry] = msgspec.field(default_factory=dict)
    oidc: list[OidcIssuer] = msgspec.field(default_factory=list)
    issuer: IssuerRules = IssuerRules()
    sessions: SessionRules = SessionRules()

    def role(self, name: str) -> list[str]:
        """Its permissions; of a built-in role those of the file, where that declares it, too."""
        return self.roles[name].may if name in self.roles else list(BUILT_IN[name])


def read_access(path: Path, systems: Collection[str]) -> AccessFile:
    """systems: names of the connected ones

    raises  ConfigError with every finding, each with file and line
    """
    file = YamlFile(path)
    access = file.read(AccessFile)
    written = path.read_text(encoding="utf-8")
    findings = [
        f"{file.where(place)}: {said}"
        for doubts in (_roles(access), _accounts(access, systems), _issuers(access, written))
        for place, said in doubts
    ]
    if findings:
        raise ConfigError(f"{path} has {len(findings)} error(s)", findings=findings)
    return access


_Doubt = tuple[list[str | int], str]


def _roles(access: AccessFile) -> Iterator[_Doubt]:
    for name, role in access.roles.items():
        for index, pattern in enumerate(role.may):
            if said := doubts_about(pattern):
                yield ["roles", name, "may", index], said


def _accounts(access: AccessFile, systems: Collection[str]) -> Iterator[_Doubt]:
    for name, account in access.accounts.items():
        for index, role in enumerate(account.roles):
            if said := _unknown("role", role, {*BUILT_IN, *access.roles}):
                yield ["accounts", name, "roles", index], said
        if account.system and (said := _unknown("system", account.system, systems)):
            yield ["accounts", name, "system"], said


def _issuers(access: AccessFile, written: str) -> Iterator[_Doubt]:
    if access.url and not is_safe_url(access.url):
        yield ["url"], f"{access.url!r} is no https:// address; http:// is for this machine alone"
    seen: set[str] = set()
    for index, issuer in enumerate(access.oidc):
        for key, value in (("name", issuer.name), ("issuer", issuer.issuer)):
            if f"{key} {value}" in seen:
                yield ["oidc", index, key], f"{value!r} is declared twice"
            seen.add(f"{key} {value}")
        if not is_safe_url(issuer.issuer):
            said = f"{issuer.issuer!r} is no https:// address; http:// is for this machine alone"
            yield ["oidc", index, "issuer"], said
        for value, role in issuer.map.items():
            if said := _unknown("role", role, {*BUILT_IN, *access.roles}):
                yield ["oidc", index, "map", value], said
        secret = issuer.console.client_secret if issuer.console else ""
        if secret and secret in written:
            yield ["oidc", index, "console", "client_secret"], "is written here; refer to it: ${env:NAME}"


def _unknown(kind: str, name: str, known: Collection[str]) -> str:
    if name in known:
        return ""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"there is no {kind} {name!r}; {hint}"


def is_safe_url(url: str) -> bool:
    """https, or http on a loopback address; without user, query and fragment."""
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
