"""`lineshaft access`: keys, secrets, passwords and sessions, without a node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lineshaft.app.cli import app
from lineshaft.core.clock import SystemClock
from lineshaft.core.credentials import CredentialKind, Session
from lineshaft.core.errors import ConfigError, PermanentFault
from lineshaft.gateway.route import PUBLIC
from lineshaft.ledger import Audit
from lineshaft.ledger.accounts import StoredSessions
from lineshaft.store import Store

SETTINGS = """\
enterprise: northspring
plant: leipzig
time_zone: Europe/Berlin
access: access.yaml
"""
ACCESS = """\
roles: {terminal: {may: ["publish:production.*"]}}
accounts:
  mes: {title: MES, roles: [viewer, terminal], plants: [leipzig]}
  jo: {kind: person, roles: [administrator], plants: "*"}
  far: {roles: [viewer], plants: [porto, jena]}
"""
Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """What a command prints as JSON; with `code`, its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    (tmp_path / "lineshaft.yaml").write_text(SETTINGS)
    (tmp_path / "access.yaml").write_text(ACCESS)
    cli = CliRunner()

    def invoke(*words: str, code: int = 0, typed: str = "", env: dict[str, str] | None = None) -> Any:
        result = cli.invoke(app, ["access", *words, "--json"], input=typed, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return invoke


def test_a_key_is_made_used_listed_and_revoked(run: Run) -> None:
    made = run("keys", "create", "mes", "--title", "line 1", "--days", "30", "--by", "jo")
    assert made["secret"].startswith(made["id"] + "_")
    assert run("whoami", env={"LINESHAFT_KEY": made["secret"]}) == {
        "account": "mes",
        "key": made["id"],
        "roles": ["terminal", "viewer"],
        "permissions": ["publish:production.*", "read:*", "subscribe:*"],
        "plants": ["leipzig"],
        "system": "",
    }
    (row,) = run("keys", "list", "--prefix", made["id"][:8])
    assert (row["id"], row["account"], row["title"], row["created_by"]) == (made["id"], "mes", "line 1", "jo")
    assert "secret" not in row
    assert run("keys", "revoke", made["secret"], "lsk_unknown", "--reason", "lost", code=1) == {
        "revoked": [made["id"]],
        "unknown": ["lsk_unknown"],
    }
    with pytest.raises(ConfigError, match="not valid here"):
        run("whoami", "--key", made["secret"])


def test_the_key_alone_is_on_standard_output(run: Run) -> None:
    result = CliRunner().invoke(app, ["access", "keys", "create", "mes"])
    assert result.stdout.startswith("lsk_")
    assert len(result.stdout.splitlines()) == 1
    assert "shown this once" in result.stderr


def test_rotating_a_client_keeps_the_one_before(run: Run) -> None:
    first = run("clients", "create", "mes")
    second = run("clients", "rotate", "mes", "--reason", "yearly")
    third = run("clients", "rotate", "mes", "--reason", "yearly")
    held = {row["id"]: row["revoked_at"] is None for row in run("keys", "list", "--account", "mes")}
    assert held == {first["id"]: False, second["id"]: True, third["id"]: True}


def test_what_an_account_may_is_explained(run: Run) -> None:
    words = ("check", "--permission", "publish:production.order_completed", "--as", "mes")
    assert run(*words) == {
        "allowed": True,
        "account": "mes",
        "permission": "publish:production.order_completed",
        "granted_by": ["terminal: publish:production.*"],
        "plant": "leipzig",
        "sees_plant": True,
    }
    assert run(*words, "--plant", "jena", code=1)["sees_plant"] is False
    assert run("check", "--permission", "call:erp.post", "--as", "mes", code=1)["granted_by"] == []
    told = CliRunner().invoke(app, ["access", "check", "--permission", "call:erp.post", "--as", "mes"]).stdout
    assert told == (
        "call:erp.post: none of viewer, terminal allows it\nplant leipzig: mes acts for leipzig\nrefused\n"
    )


def test_what_a_route_needs_is_known_without_a_node(run: Run) -> None:
    def check(route: str, account: str, code: int) -> Any:
        return run("check", "--route", route, "--as", account, code=code)

    assert check("POST /api/events", "mes", 0)["permission"] == "publish:<some>"
    assert check("post /api/exceptions/x/fix?plant=x", "jo", 0)["granted_by"] == ["administrator: *:*"]
    assert check("POST /api/exceptions/x/fix", "mes", 1)["permission"] == "decide:exceptions"
    assert check("GET /health", "mes", 0)["permission"] == PUBLIC
    assert check("GET /api/processes", "far", 0)["plant"] == "jena", "the first of its own"
    assert check("GET /api/systems", "far", 1)["plant"] == "leipzig"
    with pytest.raises(ConfigError, match="does not serve 'GET /api/nothing'"):
        check("GET /api/nothing", "mes", 1)
    with pytest.raises(ConfigError, match="check one thing"):
        run("check", "--as", "mes")


def test_a_password_is_set_from_standard_input_and_is_a_persons(run: Run) -> None:
    assert run("password", "set", "jo", typed="correct horse battery\n")["id"] == "password:jo"
    with pytest.raises(PermanentFault, match="the password has 5 characters"):
        run("password", "set", "jo", typed="short\n")
    with pytest.raises(ConfigError, match="account 'mes' is a service, no person"):
        run("password", "set", "mes", typed="correct horse battery\n")
    with pytest.raises(ConfigError, match="account 'jo' is a person, no service"):
        run("clients", "create", "jo")
    (row,) = run("keys", "list", "--account", "jo")
    assert (row["kind"], "correct" in json.dumps(row)) == (CredentialKind.PASSWORD, False)


def test_a_session_is_listed_and_ended(run: Run, tmp_path: Path) -> None:
    run("accounts")
    clock = SystemClock()
    now = clock.now()

    async def begin() -> None:
        store = Store.open(f"sqlite:///{tmp_path / 'data' / 'lineshaft.db'}")
        session = Session(
            session_id="ab" * 32,
            name="user:jo",
            account="jo",
            created_at=now,
            seen_at=now,
            ends_at=now.replace(year=now.year + 1, day=1),
        )
        await StoredSessions(store, Audit("node", clock), clock).begin(session)
        await store.close()

    asyncio.run(begin())
    assert [row["name"] for row in run("sessions", "list")] == ["user:jo"]
    assert run("sessions", "end", "abab", "--reason", "left")["ended"] == "ab" * 32
    assert run("sessions", "list") == []
    with pytest.raises(ConfigError, match="no open session begins with 'abab'"):
        run("sessions", "end", "abab", "--reason", "left")


def test_accounts_are_those_of_the_file(run: Run) -> None:
    assert [(row["account"], row["plants"]) for row in run("accounts")] == [
        ("mes", ["leipzig"]),
        ("jo", ["*"]),
        ("far", ["porto", "jena"]),
    ]
    with pytest.raises(ConfigError, match="has no account 'mess'"):
        run("keys", "create", "mess")
    table = CliRunner().invoke(app, ["access", "accounts"]).stdout
    assert "viewer, terminal" in table


def test_the_signing_key_is_rotated(run: Run) -> None:
    assert run("rotate-signing-key")["kid"] != run("rotate-signing-key")["kid"]


def test_settings_without_an_access_file_say_what_to_do(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lineshaft.yaml").write_text(SETTINGS.replace("access: access.yaml\n", ""))
    with pytest.raises(ConfigError, match="names no access file"):
        run("accounts")
