"""The access file: what it says, and that it says every error with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.core.subscriptions import Subscription
from lineshaft.gateway.identity import Directory, read_access
from lineshaft.gateway.identity.roles import BUILT_IN, doubts_about
from lineshaft.gateway.policies import UNLIMITED
from tests.gateway.events.telling import threshold_event

WRONG = """\
url: http://lineshaft.example
roles:
  terminal:
    may:
      - publish:production.*
      - publsh:production.order_completed
      - read:*.orders
      - read
accounts:
  mes:
    roles: [integrater]
    system: mess
    plants: [leipzig]
oidc:
  - name: corp
    issuer: http://login.example.com
    audience: lineshaft
    map: {engineers: enginer}
    console: {client_id: console, client_secret: hunter2hunter2}
  - name: corp
    issuer: https://other.example.com
    audience: lineshaft
"""


def read(folder: Path, text: str) -> Directory:
    file = folder / "access.yaml"
    file.write_text(text)
    return Directory(read_access(file, ["mes"]))


def test_every_error_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, WRONG)
    assert [finding.removeprefix(f"{tmp_path}/access.yaml:") for finding in error.value.findings] == [
        "6: 'publsh:production.order_completed': there is no verb 'publsh'; did you mean 'publish'?",
        "7: 'read:*.orders': * stands at the end only, such as call:erp.*",
        "8: 'read' is no permission; write verb:object, such as call:maintenance.create_request",
        "11: there is no role 'integrater'; did you mean 'integrator'?",
        "12: there is no system 'mess'; did you mean 'mes'?",
        "1: 'http://lineshaft.example' is no https:// address; http:// is for this machine alone",
        "16: 'http://login.example.com' is no https:// address; http:// is for this machine alone",
        "18: there is no role 'enginer'; did you mean 'engineer'?",
        "19: is written here; refer to it: ${env:NAME}",
        "20: 'corp' is declared twice",
    ]
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accounts: {mes: {role: [viewer]}}", "role: is unknown; did you mean"),
        ("accounts: {Mes: {}}", "Mes"),
        ("accounts: {\u043ces: {}}", "\u043ces"),
        ("accounts: {mes: {limits: {rate: 1}}}", "rate: is unknown"),
        ("sessions: {idle_s: 0}", "idle_s"),
        ("accounts: {mes: {password: x}}", "password: is unknown"),
    ],
)
def test_what_is_no_name_or_no_setting_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_a_built_in_role_can_be_given_another_meaning(tmp_path: Path) -> None:
    directory = read(tmp_path, "accounts: {mes: {roles: [viewer, operator]}}")
    caller = directory.caller("key", "mes", "")
    assert caller is not None
    assert caller.permissions == {*BUILT_IN["viewer"], *BUILT_IN["operator"]}
    directory = read(tmp_path, 'roles: {viewer: {may: ["read:orders"]}}\naccounts: {mes: {roles: [viewer]}}')
    caller = directory.caller("key", "mes", "")
    assert caller is not None
    assert caller.permissions == {"read:orders"}


def test_limits_are_those_of_the_account(tmp_path: Path) -> None:
    directory = read(
        tmp_path,
        """\
accounts: {mes: {limits: {rate_per_s: 7}}}
oidc:
  - {name: corp, issuer: "https://login.example.com", audience: a, limits: {quota_per_day: 9}}
""",
    )
    assert directory.policy("mes").rate_per_s == 7
    assert directory.policy("oidc:corp#jo").quota_per_day == 9
    assert directory.policy("") is UNLIMITED
    assert directory.policy("gone") is directory.policy("oidc:gone#x")


def test_an_issuer_grants_only_what_the_file_maps(tmp_path: Path) -> None:
    directory = read(
        tmp_path,
        """\
oidc:
  - name: corp
    issuer: https://login.example.com
    audience: a
    map: {plant-engineer: engineer}
    plants_claim: plants
""",
    )
    issuer = directory.issuer("corp")
    assert issuer is not None
    said = ["plant-engineer", "administrator"]
    caller = directory.known_elsewhere(issuer, "oidc:corp#1", said, ["leipzig", "*"])
    assert caller.roles == {"engineer"}
    assert caller.permissions == {*BUILT_IN["engineer"]}
    assert caller.plants == {"leipzig"}
    assert caller.system == ""


def test_the_built_in_roles_are_sound() -> None:
    assert [doubts_about(pattern) for may in BUILT_IN.values() for pattern in may] == [""] * sum(
        map(len, BUILT_IN.values())
    )


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ("portal", ""),
        ("oidc:corp#jo", ""),
        ("mes", "mes may not subscribe:equipment.condition.threshold_exceeded"),
        ("far", "far does not see plant leipzig"),
        ("gone", "the access file has no account gone"),
        ("local", "the access file has no account local"),
        ("oidc:other#jo", "no issuer other is known any more"),
    ],
)
def test_a_subscriber_is_told_what_its_account_may_know_today(tmp_path: Path, account: str, why: str) -> None:
    directory = read(
        tmp_path,
        """
accounts:
  portal: {roles: [integrator], plants: [leipzig]}
  mes: {plants: [leipzig]}
  far: {roles: [integrator], plants: [lyon]}
oidc: [{name: corp, issuer: "https://login.example.com", audience: lineshaft}]
""",
    )
    to = Subscription(
        subscription_id="s", name="s", account=account, url="https://hooks.example.com", types=["*"]
    )
    assert directory.may_not_be_told(to, threshold_event(1)) == why
