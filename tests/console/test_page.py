from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from lineshaft.console import Changes, LiveValue, PlantView, SystemView, console_routes
from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.ports import HealthState
from lineshaft.core.values import ExceptionKind, ExceptionRecord
from lineshaft.ledger import Reads
from lineshaft.store import Store
from tests.console.conftest import Console, serving
from tests.console.factory import EPISODE, Factory, MovedClock

ATTACK = "<script>alert(1)</script>"


def text_of(html: str) -> str:
    """What a person reads: without tags, white space as one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.replace("<wbr>", ""))).strip()


async def test_the_page_shows_what_the_ledger_and_memory_know(console: Console) -> None:
    text = text_of(await console.get("/"))
    for shown in (
        "Bottling Hamburg",
        "Needs attention",
        "Atlas CMMS degraded",
        "breaker half-open",
        "2 open exceptions",
        "Seal pressure".lower(),
        "limit ≥ 1.80",
        "corrective_maintenance",
        "CAPPER-02/torque-low",
        "parked",
        "ERP refused the requisition: the period 2026-03 is closed",
        "erp.post_consumption",
        "SHIP/2026/0412",
        "610 ms",
        "no answer from atlas within 10 s; two look-ups found nothing",
        "equipment.condition.threshold_exceeded.v1",
        "plant-engineering 1",
        "no tag has this topic and metric &#39;torque_nm&#39;",
    ):
        assert shown in text, shown


async def test_a_row_links_to_its_trace_and_the_trace_knows_it(console: Console) -> None:
    page = await console.get("/")
    links = re.findall(r'href="(trace\?key=[^"]+)"', page)
    assert len(links) > 15
    for link in set(links):
        assert 'class="story panel"' in await console.get("/" + link), link


async def test_times_are_the_plants_with_utc_in_the_title(store: Store) -> None:
    clock = MovedClock(EPISODE + timedelta(hours=4))
    async with serving(store, clock=clock) as console:
        page = await console.get("/")
    assert 'title="2026-03-09 13:02:14.350 UTC">14:02:14</time>' in page
    assert "until <time" in page


async def test_headers_and_markup_keep_foreign_code_out(console: Console) -> None:
    for path in ("/", "/trace?key=MO-10231", "/catalogue?contract=production.order.released.v1"):
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
    factory = Factory(store)
    await factory.breach(9000, asset="SAFE", rule=ATTACK)
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
        nothing = await console.get("/trace?key=" + ATTACK)
    for html in (page, story, nothing):
        assert "<script>" not in html
        assert "alert(1)" in html
    assert page.count("&lt;script&gt;") >= 8


async def test_while_the_ledger_is_away_the_last_rows_stay_and_the_page_says_so(console: Console) -> None:
    await console.get("/")
    console.reads.away = TransientFault("the database does not answer: disk gone", hint="call IT")
    async with console.http.get("/trace?key=MO-10231") as answer:
        assert answer.status == 503
        assert "disk gone" in await answer.text()
    await _until_page_says(console, "The ledger does not answer.")
    page = text_of(await console.get("/"))
    assert "Disturbed" in page
    assert "disk gone (call IT)" in page
    assert "SHIP/2026/0412" in page
    console.reads.away = None
    await _until_page_says(console, "Needs attention")


async def _until_page_says(console: Console, text: str) -> None:
    """A page is at most half a second old."""
    for _ in range(40):
        if text in text_of(await console.get("/")):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the page never said {text!r}")


async def test_an_empty_plant_says_what_will_appear(tmp_path: object) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/empty.db")
    async with serving(store, systems=dict, values=tuple) as console:
        text = text_of(await console.get("/"))
    await store.close()
    assert "no system is connected" in text
    assert "Nothing waits for a person." in text
    assert "No process has run yet." in text


async def test_what_a_process_waits_for_is_shown_when_the_read_model_tells(store: Store) -> None:
    async with serving(store) as console:
        rows = await console.reads.recent_processes()

        async def told(limit: int = 50) -> list[dict[str, object]]:
            return [row | {"waiting_for": "maintenance.order.completed.v1 of MO-10240"} for row in rows]

        console.reads.recent_processes = told  # type: ignore[method-assign]
        text = text_of(await console.get("/"))
    assert "maintenance.order.completed.v1 of MO-10240 until" in text


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
        console_routes(Reads(store), dict, Changes(), plant)


def test_the_views_are_values() -> None:
    view = SystemView(name="a", title="A", kind="ERP", state=HealthState.ACTIVE, since=datetime.now(UTC))
    assert msgspec.json.decode(msgspec.json.encode(view), type=SystemView) == view
    with pytest.raises(AttributeError):
        view.name = "b"  # type: ignore[misc]
