"""Who may come in: caller, permission, plant, rate and quota."""

from __future__ import annotations

from http import HTTPStatus

from lineshaft.core.access import LOCAL, SOME, Authenticator, Caller, permits
from lineshaft.gateway.exchange import ANONYMOUS, Exchange, Served
from lineshaft.gateway.limits import Limits
from lineshaft.gateway.policies import UNLIMITED, Policies
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.same_origin import check_origin

__all__ = ["Admission"]


class Admission:
    """authenticator: None: everybody is LOCAL. policies: None: UNLIMITED for all."""

    def __init__(
        self, authenticator: Authenticator | None, policies: Policies | None, limits: Limits, plant: str
    ) -> None:
        self._authenticator = authenticator
        self._policies = policies
        self._limits = limits
        self._plant = plant

    async def identify(self, exchange: Exchange, served: Served) -> None:
        """raises  Refused; Refusal, 403; TransientFault when who has to be asked does not answer"""
        headers = exchange.headers
        authorization = headers.get("authorization", "")
        if not authorization and "x-api-key" in headers:
            authorization = f"Bearer {headers['x-api-key']}"
        if not authorization and served.changes:
            check_origin(headers, exchange.scope["scheme"])
        if self._authenticator is None:
            caller = LOCAL
        else:
            cookie = "" if authorization else headers.get("cookie", "")
            caller = await self._authenticator.caller(authorization, cookie)
        exchange.caller = caller
        exchange.policy = self._policies.policy(caller.account) if self._policies else UNLIMITED
        permission = served.permission or served.route.permission.format_map(exchange.path)
        names_any = served.permission is None and permission.endswith(SOME)  # by a part of the path
        if names_any or not permits(caller, permission):
            raise _not_permitted(caller, permission)
        if served.route.also and not permits(caller, served.route.also):
            raise _not_permitted(caller, served.route.also)

    def check_plant(self, exchange: Exchange, served: Served) -> None:
        """Where the request names none, it is the node's, on a route of any plant see Caller.plant_meant.

        raises  Refusal, 403, 422
        """
        caller, any_plant = exchange.caller, served.route.any_plant
        meant = caller.plant_meant(self._plant) if any_plant else self._plant
        exchange.plant = exchange.query.get("plant") or meant
        if not caller.sees(exchange.plant):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"{caller.name} does not act for plant {exchange.plant!r}",
                code="plant_not_yours",
                hint=f"plants: {', '.join(sorted(caller.plants)) or 'none'}",
            )
        if exchange.plant != self._plant and not any_plant:
            raise Refusal(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{served.route.name} is about plant {self._plant!r}, not {exchange.plant[:100]!r}",
                code="plant_not_served",
                hint="ask a node of that plant",
            )

    def limit(self, exchange: Exchange) -> None:
        """raises  Refusal, 429"""
        caller = exchange.caller
        if caller is ANONYMOUS:
            key = f"address:{exchange.address}"
        else:  # of a person one for all sessions, as each log-in makes another
            key = caller.name if caller.csrf else caller.credential or caller.name
        verdict = self._limits.take(key, caller.account, exchange.policy)
        exchange.limits = verdict.headers
        if verdict.wait_s is not None:
            seconds = max(1, int(verdict.wait_s + 0.999))
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{caller.name} has asked more often than it may ({verdict.code.replace('_', ' ')})",
                code=verdict.code,
                hint=f"ask again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )


def _not_permitted(caller: Caller, permission: str) -> Refusal:
    return Refusal(
        HTTPStatus.FORBIDDEN,
        f"{caller.name} may not {permission}",
        code="not_permitted",
        hint="it needs a role that allows it",
    )
