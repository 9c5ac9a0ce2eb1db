"""Webhooks out over HTTP: subscriptions that callers make for themselves, and what became of deliveries.

An account sees its own; who administers access sees all.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec

from lineshaft.contracts.event import EventContract
from lineshaft.core.access import ALL, SOME, Caller, permits
from lineshaft.core.errors import ContractViolation, PermanentFault
from lineshaft.core.ids import new_id
from lineshaft.core.signing import new_secret
from lineshaft.core.subscriptions import (
    DeliveryState,
    Subscription,
    SubscriptionBook,
    SubscriptionState,
)
from lineshaft.gateway.destinations import Destinations
from lineshaft.gateway.events.outgoing import may_read, type_findings
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter

__all__ = ["NewSubscription", "SubscriptionsApi", "subscription_findings", "subscription_routes"]

_ADMINISTER = "administer:access"
_MOST_OF_ONE = 100
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")]


class NewSubscription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """types: event types, or beginnings that end in `*`; plants: none named: all of the caller's."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,99}$")]
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    types: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=100)]
    subject: Annotated[str, msgspec.Meta(max_length=200)] = ""
    plants: list[Text] = []
    owner: Text = "integration"
    reason: Reason = "asked for by its account"


class _Why(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason


class _Again(_Why, frozen=True, kw_only=True):
    """ids: of deliveries; none: all that failed."""

    ids: Annotated[list[Text], msgspec.Meta(max_length=1000)] = []


def subscription_findings(
    wanted: NewSubscription, destinations: Destinations, contracts: Mapping[str, EventContract[Any]]
) -> list[str]:
    """What is wrong with a subscription, whoever asks for it."""
    findings = type_findings(wanted.types, contracts)
    try:
        destinations.check(wanted.url)
    except PermanentFault as fault:
        findings.append(f"url: {fault}")
    return findings


def subscription_routes(api: SubscriptionsApi) -> list[ApiRoute]:
    """Under `/api/v1/subscriptions`, for whoever may subscribe to anything."""
    one = Parameter(name="name", where="path", schema=_TEXT, required=True, summary="Its name or id")

    def route(method: str, path: str, name: str, summary: str, handler: Any, **more: Any) -> ApiRoute:
        return ApiRoute(
            method=method,
            path=f"/api/v1/subscriptions{path}",
            name=name,
            summary=summary,
            permission=f"subscribe:{SOME}",
            handler=handler,
            tag="events",
            parameters=((one,) if "{name}" in path else ()) + tuple(more.pop("parameters", ())),
            version="v1",
            any_plant=True,
            **more,
        )

    shown: dict[int, Mapping[str, Any] | None] = {200: _SUBSCRIPTION}
    listed: dict[int, Mapping[str, Any] | None] = {200: {"type": "array", "items": _SUBSCRIPTION}}
    changed = {"request": _schema(_Why), "answers": shown, "problems": (404, 422), "idempotent": True}
    return [
        route("GET", "", "list_subscriptions", "Your subscriptions", api.listing, answers=listed),
        route(
            "POST",
            "",
            "add_subscription",
            "Be told of events by signed webhooks; the secret is shown in this answer only",
            api.add,
            request=_schema(NewSubscription),
            answers={201: _SUBSCRIPTION},
            problems=(403, 409, 422),
            idempotent=True,
        ),
        route("GET", "/{name}", "show_subscription", "One", api.show, answers=shown, problems=(404,)),
        route("POST", "/{name}/pause", "pause_subscription", "Tell it nothing for now", api.pause, **changed),
        route("POST", "/{name}/resume", "resume_subscription", "Go on telling", api.resume, **changed),
        route("POST", "/{name}/end", "end_subscription", "Never tell it anything again", api.end, **changed),
        route(
            "GET",
            "/{name}/deliveries",
            "list_deliveries",
            "What it was told, and what waits",
            api.deliveries,
            parameters=(
                Parameter(name="state", where="query", schema={"type": "string", "enum": [*DeliveryState]}),
                Parameter(
                    name="limit", where="query", schema={"type": "integer", "minimum": 1, "maximum": 1000}
                ),
            ),
            answers={200: {"type": "array", "items": {"type": "object"}}},
            problems=(404,),
        ),
        route(
            "POST",
            "/{name}/redeliver",
            "redeliver",
            "Tell it again",
            api.redeliver,
            request=_schema(_Again),
            answers={200: {"type": "object"}},
            problems=(404, 422),
            idempotent=True,
        ),
    ]


class SubscriptionsApi:
    def __init__(
        self,
        book: SubscriptionBook,
        destinations: Destinations,
        contracts: Mapping[str, EventContract[Any]],
    ) -> None:
        self._book = book
        self._destinations = destinations
        self._contracts = contracts

    async def add(self, asked: Asked) -> Answer:
        """The secret is told once, here; kept only to sign with."""
        wanted = msgspec.json.decode(asked.body, type=NewSubscription)
        caller = asked.caller
        if findings := subscription_findings(wanted, self._destinations, self._contracts):
            raise ContractViolation("this subscription cannot be made", findings=findings)
        forbidden = [
            f"types: subscribe:{kind} is not granted" for kind in wanted.types if not may_read(caller, kind)
        ]
        forbidden += [f"plants: {plant} is not yours" for plant in wanted.plants if not caller.sees(plant)]
        if forbidden:
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"{caller.name} may not be told of these events",
                code="not_permitted",
                findings=forbidden,
            )
        own = [each for each in await self._book.listing() if each.account == _account(caller)]
        if sum(each.state is not SubscriptionState.ENDED for each in own) >= _MOST_OF_ONE:
            raise PermanentFault(
                f"{_account(caller)} has {_MOST_OF_ONE} subscriptions", code="too_many_subscriptions"
            )
        secret = new_secret()
        made = await self._book.add(
            Subscription(
                subscription_id=new_id(),
                name=wanted.name,
                account=_account(caller),
                url=wanted.url,
                types=wanted.types,
                subject=wanted.subject,
                plants=wanted.plants or sorted(caller.plants),
                owner=wanted.owner,
            ),
            secret,
            by=caller.name,
            reason=wanted.reason,
        )
        return Answer(
            status=HTTPStatus.CREATED,
            body=msgspec.to_builtins(made) | {"secret": secret},
            headers={"Location": f"/api/v1/subscriptions/{made.name}"},
            ref=made.subscription_id,
            is_secret=True,
        )

    async def listing(self, asked: Asked) -> Answer:
        found = [each for each in await self._book.listing() if _is_theirs(each, asked.caller)]
        return Answer(body=found)

    async def show(self, asked: Asked) -> Answer:
        return Answer(body=await self._one(asked))

    async def pause(self, asked: Asked) -> Answer:
        return await self._change(asked, SubscriptionState.PAUSED)

    async def resume(self, asked: Asked) -> Answer:
        return await self._change(asked, SubscriptionState.ACTIVE)

    async def end(self, asked: Asked) -> Answer:
        return await self._change(asked, SubscriptionState.ENDED)

    async def deliveries(self, asked: Asked) -> Answer:
        found = await self._one(asked)
        limit = int(asked.query.get("limit", "100"))
        rows = await self._book.deliveries(
            found.subscription_id, state=asked.query.get("state", ""), limit=limit
        )
        return Answer(body=rows)

    async def redeliver(self, asked: Asked) -> Answer:
        found = await self._one(asked)
        again = msgspec.json.decode(asked.body, type=_Again)
        ids = await self._book.redeliver(
            found.subscription_id, again.ids, by=asked.caller.name, reason=again.reason
        )
        return Answer(body={"waiting": ids}, ref=found.subscription_id)

    async def _change(self, asked: Asked, state: SubscriptionState) -> Answer:
        found = await self._one(asked)
        why = msgspec.json.decode(asked.body, type=_Why)
        changed = await self._book.change(
            found.subscription_id, state, by=asked.caller.name, reason=why.reason
        )
        return Answer(body=changed, ref=found.subscription_id)

    async def _one(self, asked: Asked) -> Subscription:
        """raises  PermanentFault, code no_such_subscription, also for that of another account"""
        found = await self._book.get(asked.path["name"])
        if not _is_theirs(found, asked.caller):
            raise PermanentFault(
                f"there is no subscription {asked.path['name']!r}", code="no_such_subscription"
            )
        return found


def _account(caller: Caller) -> str:
    return caller.account or caller.name


def _is_theirs(subscription: Subscription, caller: Caller) -> bool:
    return subscription.account == _account(caller) or (
        permits(caller, _ADMINISTER) and (ALL in caller.plants or set(subscription.plants) <= caller.plants)
    )


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return {**reference, "$defs": components}


_TEXT = {"type": "string", "minLength": 1, "maxLength": 100}
_SUBSCRIPTION: Mapping[str, Any] = {
    "type": "object",
    "required": ["subscription_id", "name", "url", "types", "state"],
    "properties": {
        **{
            name: {"type": "string"}
            for name in ("subscription_id", "name", "account", "url", "subject", "owner", "state", "cause")
        },
        "types": {"type": "array", "items": {"type": "string"}},
        "plants": {"type": "array", "items": {"type": "string"}},
        "created_by": {"type": "string"},
        "created_at": {"type": "string"},
        "secret": {"type": "string", "description": "whsec_…, in the answer that made it only"},
    },
}
