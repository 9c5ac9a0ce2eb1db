"""Log-in to the console with a password, and log-out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, quote, urlsplit

from starlette.responses import RedirectResponse, Response

from lineshaft.core.clock import Clock
from lineshaft.core.credentials import CredentialKind, Credentials
from lineshaft.core.credentials import Sessions as StoredSessions
from lineshaft.gateway.identity.attempts import Attempts
from lineshaft.gateway.identity.csrf import check_csrf
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.passwords import Passwords
from lineshaft.gateway.identity.sessions import ConsoleSessions
from lineshaft.gateway.route import PUBLIC, ApiRoute, Asked, Parameter
from lineshaft.gateway.same_origin import check_origin

__all__ = ["LoginPages", "PasswordLogin", "safe_next", "to_login"]

_WRONG = "Name or password is wrong."
_LONGEST_NEXT = 2_000
_LONGEST_NAME = 100
_SAID = {
    "not_proved": "The log-in did not succeed; try again.",
    "no_role": "You are known, but have no role here; ask for one.",
}


class LoginPages(Protocol):
    """What browsers are shown; with the headers of a page."""

    def login(self, *, next: str, fault: str, issuers: Sequence[tuple[str, str]], status: int) -> Response:
        """issuers: (name, title) of those at which one may log in, too"""
        ...

    def logout(self, *, name: str, csrf_token: str) -> Response: ...


class PasswordLogin:
    """For accounts of the access file that are persons and have a password. scheme: in which browsers come"""

    def __init__(
        self,
        directory: Directory,
        credentials: Credentials,
        sessions: ConsoleSessions,
        audit: StoredSessions,
        pages: LoginPages,
        passwords: Passwords,
        clock: Clock,
        *,
        scheme: str,
    ) -> None:
        self._scheme = scheme
        self._directory = directory
        self._credentials = credentials
        self._sessions = sessions
        self._audit = audit
        self._pages = pages
        self._passwords = passwords
        self._by_account = Attempts(clock, most=10, each_s=60)
        self._by_address = Attempts(clock, most=20, each_s=10)

    def routes(self) -> list[ApiRoute]:
        html = {"type": "string"}
        then = Parameter(name="next", where="query", summary="Path to go on to.")
        form = ("application/x-www-form-urlencoded",)
        return [
            ApiRoute(
                method="GET",
                path="/login",
                name="show_login",
                summary="The page to log in to the console",
                permission=PUBLIC,
                handler=self.show,
                tag="console",
                parameters=[then, Parameter(name="said", where="query", summary="Why one is here again.")],
                answers={200: html},
                answer_media="text/html",
            ),
            ApiRoute(
                method="POST",
                path="/login",
                name="log_in",
                summary="Log in to the console; the form has `account`, `password` and `next`",
                permission=PUBLIC,
                handler=self.log_in,
                tag="console",
                media=form,
                answers={303: None, 401: html, 429: html},
                problems=[403],
                answer_media="text/html",
            ),
            ApiRoute(
                method="GET",
                path="/logout",
                name="show_logout",
                summary="The page to log out of the console",
                permission=PUBLIC,
                handler=self.show_logout,
                tag="console",
                answers={200: html, 303: None},
                answer_media="text/html",
            ),
            ApiRoute(
                method="POST",
                path="/logout",
                name="log_out",
                summary="End this session of the console; the form has `csrf_token`",
                permission=PUBLIC,
                handler=self.log_out,
                tag="console",
                media=form,
                answers={303: None},
                problems=[403],
                answer_media="text/html",
            ),
        ]

    async def show(self, asked: Asked) -> Response:
        fault = _SAID.get(asked.query.get("said", ""), "")
        return self._page(safe_next(asked.query.get("next", "")), fault, HTTPStatus.OK)

    async def log_in(self, asked: Asked) -> Response:
        check_origin(asked.headers, self._scheme)
        form = _form(asked.body)
        account, password, then = form.get("account", ""), form.get("password", ""), form.get("next", "")
        then, name = safe_next(then), account.strip().lower()
        known = self._directory.account(name, "person") is not None
        limited = name[:_LONGEST_NAME], asked.address
        wait_s = self._by_address.take(limited[1]) or self._by_account.take(limited[0])
        if wait_s:
            page = self._page(then, "Too many attempts; try again later.", HTTPStatus.TOO_MANY_REQUESTS)
            page.headers["Retry-After"] = str(math.ceil(wait_s))
            return page
        found = await self._credentials.of(name, CredentialKind.PASSWORD) if known else []
        if not await self._passwords.fits(password, found[0].hash if found else ""):
            actor = f"user:{name}" if known else "unknown"  # what is no name may be somebody's password
            await self._audit.note("login.refused", actor, {"address": asked.address})
            return self._page(then, _WRONG, HTTPStatus.UNAUTHORIZED)
        self._by_account.give_back(limited[0])
        self._by_address.give_back(limited[1])
        await self._end_present(asked)
        cookie = await self._sessions.begin(f"user:{name}", account=name, address=asked.address)
        return _going_on(then, cookie)

    async def show_logout(self, asked: Asked) -> Response:
        caller = await self._sessions.caller(asked.headers.get("cookie", ""))
        if caller is None:
            return to_login("/")
        return self._pages.logout(name=caller.name, csrf_token=caller.csrf)

    async def log_out(self, asked: Asked) -> Response:
        caller = await self._sessions.caller(asked.headers.get("cookie", ""))
        if caller is not None:
            check_origin(asked.headers, self._scheme)
            check_csrf(asked.headers, asked.body, caller.csrf)
            await self._sessions.end(caller, by=caller.name, reason="log-out")
        cookie = self._sessions.set_cookie(self._sessions.cookie_name, "", lives_s=0)
        return _going_on("/login", cookie)

    async def _end_present(self, asked: Asked) -> None:
        """Who logs in again leaves no session behind."""
        present = await self._sessions.caller(asked.headers.get("cookie", ""))
        if present is not None:
            await self._sessions.end(present, by=present.name, reason="log-in again")

    def _page(self, then: str, fault: str, status: HTTPStatus) -> Response:
        issuers = [
            (each.name, each.title or each.name) for each in self._directory.access.oidc if each.console
        ]
        return self._pages.login(next=then, fault=fault, issuers=issuers, status=status)


def to_login(path: str) -> Response:
    """Where a browser without a session goes that asks for a page. path: with its query, to come back to"""
    return RedirectResponse(f"/login?next={quote(safe_next(path), safe='')}", HTTPStatus.SEE_OTHER)


def safe_next(path: str) -> str:
    """The path when it is one of ours, else `/`: nobody is sent to another site by a link to our log-in."""
    parts = urlsplit(path) if path.isprintable() and "\\" not in path and len(path) <= _LONGEST_NEXT else None
    ours = parts and not parts.scheme and not parts.netloc and path.startswith("/") and path[1:2] != "/"
    return path if ours else "/"


def _going_on(path: str, cookie: str) -> Response:
    answer = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    answer.headers["Set-Cookie"] = cookie
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode(), max_num_fields=20, keep_blank_values=True)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}
