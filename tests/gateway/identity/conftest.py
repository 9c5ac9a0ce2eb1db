"""A clock and a node with identity, for every test of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher

from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.gateway.identity.node import IdentityNode
from tests.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones take half a second each, on purpose; test_passwords.py looks at those."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("lineshaft.gateway.identity.passwords._HASHER", quick)


@pytest.fixture(autouse=True)
def patient_with_issuers(monkeypatch: pytest.MonkeyPatch) -> None:
    """None counts as away because this machine is busy."""
    monkeypatch.setattr("lineshaft.gateway.identity.remote_issuer._TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def node(store: Store, tmp_path: Path, clock: ManualClock) -> IdentityNode:
    return IdentityNode(store, tmp_path, clock)
