"""Passwords of people: argon2id, slow on purpose, in threads so that nothing else waits."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from lineshaft.core.errors import PermanentFault

__all__ = ["SHORTEST", "Passwords", "hash_password"]

SHORTEST = 12
_LONGEST = 1024
_AT_ONCE = 2
_HASHER = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)


def hash_password(password: str) -> str:
    """In PHC format. raises  PermanentFault, code password_too_short or password_too_long"""
    text = _plain(password)
    if len(text) < SHORTEST:
        raise PermanentFault(
            f"the password has {len(text)} characters", code="password_too_short", hint=f"at least {SHORTEST}"
        )
    if len(text) > _LONGEST:
        raise PermanentFault("the password is too long", code="password_too_long", hint=f"at most {_LONGEST}")
    return _HASHER.hash(text)


class Passwords:
    """64 MiB and some tenths of a second each, two at once: a flood of guesses takes no more than that."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="password")
        self._nobodys = ""

    async def fits(self, password: str, hash: str) -> bool:
        """hash: empty where there is no such account, which takes as long."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._fits, password[: _LONGEST + 1], hash)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fits(self, password: str, hash: str) -> bool:
        if not self._nobodys:
            self._nobodys = _HASHER.hash(secrets.token_urlsafe())
        try:
            return _HASHER.verify(hash or self._nobodys, _plain(password)) and bool(hash)
        except (VerificationError, InvalidHashError):
            return False


def _plain(password: str) -> str:
    """The same characters, however a keyboard composes them (NIST SP 800-63B §3.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", password.encode(errors="replace").decode())
