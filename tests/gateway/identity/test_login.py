"""Log-in with a password, sessions, and what other sites cannot make a browser do."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lineshaft.core.access import Refused
from lineshaft.gateway.identity import check_csrf, read_access
from lineshaft.gateway.identity.login import safe_next
from lineshaft.gateway.problems import Refusal
from lineshaft.ledger import audit_rows
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.gateway.identity.node import ACCESS, IdentityNode

PASSWORD = "correct horse battery"
OURS = {"sec_fetch_site": "same-origin"}


async def log_in(node: IdentityNode, **form: str) -> tuple[int, str]:
    """(status, the cookie as the browser sends it back)"""
    answer = await node.ask(
        "POST", "/login", {"account": "jo", "password": PASSWORD, "next": "/trace?key=1", **form}, **OURS
    )
    return answer.status_code, answer.headers.get("set-cookie", "").partition(";")[0]


async def audited(store: Store, action: str) -> list[tuple[str, str]]:
    rows = await store.read(lambda connection: audit_rows(connection, action=action, limit=100))
    return [(row["actor"], row["reason"]) for row in rows]


@pytest.fixture
async def jo(node: IdentityNode) -> IdentityNode:
    await node.set_password("jo", PASSWORD)
    return node


async def test_a_person_logs_in_and_out(jo: IdentityNode, store: Store) -> None:
    answer = await jo.ask(
        "POST", "/login", {"account": "Jo ", "password": PASSWORD, "next": "/trace?key=1"}, **OURS
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/trace?key=1")
    set_cookie = answer.headers["set-cookie"]
    assert set_cookie.startswith("__Host-lineshaft=")
    assert set_cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    cookie = f"other=1; {set_cookie.partition(';')[0]}"
    caller = await jo.by_cookie(cookie)
    assert (caller.name, caller.account, caller.roles) == ("user:jo", "jo", {"engineer"})
    assert caller.csrf not in cookie

    page = await jo.ask("GET", "/logout", cookie=cookie)
    assert bytes(page.body).decode() == f"user:jo {caller.csrf}"
    for headers in ({}, {"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}):
        answer = await jo.ask("POST", "/logout", {}, cookie=cookie, **headers)
        assert answer.status_code == 403
    answer = await jo.ask(
        "POST",
        "/logout",
        {"csrf_token": caller.csrf},
        cookie=cookie,
        content_type="application/x-www-form-urlencoded",
        **OURS,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    with pytest.raises(Refused):
        await jo.by_cookie(cookie)
    assert await audited(store, "session.*") == [("user:jo", "log-out"), ("user:jo", "")]


async def test_wrong_names_and_passwords_are_answered_alike(jo: IdentityNode, store: Store) -> None:
    said = set()
    for form in ({"password": "wrong"}, {"account": "nobody"}, {"account": "mes"}, {"account": "jo\u0301"}):
        answer = await jo.ask("POST", "/login", {"account": "jo", "password": PASSWORD, **form}, **OURS)
        said.add((answer.status_code, bytes(answer.body), tuple(answer.headers.keys())))
        assert "set-cookie" not in answer.headers
    assert len(said) == 1
    refused = [actor for actor, _ in await audited(store, "login.refused")]
    assert sorted(refused) == ["unknown", "unknown", "unknown", "user:jo"]


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(
    jo: IdentityNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineshaft.gateway.identity import passwords

    verified = []
    real = passwords.Passwords._fits

    def counted(self: passwords.Passwords, password: str, hash: str) -> bool:
        fits = real(self, password, hash)
        verified.append((bool(hash), self._nobodys.split("$")[:4]))
        return fits

    monkeypatch.setattr(passwords.Passwords, "_fits", counted)
    await log_in(jo, password="wrong")
    await log_in(jo, account="nobody")
    (found,) = await jo.credentials.listed(account="jo")
    assert verified == [(True, found.hash.split("$")[:4]), (False, found.hash.split("$")[:4])]


async def test_guesses_are_limited_for_the_account_and_the_address(
    jo: IdentityNode, clock: ManualClock
) -> None:
    async def guess(account: str, address: str) -> int:
        form = {"account": account, "password": "x"}
        return (await jo.ask("POST", "/login", form, address=address, **OURS)).status_code

    assert [await guess("jo", f"192.0.2.{number}") for number in range(11)] == [401] * 10 + [429]
    assert (await log_in(jo))[0] == 429
    clock.advance(60)
    assert (await log_in(jo))[0] == 303
    assert [await guess("nobody", f"203.0.113.{number}") for number in range(11)] == [401] * 10 + [429]
    by_address = [await guess(f"somebody{number}", "198.51.100.1") for number in range(21)]
    assert by_address == [401] * 20 + [429]


async def test_a_form_of_another_site_logs_nobody_in(jo: IdentityNode) -> None:
    form = {"account": "jo", "password": PASSWORD}
    for headers in ({"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
        answer = await jo.ask("POST", "/login", form, host="lineshaft.example", **headers)
        assert answer.status_code == 403
    answer = await jo.ask(
        "POST", "/login", form, host="lineshaft.example", origin="https://lineshaft.example"
    )
    assert answer.status_code == 303


async def test_a_session_ends_when_idle_and_after_its_longest_time(
    jo: IdentityNode, clock: ManualClock
) -> None:
    _, cookie = await log_in(jo)
    for _ in range(5):
        clock.advance(599)
        await jo.by_cookie(cookie)
    clock.advance(599)
    await jo.by_cookie(cookie)
    clock.advance(6)
    with pytest.raises(Refused):  # 3,600 s after the log-in
        await jo.by_cookie(cookie)
    _, cookie = await log_in(jo)
    clock.advance(600)
    with pytest.raises(Refused):
        await jo.by_cookie(cookie)


async def test_sessions_are_of_all_processes(
    jo: IdentityNode, store: Store, tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "other").mkdir()
    other = IdentityNode(store, tmp_path / "other", clock)
    _, cookie = await log_in(jo)
    caller = await other.by_cookie(cookie)
    clock.advance(400)
    await jo.by_cookie(cookie)
    await jo.access._sessions.note_use()
    clock.advance(400)
    assert await other.by_cookie(cookie) == caller
    (session,) = await other.sessions.open()
    assert session.session_id not in cookie
    await other.sessions.end(session.session_id, by="admin", reason="left")
    clock.advance(5)
    with pytest.raises(Refused):
        await jo.by_cookie(cookie)


async def test_who_logs_in_again_leaves_no_session_behind(jo: IdentityNode) -> None:
    _, first = await log_in(jo)
    form = {"account": "jo", "password": PASSWORD}
    answer = await jo.ask("POST", "/login", form, cookie=first, **OURS)
    second = answer.headers["set-cookie"].partition(";")[0]
    assert second != first
    with pytest.raises(Refused):
        await jo.by_cookie(first)
    assert (await jo.by_cookie(second)).account == "jo"


async def test_a_person_who_left_the_access_file_is_logged_out(jo: IdentityNode) -> None:
    _, cookie = await log_in(jo)
    await jo.by_cookie(cookie)
    jo.file.write_text(yaml.safe_dump({**ACCESS, "accounts": {}}))
    jo.access.replace(read_access(jo.file, []))
    with pytest.raises(Refused):
        await jo.by_cookie(cookie)
    assert (await log_in(jo))[0] == 401


@pytest.mark.parametrize("cookie", ["", "__Host-lineshaft=", "__Host-lineshaft=x", "lineshaft=x", "=;,\x01"])
async def test_what_is_no_session_is_refused(cookie: str, node: IdentityNode) -> None:
    with pytest.raises(Refused):
        await node.by_cookie(cookie)


async def test_an_open_stream_proves_itself_without_keeping_its_session(
    jo: IdentityNode, clock: ManualClock
) -> None:
    _, cookie = await log_in(jo)
    key_id, key = await jo.make("mes")
    by_cookie, by_key, by_header = {"cookie": cookie}, {"authorization": f"Bearer {key}"}, {"x-api-key": key}
    clock.advance(599)
    for headers in (by_cookie, by_key, by_header):
        assert (await jo.access.proof(headers)).credential
    for lost in ({"permission": "administer:access"}, {"plant": "lyon"}):
        with pytest.raises(Refused, match="permissions have changed"):
            await jo.access.proof(by_key, **lost)
    await jo.credentials.revoke([key_id], by="admin")
    clock.advance(5)
    for headers in (by_cookie, by_key, by_header, {}):
        with pytest.raises(Refused):
            await jo.access.proof(headers)


def test_a_changing_request_by_cookie_carries_the_sessions_token() -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    check_csrf({"x-csrf-token": "t"}, b"", "t")
    check_csrf(form, b"a=1&csrf_token=t", "t")
    for headers, body in (
        ({}, b""),
        ({"x-csrf-token": "u"}, b""),
        (form, b"csrf_token=u"),
        ({"content-type": "text/plain"}, b"csrf_token=t"),
        ({"x-csrf-token": "\xe9"}, b""),
    ):
        with pytest.raises(Refusal, match="without the token of its session"):
            check_csrf(headers, body, "t")


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "",
     "/a\r\nb", "\\\\evil", "/" + "a" * 3000, "http:/x", "///evil"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_the_log_in(path: str) -> None:
    assert safe_next(path) == "/"


def test_a_path_of_ours_is_kept() -> None:
    assert safe_next("/trace?key=PO-1#x") == "/trace?key=PO-1#x"
