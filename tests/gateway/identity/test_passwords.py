"""Passwords: how they are kept, and which are taken."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, profiles

from lineshaft.core.errors import PermanentFault
from lineshaft.gateway.identity import passwords
from lineshaft.gateway.identity.passwords import Passwords, hash_password


async def test_a_password_is_kept_by_a_slow_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY))
    kept = hash_password("correct horse battery")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await Passwords().fits("correct horse battery", kept)


async def test_the_same_characters_fit_however_they_are_composed() -> None:
    kept, own = hash_password("M\u00fcllers Passwort"), Passwords()
    assert await own.fits("Mu\u0308llers Passwort", kept)
    for other in ("Mullers Passwort", "m\u00fcllers Passwort", "", "\ud800", "x" * 5000):
        assert not await own.fits(other, kept)
    for kept in ("", "no hash", "$argon2id$"):
        assert not await own.fits("M\u00fcllers Passwort", kept)
    own.close()


@pytest.mark.parametrize(
    ("text", "code"), [("eleven char", "password_too_short"), ("x" * 1025, "password_too_long")]
)
def test_what_is_too_short_or_too_long_is_refused(text: str, code: str) -> None:
    with pytest.raises(PermanentFault) as fault:
        hash_password(text)
    assert fault.value.code == code
