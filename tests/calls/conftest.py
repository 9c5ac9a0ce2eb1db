"""A door with the test's books behind it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineshaft.calls import CallPolicy, Door, System
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.ledger import Audit, Claims
from lineshaft.store import Outbox, Store, Worker
from tests.books import ACTOR, PLANT, Books, Ledgerman

OpenDoor = Callable[..., Door]
QUICK = CallPolicy(
    rate_per_s=10_000, deadline_s=0.05, attempts=4, backoff_s=0.001, backoff_max_s=0.002, settle_s=0.01
)


def door_on(
    store: Store,
    target: Ledgerman,
    policy: CallPolicy = QUICK,
    clock: Clock | None = None,
    worker: Worker | None = None,
    **changes: object,
) -> Door:
    """A door as a fresh start of the product makes it."""
    clock = clock or SystemClock()
    system = System("books", target, {"books": Books}, policy, clock)
    permissions = {ACTOR: frozenset(("books.post", "books.balance", "books.missing"))}
    claims = Claims(store, Outbox(store), Audit("node", clock), clock, worker)
    arguments = {"plant": PLANT, "source": "/test/NSP/lineshaft/1", "clock": clock} | changes
    return Door(claims, [system], permissions, **arguments)  # type: ignore[arg-type]


@pytest.fixture
def open_door(store: Store) -> OpenDoor:
    def opened(target: Ledgerman, **changes: object) -> Door:
        return door_on(store, target, **changes)  # type: ignore[arg-type]

    return opened
