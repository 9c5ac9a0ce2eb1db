"""The screen of key figures: all, one, as files, for some plants, and while they are being counted."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from lineshaft.console.kpi_text import chart, losses, shown, tile
from lineshaft.contracts.kpis import Better, KpiBoard, KpiFigure, KpiPoint
from lineshaft.insight.kpis import KPIS
from lineshaft.store import Store
from tests.console.conftest import Console, serving
from tests.insight.kpis.evening import AT, FILLER, Evening
from tests.waiting import PATIENCE_S


@pytest.fixture
async def evening(store: Store) -> Evening:
    found = Evening(store)
    await found.filler()
    return found


@pytest.fixture
async def kpi_console(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Console]:
    """A page waits until its figures are counted, however busy this machine is."""
    monkeypatch.setattr("lineshaft.console.screens.kpis._PATIENCE_S", PATIENCE_S)
    async with serving(evening.store, clock=evening.clock, kpis=evening.reads) as console:
        yield console


async def test_all_figures_are_there_with_what_they_need_or_say(
    evening: Evening, kpi_console: Console
) -> None:
    await evening.reads.board(None, span="shift")
    page = await kpi_console.get("/kpis?period=shift")
    for kpi in KPIS:
        assert f'id="kpi-{kpi.id}"' in page
    assert "45.1\u00a0%" in page
    assert "Not measured yet: needs events inventory.balance.reconciled" in page
    assert 'href="kpis?kpi=oee&amp;period=shift"' in page


async def test_oee_shows_its_losses_its_course_and_each_machine(
    evening: Evening, kpi_console: Console
) -> None:
    await evening.reads.board(None, span="shift", kpi="oee")
    page = await kpi_console.get("/kpis?kpi=oee&period=shift")
    assert "Good parts at planned speed" in page
    assert f'href="asset?id={FILLER}"' in page
    assert "data-series=" in page
    assert "ISO 22400-2" in page


async def test_tables_and_courses_are_files(kpi_console: Console) -> None:
    def read(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text)))

    (header, row) = read(await kpi_console.get("/kpis?kpi=oee&period=shift&format=csv&table=equipment"))
    assert header[:3] == ["plant", "equipment", "oee [share]"]
    assert row[:3] == ["leipzig", FILLER, "0.451389"]
    course = read(await kpi_console.get("/kpis?kpi=oee&period=shift&format=csv&table=course"))
    assert len(course) == 9
    every = read(await kpi_console.get("/kpis?format=csv"))
    assert [line[0] for line in every[1:]] == [kpi.id for kpi in KPIS]


async def test_another_plant_has_none_of_it_and_an_unknown_kpi_is_said(
    evening: Evening, kpi_console: Console
) -> None:
    await evening.reads.board(frozenset({"linz"}), span="24h", kpi="oee")
    assert "Not measured yet" in await kpi_console.get("/kpis?kpi=oee&plant=linz")
    async with kpi_console.http.get("/kpis?kpi=oe") as answer:
        assert answer.status == 404
        assert "There is no KPI “oe”" in await answer.text()


async def test_what_takes_long_is_shown_as_soon_as_it_is_counted(evening: Evening) -> None:
    counted = asyncio.Event()

    class Slow:
        async def plants(self) -> list[str]:
            return []

        async def board(self, plants: frozenset[str] | None, *, span: str, kpi: str = "") -> KpiBoard:
            await counted.wait()
            return await evening.reads.board(plants, span=span, kpi=kpi)

    async with serving(evening.store, clock=evening.clock, kpis=Slow()) as console:
        for address in ("/kpis?period=7d", "/kpis?kpi=oee&amp;period=7d"):
            page = await console.get(address.replace("&amp;", "&"))
            assert "being counted" in page
            assert f'hx-get="{address[1:]}"' in page
        counted.set()
        assert "slo_burn" in await console.get("/kpis?format=csv")  # a file waits for its figures


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "share", "–"),
        (0.4513, "share", "45.1\u00a0%"),
        (1.0, "share", "100\u00a0%"),
        (0.9898, "share", "98.98\u00a0%"),
        (0.0, "s", "0\u00a0min"),
        (8_000.0, "s", "2 h 13 min"),
        (12_345.0, "count", "12\u202f345"),
        (2.1, "ratio", "2.1×"),
        (1_204.5, "EUR", "1\u202f204.50\u00a0EUR"),
    ],
)
def test_a_value_reads_with_its_unit(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def figure(unit: str, *values: float | None, target: float | None = None) -> KpiFigure:
    points = [KpiPoint(at=AT + timedelta(hours=hour), value=value) for hour, value in enumerate(values)]
    return KpiFigure(
        id="x",
        title="X",
        group="Flow",
        unit=unit,
        better=Better.HIGHER,
        definition="",
        formula="",
        source="",
        says="",
        series=points,
        target=target,
    )


def test_a_chart_is_in_units_that_people_read() -> None:
    shares = chart(figure("share", 0.5, None, 0.75, target=0.6))
    assert shares is not None
    assert shares["lines"] == [{"label": "X", "y": [50, None, 75], "fill": True}]
    assert shares["limits"] == [{"label": "Target", "y": 60}]
    hours = chart(figure("s", 3600, 9000))
    assert hours is not None
    assert (hours["unit"], hours["lines"]) == ("h", [{"label": "X", "y": [1, 2.5], "bars": True}])
    assert chart(figure("share", 0.5, None)) is None


def test_nothing_lost_is_nothing_to_draw() -> None:
    assert losses(figure("share")) == []
    assert tile(figure("share")).word == "not measured"
