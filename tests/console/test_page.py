"""What holds for every page: foreign text stays text, nothing comes from elsewhere, times are the plant's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from lineshaft.app.console_part import console_part
from lineshaft.console import Changes, LiveValue, PlantView, SystemView
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import HealthState
from lineshaft.core.values import ExceptionKind, ExceptionRecord
from lineshaft.store import Store
from tests.console.conftest import Console, serving
from tests.console.factory import EPISODE, Factory, MovedClock

ATTACK = "<script>alert(1)</script>"


def text_of(html: str) -> str:
    """What a person reads: without tags, white space as one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.replace("<wbr>", ""))).strip()


async def test_times_are_the_plants_with_utc_in_the_title(store: Store) -> None:
    clock = MovedClock(EPISODE + timedelta(hours=4))
    async with serving(store, clock=clock) as console:
        page = await console.get("/")
    assert 'title="2026-03-09 13:02:14.450 UTC">14:02:14</time>' in page


async def test_headers_and_markup_keep_foreign_code_out(console: Console) -> None:
    for path in ("/", "/late?call=erp.reverse", "/trace?key=MO-10231", "/catalogue"):
        async with console.http.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            page = await answer.text()
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"\s(style|on\w+)=", page)
        assert not re.search(r"<script(?! src=)|<style", page)
        for address in re.findall(r'(?:src|href|action)="([^"]*)"', page):
            assert not re.match(r"/|\w+:", address), f"{address} is not relative"


async def test_what_devices_and_systems_say_is_text(store: Store) -> None:
    factory = Factory(store, datetime.now(UTC) - timedelta(hours=3))
    await factory.breach(9000, asset=ATTACK, rule=ATTACK)
    await factory.desk.report(
        [
            ExceptionRecord(
                kind=ExceptionKind.MALFORMED_READING,
                plant="hamburg",
                source=f"plant/{ATTACK}",
                owner=ATTACK,
                cause=f"not JSON: {ATTACK}",
                payload=ATTACK.encode(),
            )
        ]
    )
    event = await factory.breach(9100)
    await factory.process(event, ATTACK, state=ATTACK, at_s=0.1, cause=ATTACK)
    told = {"x": SystemView(name=ATTACK, title=ATTACK, kind=ATTACK, state=HealthState.ACTIVE, detail=ATTACK)}
    shown = [LiveValue(tag=ATTACK, equipment=ATTACK, property=ATTACK, unit=ATTACK, value=1.0)]
    async with serving(store, systems=lambda: told, values=lambda: shown) as console:
        page = await console.get("/")
        story = await console.get(f"/trace?key={event.id}")
        for path in ("/trace?key=", "/?plant=", "/?q=", "/late?call=", "/late?event="):
            assert "<script>" not in await console.get(path + ATTACK)
    for html in (page, story):
        assert "<script>" not in html
        assert "alert(1)" in html
    assert page.count("&lt;script&gt;") >= 8


async def test_assets_are_versioned_and_kept(console: Console) -> None:
    page = await console.get("/")
    address = re.search(r'href="(static/console\.css\?v=\w+)"', page)
    assert address
    async with console.http.get("/" + address[1]) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/css"
        assert "immutable" in answer.headers["Cache-Control"]
        etag = answer.headers["ETag"]
    async with console.http.get("/static/console.css", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    for name in ("console.py", "..%2Froutes.py", "nothing.css"):
        async with console.http.get(f"/static/{name}") as answer:
            assert answer.status == 404


async def test_an_unknown_time_zone_is_refused_at_start(store: Store) -> None:
    plant = PlantView(name="x", title="X", time_zone="Europe/Hamburg")
    with pytest.raises(ConfigError, match="Europe/Hamburg"):
        console_part(store, plant, dict, tuple, Changes(), None, SystemClock())


def test_the_views_are_values() -> None:
    view = SystemView(name="a", title="A", kind="ERP", state=HealthState.ACTIVE, since=datetime.now(UTC))
    assert msgspec.json.decode(msgspec.json.encode(view), type=SystemView) == view
    with pytest.raises(AttributeError):
        view.name = "b"  # type: ignore[misc]
