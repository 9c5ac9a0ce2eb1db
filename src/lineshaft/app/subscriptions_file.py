"""The file of subscriptions: who is told of which events by webhooks, kept in Git.

subscriptions:
  - name: portal
    account: customer-portal          # of the access file: whose fields and plants apply
    url: https://hooks.example.com/lineshaft
    types: [maintenance.order.completed.v1, "inventory.*"]
    subject: PUMP-7                   # optional: of this one only
    plants: [leipzig]
    owner: sales                      # optional: the desk for what cannot be delivered
    secret: ${env:PORTAL_WEBHOOK}     # whsec_ and base64
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lineshaft.app.settings import Settings
from lineshaft.contracts.event import EventContract
from lineshaft.core.errors import ConfigError
from lineshaft.core.ids import business_key
from lineshaft.core.signing import secret_bytes
from lineshaft.core.subscriptions import Subscription
from lineshaft.core.yamlfile import YamlFile
from lineshaft.gateway.destinations import Destinations
from lineshaft.gateway.events.subscriptions import NewSubscription, subscription_findings
from lineshaft.ledger.subscriptions import DeclaredSubscription

__all__ = ["declared_subscriptions", "read_subscriptions_file"]


class _Declared(NewSubscription, frozen=True, kw_only=True):
    account: str
    secret: str


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    subscriptions: list[_Declared] = []


def read_subscriptions_file(
    path: Path, destinations: Destinations, contracts: Mapping[str, EventContract[Any]]
) -> list[DeclaredSubscription]:
    """raises  ConfigError with every finding, each with file and line"""
    file = YamlFile(path)
    declared, findings, seen = [], [], set()
    for index, each in enumerate(file.read(_File).subscriptions):
        where = file.where(["subscriptions", index])
        if each.name in seen:
            findings.append(f"{where}: name: {each.name!r} is given twice")
        seen.add(each.name)
        if not each.plants:
            findings.append(f"{where}: plants: name those whose events it is told of, or '*'")
        findings += [f"{where}: {found}" for found in subscription_findings(each, destinations, contracts)]
        try:
            secret_bytes(each.secret)
        except ConfigError as error:
            findings.append(f"{where}: secret: {error}")
        declared.append(_as_declared(each))
    if findings:
        raise ConfigError(f"{path} has {len(findings)} error(s)", findings=findings)
    return declared


def _as_declared(each: _Declared) -> DeclaredSubscription:
    return DeclaredSubscription(
        subscription=Subscription(
            subscription_id=business_key("subscription", each.name),
            name=each.name,
            account=each.account,
            url=each.url,
            types=each.types,
            subject=each.subject,
            plants=each.plants,
            owner=each.owner,
        ),
        secret=each.secret,
    )


def declared_subscriptions(
    settings: Settings, path: Path, contracts: Mapping[str, EventContract[Any]]
) -> list[DeclaredSubscription]:
    """Of the file that the settings name, if any. path: of the settings file.

    raises  ConfigError with every finding
    """
    destinations = Destinations(settings.outgoing.hosts)
    if not settings.subscriptions:
        return []
    return read_subscriptions_file(path.resolve().parent / settings.subscriptions, destinations, contracts)
