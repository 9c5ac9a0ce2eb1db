"""The systems of the factory's plant as the console asks for them: real pauses and policies, no node."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from lineshaft.app.settings import Settings
from lineshaft.app.system_pauses import SystemPauses
from lineshaft.contracts.authority import Authority
from lineshaft.contracts.system_facts import (
    ConsumerFacts,
    OperationFacts,
    OwnParts,
    PauseFacts,
    StreamFacts,
    SystemFacts,
)
from lineshaft.core.clock import Clock
from lineshaft.ledger import Audit, Pauses
from lineshaft.store import Store, database_bytes

__all__ = ["AtWork", "pauses_of"]

_SETTINGS = {
    "enterprise": "nordquell",
    "plant": "hamburg",
    "time_zone": "Europe/Berlin",
    "systems": {
        "tryton": {
            "connector": "tryton",
            "title": "Tryton",
            "policy": {"maintenance": [{"days": ["sat"], "from": "22:00", "to": "02:00"}]},
        },
        "atlas": {"connector": "rest", "title": "Atlas CMMS"},
        "stockroom": {"connector": "rest", "title": "Spare-part store"},
        "line-mes": {"connector": "rest", "title": "Line MES"},
        "aps": {"connector": "rest", "title": "Planning board"},
    },
}
_KINDS = {"tryton": {"erp"}, "atlas": {"cmms"}, "stockroom": {"wms"}, "line-mes": {"mes"}, "aps": {"aps"}}
_OPERATIONS = {
    "tryton": ("erp.post_consumption", "erp.create_requisition", "erp.stock_balance"),
    "atlas": ("maintenance.create_request", "maintenance.update_task"),
    "stockroom": ("inventory.reserve",),
    "line-mes": ("production.release_order",),
    "aps": (),
}


def pauses_of(store: Store, clock: Clock) -> Pauses:
    return Pauses(store, Audit("node", clock), clock)


class AtWork:
    """pausing: what the API does with the same pauses."""

    def __init__(self, store: Store, pauses: Pauses, clock: Clock, own: OwnParts | None = None) -> None:
        self._store = store
        self._pauses = pauses
        self._clock = clock
        self._own = own
        self._settings = msgspec.convert(_SETTINGS, Settings)
        self.pausing = SystemPauses(self._settings, pauses, clock)
        self.authority = Authority(_KINDS, {"reservation": "stockroom"})

    async def facts(self) -> Mapping[str, SystemFacts]:
        pauses = await self._pauses.current()
        found = {}
        for name, system in self._settings.systems.items():
            pause, policy = pauses.get(name), system.policy
            begins = self._clock.now() + timedelta(days=2)
            found[name] = SystemFacts(
                name=name,
                connector=system.connector,
                kinds=tuple(_KINDS[name]),
                capabilities=(),
                operations=tuple(
                    OperationFacts(name=each, is_command="balance" not in each, reads_back=name != "atlas")
                    for each in _OPERATIONS[name]
                ),
                rate_per_s=policy.rate_per_s,
                concurrency=policy.concurrency,
                waiting=policy.waiting,
                deadline_s=policy.deadline_s,
                attempts=policy.attempts,
                under_way=3 if name == "atlas" else 0,
                inside=7 if name == "atlas" else 0,
                faults=5 if name == "atlas" else 0,
                windows=tuple(map(str, policy.maintenance)),
                window=(begins, begins + timedelta(hours=4)) if policy.maintenance else None,
                pause=PauseFacts(until=pause.until, reason=pause.reason, by=pause.actor, at=pause.at)
                if pause
                else None,
            )
        return found

    async def own(self) -> OwnParts:
        if self._own is not None:
            return self._own
        consumers = (
            ConsumerFacts(name="ledger", pending=0, unacked=0, again=0),
            ConsumerFacts(name="processes", pending=1204, unacked=256, again=3),
        )
        return OwnParts(
            streams=(
                StreamFacts(
                    name="LS_OPERATIONAL",
                    messages=48_211,
                    bytes=61_000_000,
                    most_bytes=7_200_000_000,
                    consumers=consumers,
                ),
                StreamFacts(name="LS_DEAD", messages=0, bytes=0, most_bytes=2_400_000_000),
            ),
            store="sqlite",
            store_bytes=await database_bytes(self._store),
            disk_free=11_000_000_000,
            disk_total=120_000_000_000,
            outbox=0,
            telemetry_waiting=12,
            telemetry_lag_ms=31.0,
        )
