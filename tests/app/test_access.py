"""The access file at work in a node: followed when it changes, kept when the change is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.responses import Response

from lineshaft.app.access import NodeAccess, access_of, open_access
from lineshaft.app.plant_data import read_plant
from lineshaft.app.settings import load_settings, store_url
from lineshaft.console import PlantView
from lineshaft.core.access import Caller
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.gateway.route import Asked
from lineshaft.ledger import Audit
from lineshaft.store import Store
from tests.waiting import until

SETTINGS = """\
enterprise: northspring
plant: leipzig
time_zone: Europe/Berlin
access: access.yaml
"""
ACCESS = "accounts: {mes: {roles: [viewer], plants: [leipzig]}}\n"


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    file = tmp_path / "lineshaft.yaml"
    file.write_text(SETTINGS)
    (tmp_path / "access.yaml").write_text(ACCESS)
    return file


@pytest.fixture
async def node(settings_file: Path) -> AsyncIterator[NodeAccess]:
    settings, _ = load_settings(settings_file)
    clock, store = SystemClock(), Store.open(store_url(settings, settings_file))
    plant = PlantView(name="leipzig", title="Leipzig", time_zone="Europe/Berlin")
    opened = open_access(
        settings, settings_file, store, Audit("node", clock), clock, plant=plant, url="http://127.0.0.1:8600"
    )
    assert opened is not None
    running = asyncio.create_task(opened.run())
    yield opened
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


async def test_a_change_of_the_file_holds_at_once_and_a_wrong_one_does_not(
    node: NodeAccess, settings_file: Path
) -> None:
    file = settings_file.with_name("access.yaml")
    policies = node.access.directory

    def roles() -> list[str]:
        return policies.access.accounts["mes"].roles

    def written(text: str, wanted: str) -> bool:
        file.write_text(text)  # again, should the watch have begun after the last time
        return roles() == [wanted]

    await until(lambda: written(ACCESS.replace("viewer", "operator"), "operator"))
    file.write_text(ACCESS.replace("viewer", "nobody"))
    await until(lambda: written(ACCESS.replace("viewer", "engineer"), "engineer"))
    assert policies.policy("mes").rate_per_s == 100


async def test_the_log_in_page_is_the_consoles(node: NodeAccess) -> None:
    (show,) = [route for route in node.access.routes if route.name == "show_login"]
    asked = Asked(
        caller=Caller(name="anonymous"),
        path={},
        query={"next": '/"><script>', "said": "no_role"},
        headers={},
        body=b"",
        plant="leipzig",
        correlation_id="c",
        request_id="r",
    )
    page = await show.handler(asked)
    assert isinstance(page, Response)
    body = bytes(page.body).decode()
    assert 'value="/&#34;&gt;&lt;script&gt;"' in body
    assert "You are known, but have no role here" in body
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["referrer-policy"] == "same-origin"


def test_a_check_tells_what_is_wrong_with_access_certificates_and_address(settings_file: Path) -> None:
    settings_file.with_name("access.yaml").write_text(ACCESS.replace("viewer", "viewr"))
    settings_file.write_text(SETTINGS + "console: {tls: {certificate: a.pem, key: b.pem}}\n")
    with pytest.raises(ConfigError) as error:
        read_plant(settings_file, SystemClock())
    access, tls = error.value.findings
    assert access.endswith("access.yaml:1: there is no role 'viewr'; did you mean 'viewer'?")
    assert "lineshaft.yaml:5: console.tls: " in tls
    assert "a.pem" in tls
    settings_file.write_text(SETTINGS.replace("access: access.yaml", 'console: {host: "0.0.0.0"}'))
    with pytest.raises(ConfigError) as error:
        read_plant(settings_file, SystemClock())
    (address,) = error.value.findings
    assert "lineshaft.yaml:4: console.host: other machines reach 0.0.0.0" in address


def test_settings_without_an_access_file_have_none(tmp_path: Path) -> None:
    file = tmp_path / "lineshaft.yaml"
    file.write_text(SETTINGS.replace("access: access.yaml\n", ""))
    settings, _ = load_settings(file)
    assert access_of(settings, file) is None


def test_an_access_file_that_is_not_there_is_told(settings_file: Path) -> None:
    settings_file.with_name("access.yaml").unlink()
    settings, _ = load_settings(settings_file)
    with pytest.raises(ConfigError, match=r"access\.yaml cannot be read"):
        access_of(settings, settings_file)
