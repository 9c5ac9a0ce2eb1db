"""Who asks, and what for: callers, their roles and plants, and the permissions that routes need."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import msgspec

__all__ = ["ALL", "LOCAL", "PAYLOADS", "SOME", "Authenticator", "Caller", "Refused", "grants", "permits"]

PAYLOADS = frozenset(
    ("payload", "corrected", "data", "input", "request", "reply", "output", "result", "before", "after")
) | {"value"}
"""Names under which answers about the work of a plant have payloads."""

ALL = "*"
"""Every plant, in `Caller.plants`."""

SOME = "<some>"
"""As the object of a permission: any one of its verb will do; the handler checks which one it needs."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, once that is proved.

    name         what ledger and audit note: `user:<login>`, `key:<account>`, `client:<account>`,
                 `oidc:<issuer>#<subject>`
    account      the entry of the access file whose limits and fields apply
    roles        their names, for approvals that a role decides
    permissions  patterns of what the roles allow, see `grants`
    plants       that it may see and act for; ALL: every one
    system       the connected system that it speaks for; empty: none, and no mastered field is its to change
    credential   id of the key, client secret or session that proved it: one account may have several
    csrf         it came by a cookie: what a changing request has to carry, see gateway.identity.check_csrf
    """

    name: str
    account: str = ""
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    plants: frozenset[str] = frozenset()
    system: str = ""
    credential: str = ""
    csrf: str = ""

    def sees(self, plant: str) -> bool:
        return ALL in self.plants or plant in self.plants

    def plant_meant(self, here: str) -> str:
        """Where none is named and any will do: the node's; for who does not see it, the first of its own."""
        return here if self.sees(here) or not self.plants else min(self.plants)


LOCAL = Caller(
    name="local",
    roles=frozenset({"administrator"}),
    permissions=frozenset({"*:*"}),
    plants=frozenset({ALL}),
)
"""Who asks on a loopback address of a node that has no access file."""


class Refused(Exception):
    """Nobody is known by what was presented. code: snake_case; challenge: for WWW-Authenticate."""

    def __init__(self, detail: str, *, code: str = "not_authenticated", challenge: str = "Bearer") -> None:
        super().__init__(detail)
        self.code, self.detail, self.challenge = code, detail, challenge


class Authenticator(Protocol):
    async def caller(self, authorization: str, cookie: str) -> Caller:
        """authorization, cookie: values of these headers; empty where there is none.

        raises  Refused; TransientFault when what has to be asked does not answer
        """
        ...


def permits(caller: Caller, permission: str) -> bool:
    """permission: `<verb>:<object>`, e.g. `call:maintenance.create_request`, `read:orders`."""
    return grants(caller.permissions, permission)


@lru_cache(maxsize=8192)
def grants(patterns: frozenset[str], permission: str) -> bool:
    """Whether one of the patterns covers it: equal, or with `*` as a whole verb or at the object's end.

    `call:erp.*` covers `call:erp.post_confirmation`; `*:*` everything.
    """
    verb, _, what = permission.partition(":")
    for pattern in patterns:
        its_verb, _, its_object = pattern.partition(":")
        if its_verb not in ("*", verb):
            continue
        if what in (its_object, SOME) or (its_object.endswith("*") and what.startswith(its_object[:-1])):
            return True
    return False
