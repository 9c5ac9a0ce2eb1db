"""Sessions of the console: the browser has a random text in a cookie, the store its hash and all the rest."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

import msgspec

from lineshaft.core.access import Caller
from lineshaft.core.clock import Clock
from lineshaft.core.credentials import Session, Sessions
from lineshaft.core.errors import TransientFault
from lineshaft.gateway.identity.csrf import csrf_token
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.freshness import Freshness

__all__ = ["ConsoleSessions", "cookie_value"]

_MOST = 10_000


class _Open(msgspec.Struct, frozen=True):
    session: Session
    caller: Caller


class ConsoleSessions:
    """Implements authenticator.Sessions. secure: the node speaks TLS, and so the cookie is for it alone."""

    def __init__(
        self, store: Sessions, directory: Directory, freshness: Freshness, clock: Clock, *, secure: bool
    ) -> None:
        self._store = store
        self._directory = directory
        self._freshness = freshness
        self._clock = clock
        self._secure = secure
        self.cookie_name = "__Host-lineshaft" if secure else "lineshaft"
        self._open: dict[str, _Open] = {}
        self._seen: dict[str, datetime] = {}

    def forget(self) -> None:
        self._open.clear()

    async def begin(
        self,
        name: str,
        *,
        account: str = "",
        issuer: str = "",
        roles: tuple[str, ...] = (),
        plants: tuple[str, ...] = (),
        address: str = "",
    ) -> str:
        """The Set-Cookie value. raises  TransientFault"""
        value = secrets.token_urlsafe(32)
        now = self._clock.now()
        longest = timedelta(seconds=self._directory.access.sessions.longest_s)
        await self._store.begin(
            Session(
                session_id=_id(value),
                name=name,
                account=account,
                issuer=issuer,
                roles=roles,
                plants=plants,
                address=address,
                created_at=now,
                seen_at=now,
                ends_at=now + longest,
            )
        )
        return self.set_cookie(self.cookie_name, value)

    def set_cookie(self, name: str, value: str, *, lives_s: int | None = None) -> str:
        """lives_s: 0 takes it away; None: as long as the browser runs, and the session holds."""
        age = "" if lives_s is None else f"; Max-Age={lives_s}"
        return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if self._secure else ''}{age}"

    async def caller(self, cookie: str, *, in_use: bool = True) -> Caller | None:
        """cookie: the header; in_use: somebody asks, which keeps the session from being idle

        raises  TransientFault
        """
        value = cookie_value(cookie, self.cookie_name)
        if not value:
            return None
        session_id, now = _id(value), self._clock.now()
        opened = self._open.get(session_id)
        if opened is None or not self._holds(opened.session, now):
            opened = await self._read(session_id, value, now)
            if opened is None:
                return None
        if in_use:
            self._seen[session_id] = now
        return opened.caller

    async def end(self, caller: Caller, *, by: str, reason: str = "") -> bool:
        """At once in this process. raises  TransientFault"""
        ended = await self._store.end(caller.credential, by=by, reason=reason)
        await self._freshness.look_now()
        return ended

    async def note_use(self) -> None:
        """So that other processes know; about once a minute."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            await self._store.seen(seen)
        except TransientFault:
            self._seen = seen | self._seen
            raise

    async def _read(self, session_id: str, value: str, now: datetime) -> _Open | None:
        generation = self._freshness.generation
        session = await self._store.session(session_id)
        if session is None or not self._holds(session, now):
            self._open.pop(session_id, None)
            return None
        caller = self._caller(session, value)
        if caller is None:
            return None
        opened = _Open(session, caller)
        if generation == self._freshness.generation:
            if len(self._open) >= _MOST:
                del self._open[next(iter(self._open))]
            self._open[session_id] = opened
        return opened

    def _caller(self, session: Session, value: str) -> Caller | None:
        csrf = csrf_token(value)
        if session.account:
            return self._directory.caller("user", session.account, session.session_id, csrf)
        issuer = self._directory.issuer(session.issuer)
        if issuer is None:
            return None
        return self._directory.known_elsewhere(
            issuer, session.name, session.roles, session.plants, credential=session.session_id, csrf=csrf
        )

    def _holds(self, session: Session, now: datetime) -> bool:
        """Not ended, not too long, not idle, and of somebody whom the access file still knows."""
        seen_at = max(session.seen_at, self._seen.get(session.session_id, session.seen_at))
        if session.ended_at or now >= session.ends_at or now - seen_at >= self._idle:
            return False
        if session.account:
            return self._directory.account(session.account, "person") is not None
        return self._directory.issuer(session.issuer) is not None

    @property
    def _idle(self) -> timedelta:
        return timedelta(seconds=self._directory.access.sessions.idle_s)


def cookie_value(header: str, name: str) -> str:
    """Of one cookie in a Cookie header; empty: it has none that can be read."""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _id(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
