"""Who the accounts of the access file are as callers; made anew when the file changes."""

from __future__ import annotations

from collections.abc import Iterable

from lineshaft.core.access import ALL, Caller, permits
from lineshaft.core.subscriptions import Subscription, bare_type
from lineshaft.core.values import Event
from lineshaft.gateway.identity.access_file import AccessFile, AccountEntry, OidcIssuer, Plants
from lineshaft.gateway.policies import UNLIMITED, AccountPolicy

__all__ = ["Directory"]

_DEFAULT = AccountPolicy()


class Directory:
    """Implements gateway.policies.Policies."""

    def __init__(self, access: AccessFile) -> None:
        self.access = access
        self._issuers = {issuer.name: issuer for issuer in access.oidc}

    def replace(self, access: AccessFile) -> None:
        self.access = access
        self._issuers = {issuer.name: issuer for issuer in access.oidc}

    def account(self, name: str, kind: str = "") -> AccountEntry | None:
        """kind: `service` or `person`; empty: whichever it is"""
        found = self.access.accounts.get(name)
        return found if found and kind in ("", found.kind) else None

    def issuer(self, name: str) -> OidcIssuer | None:
        return self._issuers.get(name)

    def caller(self, how: str, account: str, credential: str, csrf: str = "") -> Caller | None:
        """how: `user`, `key` or `client`. None: the file has no such account any more."""
        entry = self.access.accounts.get(account)
        if entry is None:
            return None
        return Caller(
            name=f"{how}:{account}",
            account=account,
            roles=frozenset({*entry.roles, *entry.groups}),
            permissions=self._permissions(entry.roles),
            plants=_plants(entry.plants),
            system=entry.system,
            credential=credential,
            csrf=csrf,
        )

    def known_elsewhere(
        self,
        issuer: OidcIssuer,
        name: str,
        said: Iterable[str],
        plants: Iterable[str],
        *,
        credential: str = "",
        csrf: str = "",
    ) -> Caller:
        """Somebody whom an OIDC issuer knows. said: values of its roles claim; plants: of its plants claim

        What is said grants only what the file maps it to: no issuer can name a role of ours, or every plant.
        """
        roles = frozenset(issuer.map[each] for each in said if each in issuer.map)
        its_plants = frozenset(plants) - {ALL} if issuer.plants_claim else _plants(issuer.plants)
        return Caller(
            name=name,
            account=name,
            roles=roles,
            permissions=self._permissions(roles),
            plants=its_plants,
            credential=credential,
            csrf=csrf,
        )

    def may_not_be_told(self, to: Subscription, event: Event) -> str:
        """Why a subscription's account may not be told of this any more; empty: it may.

        Of somebody whom an OIDC issuer knows it is only known that the issuer still counts.
        """
        if to.account.startswith("oidc:"):
            issuer = to.account[5:].partition("#")[0]
            return "" if issuer in self._issuers else f"no issuer {issuer} is known any more"
        caller = self.caller("key", to.account, "")
        if caller is None:
            return f"the access file has no account {to.account}"
        permission = f"subscribe:{bare_type(event.type)}"
        if not permits(caller, permission):
            return f"{to.account} may not {permission}"
        return "" if caller.sees(event.plant) else f"{to.account} does not see plant {event.plant}"

    def policy(self, account: str) -> AccountPolicy:
        if account.startswith("oidc:"):
            issuer = self._issuers.get(account[5:].partition("#")[0])
            return issuer.limits if issuer else _DEFAULT
        if not account:
            return UNLIMITED
        entry = self.access.accounts.get(account)
        return entry.limits if entry else _DEFAULT

    def _permissions(self, roles: Iterable[str]) -> frozenset[str]:
        return frozenset(pattern for role in roles for pattern in self.access.role(role))


def _plants(plants: Plants) -> frozenset[str]:
    return frozenset({ALL} if plants == "*" else plants)
