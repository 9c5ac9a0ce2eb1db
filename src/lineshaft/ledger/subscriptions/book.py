"""The subscriptions, and what people decide about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select, update

from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import PermanentFault
from lineshaft.core.subscriptions import DeliveryState, Subscription, SubscriptionState
from lineshaft.ledger.audit import Audit, AuditEntry, must_have_reason
from lineshaft.ledger.subscriptions.again import deliver_again
from lineshaft.store import Store
from lineshaft.store.rows import converter, plain
from lineshaft.store.schema import deliveries, subscriptions
from lineshaft.store.statements import insert_all

__all__ = ["Book", "DeclaredSubscription", "read_subscriptions"]

_LISTS = ("types", "plants")
_SHOWN = [deliveries.c[name] for name in deliveries.c.keys() if name != "event"]  # noqa: SIM118


class DeclaredSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """One of the file of subscriptions. secret: resolved, and kept nowhere else."""

    subscription: Subscription
    secret: str


class Book:
    """Implements core.subscriptions.SubscriptionBook. Every change is an entry of the audit."""

    def __init__(self, store: Store, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock

    async def add(self, subscription: Subscription, secret: str, *, by: str, reason: str) -> Subscription:
        """secret: kept with it, as messages have to be signed; empty where a file has it"""
        must_have_reason(reason)
        made = msgspec.structs.replace(
            subscription, created_by=by, created_at=rfc3339(self._clock.now()), state=SubscriptionState.ACTIVE
        )
        told = {"url": made.url, "types": made.types, "name": made.name}
        entry = _entry(made.subscription_id, "subscription.added", by, reason, told)

        def unit(connection: Connection) -> None:
            if self._audit.knows(connection, entry):
                return
            taken = select(subscriptions.c.name).where(subscriptions.c.name == made.name)
            if connection.execute(taken).first() is not None:
                raise PermanentFault(
                    f"there is a subscription {made.name!r} already",
                    code="subscription_exists",
                    hint="give it another name",
                )
            insert_all(connection, subscriptions, [_row(made) | {"secret": secret}])
            self._audit.append(connection, [entry])

        await self._store.write(unit)
        return made

    async def declare(self, declared: Sequence[DeclaredSubscription], *, by: str) -> None:
        """Make the table as the file has it: new ones, changed ones; one that the file drops is ended."""
        at = rfc3339(self._clock.now())
        wanted = {each.subscription.name: each.subscription for each in declared}

        def unit(connection: Connection) -> None:
            entries = []
            found = {each.name: each for each in read_subscriptions(connection)}
            for name, each in wanted.items():
                given = {"account": each.account, "url": each.url, "types": each.types}
                given |= {"subject": each.subject, "plants": each.plants, "owner": each.owner}
                if name not in found:
                    made = msgspec.structs.replace(each, created_by=by, created_at=at)
                    insert_all(connection, subscriptions, [_row(made) | {"secret": ""}])
                    entries.append(_entry(made.subscription_id, "subscription.added", by, "declared", given))
                elif any(getattr(found[name], field) != value for field, value in given.items()):
                    row = _row(msgspec.structs.replace(found[name], **given))
                    connection.execute(
                        update(subscriptions).where(subscriptions.c.name == name).values(**row)
                    )
                    ref = found[name].subscription_id
                    entries.append(_entry(ref, "subscription.changed", by, "declared", given))
            for name, old in found.items():
                if old.created_by == by and name not in wanted and old.state is not SubscriptionState.ENDED:
                    _set(connection, old.subscription_id, SubscriptionState.ENDED, "no longer declared")
                    entries.append(
                        _entry(old.subscription_id, "subscription.ended", by, "no longer declared")
                    )
            self._audit.append(connection, entries)

        await self._store.write(unit)

    async def listing(self) -> list[Subscription]:
        return await self._store.read(read_subscriptions)

    async def get(self, ref: str) -> Subscription:
        return await self._store.read(lambda connection: _one(connection, ref))

    async def secret(self, subscription_id: str) -> str:
        asked = select(subscriptions.c.secret).where(subscriptions.c.subscription_id == subscription_id)
        return str(await self._store.read(lambda connection: connection.execute(asked).scalar() or ""))

    async def change(self, ref: str, state: SubscriptionState, *, by: str, reason: str) -> Subscription:
        """Resumed, its deliveries go on where they stopped."""
        must_have_reason(reason)
        known = await self.get(ref)
        if known.state is SubscriptionState.ENDED:
            raise PermanentFault(
                f"subscription {known.name} has ended", code="subscription_ended", hint="make another"
            )
        past = "resumed" if state is SubscriptionState.ACTIVE else state.value
        entry = _entry(known.subscription_id, f"subscription.{past}", by, reason, {"name": known.name})

        def unit(connection: Connection) -> Subscription:
            if not self._audit.knows(connection, entry):
                cause = "" if state is SubscriptionState.ACTIVE else reason
                _set(connection, known.subscription_id, state, cause)
                self._audit.append(connection, [entry])
            return _one(connection, known.subscription_id)

        return await self._store.write(unit)

    async def deliveries(self, ref: str, *, state: str = "", limit: int = 100) -> list[dict[str, object]]:
        known = await self.get(ref)
        asked = select(*_SHOWN).where(deliveries.c.subscription_id == known.subscription_id)
        if state:
            asked = asked.where(deliveries.c.state == state)
        newest = asked.order_by(deliveries.c.created_at.desc(), deliveries.c.seq.desc()).limit(limit)
        return await self._store.read(lambda connection: [plain(row) for row in connection.execute(newest)])

    async def redeliver(self, ref: str, ids: Sequence[str], *, by: str, reason: str) -> list[str]:
        """With none named, an endpoint that was away for too long is tried again, too."""
        must_have_reason(reason)
        known = await self.get(ref)
        asked = select(deliveries.c.delivery_id).where(deliveries.c.subscription_id == known.subscription_id)
        which = (
            asked.where(deliveries.c.delivery_id.in_(ids))
            if ids
            else asked.where(deliveries.c.state == DeliveryState.FAILED)
        )
        told = {"name": known.name, "asked": list(ids)}
        entry = _entry(known.subscription_id, "subscription.redelivered", by, reason, told)

        def unit(connection: Connection) -> list[str]:
            found = list(connection.execute(which).scalars())
            if missing := set(ids) - set(found):
                raise PermanentFault(
                    f"subscription {known.name} has no delivery {', '.join(sorted(missing))}",
                    code="no_such_delivery",
                    hint="`lineshaft webhooks deliveries` names them",
                )
            if not self._audit.knows(connection, entry):
                deliver_again(connection, found)
                self._audit.append(connection, [entry])
            return found

        return await self._store.write(unit)


def read_subscriptions(connection: Connection) -> list[Subscription]:
    """All of them, by name."""
    return [_read(row) for row in connection.execute(_ALL)]


_CONVERT = converter(Subscription, strict=False)
_FIELDS = [subscriptions.c[name] for name in Subscription.__struct_fields__]
_ALL = select(*_FIELDS).order_by(subscriptions.c.name)


def _read(row: Any) -> Subscription:
    given = plain(row)
    return _CONVERT(given | {name: msgspec.json.decode(given[name]) for name in _LISTS})


def _row(subscription: Subscription) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.to_builtins(subscription)
    return given | {name: msgspec.json.encode(given[name]).decode() for name in _LISTS}


def _one(connection: Connection, ref: str) -> Subscription:
    named = or_(subscriptions.c.subscription_id == ref, subscriptions.c.name == ref)
    found = connection.execute(_ALL.where(named)).first()
    if found is None:
        raise PermanentFault(
            f"there is no subscription {ref!r}",
            code="no_such_subscription",
            hint="`lineshaft webhooks list` names them all",
        )
    return _read(found)


def _set(connection: Connection, subscription_id: str, state: SubscriptionState, cause: str) -> None:
    which = subscriptions.c.subscription_id == subscription_id
    connection.execute(update(subscriptions).where(which).values(state=state.value, cause=cause))


def _entry(
    subject: str, action: str, by: str, reason: str, detail: dict[str, Any] | None = None
) -> AuditEntry:
    return AuditEntry(actor=by, action=action, subject=subject, detail=detail or {}, reason=reason)
