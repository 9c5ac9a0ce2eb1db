"""API keys: who they are, until when, and what is no key."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from lineshaft.core.access import ALL, Refused
from lineshaft.core.credentials import CredentialKind
from lineshaft.core.errors import TransientFault
from lineshaft.gateway.identity import read_access
from lineshaft.gateway.identity.secrets import id_of, make_secret
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.gateway.identity.node import ACCESS, IdentityNode


async def test_a_key_is_its_account(node: IdentityNode) -> None:
    key_id, key = await node.make("mes")
    caller = await node.caller(key)
    assert (caller.name, caller.account, caller.system) == ("key:mes", "mes", "mes")
    assert (caller.credential, caller.csrf) == (key_id, "")
    assert caller.roles == {"integrator", "terminal"}
    assert {"publish:production.*", "read:orders"} <= caller.permissions
    assert caller.plants == {"leipzig"}
    _, other = await node.make("portal")
    caller = await node.caller(other)
    assert (caller.roles, caller.plants) == ({"viewer", "buyers"}, {ALL})


async def test_several_keys_of_an_account_are_rotated_without_a_gap(node: IdentityNode) -> None:
    old_id, old = await node.make("mes")
    _, new = await node.make("mes")
    assert (await node.caller(old)).account == (await node.caller(new)).account == "mes"
    assert await node.credentials.revoke([old_id], by="jo", reason="rotated") == [old_id]
    await node.access._freshness.look_now()
    with pytest.raises(Refused):
        await node.caller(old)
    assert (await node.caller(new)).account == "mes"


async def test_what_is_no_key_is_refused_in_the_same_words(node: IdentityNode, clock: ManualClock) -> None:
    key_id, key = await node.make("mes")
    _, expiring = await node.make("mes", lives=timedelta(hours=1))
    revoked_id, revoked = await node.make("portal")
    assert (await node.caller(expiring)).account == "mes"
    await node.credentials.revoke([revoked_id], by="jo")
    clock.advance(3600)
    _, client = await node.make("mes", CredentialKind.CLIENT)
    _, other = make_secret(CredentialKind.KEY)
    attacks = {
        "expired": expiring,
        "revoked": revoked,
        "unknown": other,
        "a client's secret": client,
        "another key's secret": key_id + other[14:],
        "the id alone": key_id,
        "cut": key[:-1],
        "longer": key + "A",
        "other case": key[:14] + key[14:].swapcase(),
        "look-alike": key.replace("s", "\u0455", 1),
        "full width": key[:-1] + "\uff21",
        "line end": key + "\n",
        "empty": "",
        "sql": "lsk_' OR '1'='1",
        "long": "lsk_" + "a" * 100_000,
    }
    said = set()
    for name, attack in attacks.items():
        with pytest.raises(Refused) as refused:
            await node.caller(attack)
        said.add((refused.value.detail, refused.value.code, refused.value.challenge))
        assert refused.value.challenge == 'Bearer realm="lineshaft", error="invalid_token"', name
    assert len(said) == 1
    with pytest.raises(Refused):
        await node.access.authenticator.caller(f"Basic {key}", "")
    with pytest.raises(Refused) as refused:
        await node.access.authenticator.caller("", "")
    assert refused.value.challenge == 'Bearer realm="lineshaft"'
    assert (await node.caller(key)).account == "mes"


async def test_a_revocation_reaches_other_processes_within_five_seconds(
    node: IdentityNode, store: Store, tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "other").mkdir()
    other = IdentityNode(store, tmp_path / "other", clock)
    key_id, key = await node.make("mes")
    assert (await other.caller(key)).account == "mes"
    await node.credentials.revoke([key_id], by="jo")
    assert (await other.caller(key)).account == "mes"  # remembered for a moment
    clock.advance(5)
    with pytest.raises(Refused):
        await other.caller(key)


async def test_nobody_is_let_in_from_memory_while_the_store_is_away(
    node: IdentityNode, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await node.make("mes")
    await node.caller(key)

    async def away() -> int:
        raise TransientFault("away")

    monkeypatch.setattr(node.access._freshness, "_changes", away)
    clock.advance(4)
    assert (await node.caller(key)).account == "mes"
    clock.advance(2)
    with pytest.raises(TransientFault, match="the store does not answer"):
        await node.caller(key)


async def test_the_access_file_decides_at_once(node: IdentityNode) -> None:
    _, key = await node.make("mes")
    assert "publish:production.*" in (await node.caller(key)).permissions
    accounts = {**ACCESS["accounts"], "mes": {"roles": ["viewer"]}}
    node.file.write_text(yaml.safe_dump({**ACCESS, "accounts": accounts}))
    node.access.replace(read_access(node.file, ["mes"]))
    assert (await node.caller(key)).permissions == {"read:*", "subscribe:*"}
    del accounts["mes"]
    node.file.write_text(yaml.safe_dump({**ACCESS, "accounts": accounts}))
    node.access.replace(read_access(node.file, ["mes"]))
    with pytest.raises(Refused):
        await node.caller(key)


async def test_the_last_use_is_noted_and_the_hash_alone_is_kept(
    node: IdentityNode, clock: ManualClock
) -> None:
    key_id, key = await node.make("mes")
    await node.caller(key)
    await node.access.authenticator.note_use()
    (kept,) = await node.credentials.listed(prefix="lsk_")
    assert (kept.credential_id, kept.last_used_at) == (key_id, clock.now())
    assert kept.hash not in key
    assert key[14:] not in repr(kept)


async def test_a_key_that_is_known_costs_microseconds(node: IdentityNode) -> None:
    _, key = await node.make("mes")
    authenticator, header = node.access.authenticator, f"Bearer {key}"
    await authenticator.caller(header, "")
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(200):
            await authenticator.caller(header, "")
        best = min(best, (time.perf_counter() - began) / 200)
    assert best < 200e-6  # what asks the database takes longer


def test_a_secret_is_long_and_says_its_kind() -> None:
    made = [make_secret(CredentialKind.KEY) for _ in range(100)]
    assert len({text for _, text in made}) == 100
    for credential_id, text in made:
        assert id_of(text, CredentialKind.KEY) == credential_id
        assert id_of(text, CredentialKind.CLIENT) == ""
        assert len(text.removeprefix(credential_id + "_")) == 43
