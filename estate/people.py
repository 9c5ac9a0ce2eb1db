"""Who works at the plant: an access file of theirs, and what they prove themselves with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from estate.plant import PLANT
from lineshaft.app.settings import data_dir, load_settings, store_url
from lineshaft.core.clock import SystemClock
from lineshaft.core.credentials import Credential, CredentialKind
from lineshaft.gateway.identity import hash_password, make_secret, stored
from lineshaft.ledger import Audit
from lineshaft.ledger.accounts import StoredCredentials
from lineshaft.store import Store

__all__ = ["ACCESS", "PASSWORD", "give_credentials"]

PASSWORD = "correct horse battery staple"  # noqa: S105 - of people of a simulated plant
_FREE = {"rate_per_s": 0}

ACCESS: Mapping[str, Any] = {
    "accounts": {
        "vera": {"kind": "person", "title": "Vera Viewer", "roles": ["viewer"], "plants": [PLANT]},
        "ole": {
            "kind": "person",
            "title": "Ole Brandt",
            "roles": ["operator"],
            "groups": ["quality-lead"],
            "plants": [PLANT],
        },
        "ada": {"kind": "person", "title": "Ada Admin", "roles": ["administrator"], "plants": "*"},
        "nora": {"kind": "person", "title": "Nora Elsewhere", "roles": ["operator"], "plants": ["jena"]},
        "lab": {"roles": ["engineer"], "plants": [PLANT], "system": "qms", "limits": _FREE},
    },
}
"""One who looks, one who decides, one who may do everything, one of another plant, and the laboratory."""


async def give_credentials(settings_path: Path, accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """A key for each account, by its name; people have PASSWORD, too. Before the node starts."""
    settings, _ = load_settings(settings_path)
    clock = SystemClock()
    data_dir(settings, settings_path).mkdir(parents=True, exist_ok=True)
    store = Store.open(store_url(settings, settings_path))
    credentials = StoredCredentials(store, Audit("estate", clock), clock)
    keys, made = {}, []
    password = await asyncio.to_thread(hash_password, PASSWORD)
    for account, entry in accounts.items():
        credential_id, keys[account] = make_secret(CredentialKind.KEY)
        kinds = [(CredentialKind.KEY, credential_id, stored(keys[account]))]
        if entry.get("kind") == "person":
            kinds.append((CredentialKind.PASSWORD, f"password:{account}", password))
        made += [
            Credential(
                credential_id=each, kind=kind, account=account, hash=hashed,
                created_at=clock.now(), created_by="estate",
            )
            for kind, each, hashed in kinds
        ]  # fmt: skip
    await asyncio.gather(*(credentials.add(each, by="estate") for each in made))
    await store.close()
    return keys
