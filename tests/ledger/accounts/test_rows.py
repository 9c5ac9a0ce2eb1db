"""Credentials and sessions in the store: units that may run twice, their audit, and what is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lineshaft.core.credentials import Credential, CredentialKind, Session
from lineshaft.ledger import Audit, audit_rows, verify_audit
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions
from lineshaft.store import Store
from lineshaft.store.writer import Unit
from tests.clocks import ManualClock


class Twice:
    """A store that runs each unit of work again, as after a commit whose answer was lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.read = store.read

    async def write(self, unit: Unit[object]) -> object:
        await self._store.write(unit)
        return await self._store.write(unit)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def key(clock: ManualClock, credential_id: str, account: str = "mes", days: int = 0) -> Credential:
    return Credential(
        credential_id=credential_id,
        kind=CredentialKind.KEY,
        account=account,
        hash="00",
        created_at=clock.now(),
        created_by="jo",
        expires_at=clock.now() + timedelta(days=days) if days else None,
    )


def session(clock: ManualClock, session_id: str) -> Session:
    now = clock.now()
    return Session(
        session_id=session_id,
        name="oidc:corp#1",
        issuer="corp",
        roles=("engineers",),
        plants=("leipzig",),
        address="192.0.2.1",
        created_at=now,
        seen_at=now,
        ends_at=now + timedelta(hours=1),
    )


async def audited(store: Store) -> list[tuple[str, str, str]]:
    rows = await store.read(lambda connection: audit_rows(connection, limit=100))
    assert (await store.read(verify_audit)).findings == []
    return [(row["action"], row["subject"], row["actor"]) for row in reversed(rows)]


async def test_a_credential_is_made_and_revoked_once(store: Store, clock: ManualClock) -> None:
    credentials = StoredCredentials(Twice(store), Audit("node", clock), clock)  # type: ignore[arg-type]
    made = key(clock, "lsk_a", days=1)
    await credentials.add(made, by="jo")
    assert await credentials.find("lsk_a") == made
    assert await credentials.changes() == 1
    clock.advance(1)
    assert await credentials.revoke(["lsk_a", "lsk_b"], by="jo", reason="lost") == ["lsk_a"]
    assert await credentials.revoke(["lsk_a"], by="jo", reason="lost") == []
    found = await credentials.find("lsk_a")
    assert found is not None
    assert found.revoked_at == clock.now()
    assert await audited(store) == [("key.created", "lsk_a", "jo"), ("credential.revoked", "lsk_a", "jo")]


async def test_credentials_that_hold_are_found_by_account_the_newest_first(
    store: Store, clock: ManualClock
) -> None:
    credentials = StoredCredentials(store, Audit("node", clock), clock)
    for credential_id, days in (("lsk_a", 1), ("lsk_b", 0), ("lsk_c", 0)):
        await credentials.add(key(clock, credential_id, days=days), by="jo")
        clock.advance(1)
    await credentials.add(key(clock, "lsk_d", "erp"), by="jo")
    await credentials.revoke(["lsk_b"], by="jo")
    assert [each.credential_id for each in await credentials.of("mes", CredentialKind.KEY)] == [
        "lsk_c",
        "lsk_a",
    ]
    clock.advance(86_400)
    assert [each.credential_id for each in await credentials.of("mes", CredentialKind.KEY)] == ["lsk_c"]
    assert [each.credential_id for each in await credentials.listed(account="erp")] == ["lsk_d"]
    assert await credentials.listed(prefix="lsk%") == []
    assert await credentials.of("mes", CredentialKind.PASSWORD) == []


async def test_a_use_never_goes_back(store: Store, clock: ManualClock) -> None:
    credentials = StoredCredentials(store, Audit("node", clock), clock)
    await credentials.add(key(clock, "lsk_a"), by="jo")
    now = clock.now()
    await credentials.used({"lsk_a": now, "lsk_gone": now})
    await credentials.used({"lsk_a": now - timedelta(hours=1)})
    found = await credentials.find("lsk_a")
    assert found is not None
    assert found.last_used_at == now


async def test_a_new_password_takes_the_place_of_the_old_one(store: Store, clock: ManualClock) -> None:
    credentials = StoredCredentials(store, Audit("node", clock), clock)
    for text in ("one", "two"):
        password = Credential(
            credential_id="password:jo",
            kind=CredentialKind.PASSWORD,
            account="jo",
            hash=text,
            created_at=clock.now(),
        )
        await credentials.add(password, by="jo")
    await credentials.revoke(["password:jo"], by="jo")
    assert await credentials.of("jo", CredentialKind.PASSWORD) == []
    await credentials.add(password, by="jo")
    assert [each.hash for each in await credentials.of("jo", CredentialKind.PASSWORD)] == ["two"]


async def test_a_session_begins_and_ends_once_and_is_forgotten(store: Store, clock: ManualClock) -> None:
    sessions = StoredSessions(Twice(store), Audit("node", clock), clock)  # type: ignore[arg-type]
    begun = session(clock, "a" * 64)
    await sessions.begin(begun)
    assert await sessions.session("a" * 64) == begun
    assert await sessions.open() == [begun]
    assert await sessions.end("a" * 64, by="jo", reason="left") is True
    assert await sessions.end("a" * 64, by="jo") is False
    assert await sessions.open() == []
    assert await audited(store) == [
        ("session.begun", "a" * 12, "oidc:corp#1"),
        ("session.ended", "a" * 12, "jo"),
    ]
    clock.advance(31 * 86_400)
    await sessions.begin(session(clock, "b" * 64))
    assert await sessions.session("a" * 64) is None
