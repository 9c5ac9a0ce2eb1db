"""How it stands: what is late first, then each plant and domain, what waits, and what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Paging, Shell
from lineshaft.console.sparkline import sparkline
from lineshaft.console.standing_panels import (
    CellView,
    Range,
    backlog,
    cell_view,
    charts,
    totals,
    worst_first,
)
from lineshaft.console.standing_words import domain_title, plain, sentences, short_key
from lineshaft.console.tones import tone_of
from lineshaft.console.views import LiveValue, SystemView
from lineshaft.core.errors import LineshaftError
from lineshaft.core.standing import DOMAINS, Cell, Flow, LateRow, Recent, Standing

__all__ = ["OverviewScreen", "Standings"]

_RANGES = (
    Range(name="3h", title="3 h", seconds=3 * 3600, step_s=60),
    Range(name="24h", title="24 h", seconds=24 * 3600, step_s=600),
    Range(name="7d", title="7 days", seconds=7 * 86_400, step_s=3600),
)
_PLANTS_ON_A_PAGE = 25
_SENTENCES, _MORE = 8, 48
_RECENT = 14
_FRESH_S = 0.9
_KEPT = 64
Plants = frozenset[str] | None


class Standings(Protocol):
    """As insight.overview.Overview. Each raises TransientFault when the ledger does not answer."""

    async def standing(self, plants: Plants) -> Standing: ...

    async def cells(self, standing: Standing, plants: Sequence[str]) -> Mapping[str, Sequence[Cell]]: ...

    async def flows(
        self, plants: Plants, begins: int, ends: int, step_s: int
    ) -> tuple[Sequence[Flow], Sequence[Flow]]:
        """Of each stretch of step_s, and of all the time."""
        ...

    async def recent(self, plants: Plants, limit: int) -> Sequence[Recent]: ...

    async def late(self, kind: str, subject: str, plants: Plants) -> Sequence[LateRow]: ...


class _Known(msgspec.Struct, frozen=True):
    """What the ledger told, and when, by the monotonic clock."""

    at: float
    facts: dict[str, Any]


class OverviewScreen:
    def __init__(
        self,
        shell: Shell,
        standings: Standings,
        systems: Callable[[], Mapping[str, SystemView]],
        values: Callable[[], Sequence[LiveValue]],
    ) -> None:
        self._shell = shell
        self._standings = standings
        self._systems = systems
        self._values = values
        self._known: dict[tuple[object, ...], _Known] = {}

    def pages(self) -> Iterable[Page]:
        return [
            Page(path="/", name="console", show=self._show),
            Page(path="/late", name="console-late", show=self._late, permission="read:trace"),
        ]

    async def _show(self, visit: Visit) -> Response:
        plant = visit.asked("plant")
        plants = _seen(visit, plant)
        if visit.asked("format") == "csv":
            return await self._csv(plants)
        is_here = plants is None or self._shell.plant.name in plants
        facts = await self._facts(visit, plant, plants)
        now = self._shell.now
        return await self._shell.page(
            visit,
            "overview.html",
            here="overview",
            plant_asked=plant,
            plant_title=self._title(plant),
            search=visit.asked("q"),
            ranges=[
                (
                    each.title,
                    self._shell.address("./", self._query(visit), over=each.name),
                    each == self._range(visit),
                )
                for each in _RANGES
            ],
            systems=[
                (system, tone_of(system.state), self._shell.time.moment(system.since, now))
                for system in (self._systems().values() if is_here else ())
            ],
            is_here=is_here,
            values=[
                (
                    value,
                    tone_of(value.state),
                    sparkline(value.points, value.limit),
                    self._shell.time.moment(value.time, now),
                )
                for value in (self._values() if is_here else ())
            ],
            **facts,
        )

    async def _late(self, visit: Visit) -> Response:
        """Calls or events that are over their service level: what a sentence of the overview tells."""
        kind = "event" if visit.asked("event") else "call"
        subject, plant = visit.asked(kind), visit.asked("plant")
        rows: Sequence[LateRow] = ()
        fault = ""
        try:
            rows = await self._standings.late(kind, subject, _seen(visit, plant))
        except LineshaftError as error:
            fault = str(error)
        now, moment = self._shell.now, self._shell.time.moment
        return await self._shell.page(
            visit,
            "late.html",
            here="overview",
            kind=kind,
            subject=subject,
            words=plain(kind, subject),
            plant_title=self._title(plant),
            fault=fault,
            rows=[
                (row, tone_of(row.state, kind), moment(row.begins, now), moment(row.ends, now))
                for row in rows
            ],
        )

    async def _facts(self, visit: Visit, plant: str, plants: Plants) -> dict[str, Any]:
        """What the ledger tells, at most a second old; while it does not answer, what it told last."""
        over, search, after = self._range(visit), visit.asked("q").lower(), visit.asked("after")
        key = (plants, plant, over.name, search, after)
        now = self._shell.clock.monotonic()
        known = self._known.get(key)
        if known is not None and now - known.at < _FRESH_S:
            return known.facts
        try:
            facts = await self._ask(visit, plant, plants, over)
        except LineshaftError:  # the head of the page says why
            return known.facts if known is not None else {"standing": None}
        self._known[key] = _Known(now, facts)
        while len(self._known) > _KEPT:
            del self._known[min(self._known, key=lambda each: self._known[each].at)]
        return facts

    async def _ask(self, visit: Visit, plant: str, plants: Plants, over: Range) -> dict[str, Any]:
        now = self._shell.now
        ends = int(now.timestamp()) // 60 * 60
        begins = ends - over.seconds
        reads = self._standings
        standing, (courses, sums), recent = await asyncio.gather(
            reads.standing(plants),
            reads.flows(plants, begins, ends, over.step_s),
            reads.recent(plants, _RECENT),
        )
        order = [name for name in worst_first(standing) if self._matches(name, visit.asked("q").lower())]
        shown, paging = self._page(visit, order)
        cells = await reads.cells(standing, shown)
        views = {name: [cell_view(cell) for cell in cells[name]] for name in shown}
        titles = {view.title for name in shown for view in views[name]}
        told = sentences(standing.late, self._title, now, with_plant=len(standing.plants) > 1, most=_MORE)
        known_from = max(begins, standing.begins if standing.begins is not None else ends - 60)
        return {
            "standing": standing,
            "sentences": told[:_SENTENCES],
            "more_sentences": told[_SENTENCES:],
            "untold": len(standing.late) - len(told),
            "is_one": len(standing.plants) == 1 and not visit.asked("q"),
            "plants": [
                (name, self._title(name), self._shell.address("./", {"plant": name}), _by_domain(views[name]))
                for name in shown
            ],
            "columns": [title for domain in DOMAINS if (title := domain_title(domain)) in titles],
            "page_of_plants": paging,
            "figures": backlog(standing, self._shell.time, now, plant),
            "charts": charts(courses, known_from, ends, over.step_s),
            "totals": totals(sums),
            "is_quiet": not (standing.work or standing.desks or any(flow.count for flow in sums)),
            "over": over,
            "recent": [
                (
                    each,
                    plain(each.kind, each.name),
                    short_key(each.about),
                    tone_of(each.state, each.kind),
                    self._shell.time.moment(each.at, now),
                )
                for each in recent
            ],
        }

    def _page(self, visit: Visit, order: Sequence[str]) -> tuple[Sequence[str], Paging]:
        after = visit.asked("after")
        begins = order.index(after) + 1 if after in order else 0
        shown = order[begins : begins + _PLANTS_ON_A_PAGE]
        address, query = self._shell.address, self._query(visit)
        more = len(order) > begins + _PLANTS_ON_A_PAGE
        return shown, Paging(
            next=address("./", query, after=shown[-1]) if more else "",
            first=address("./", query, after="") if begins else "",
            csv=address("./", {"plant": query["plant"]}, format="csv"),
            count=len(order),
        )

    async def _csv(self, plants: Plants) -> Response:
        """Every plant and domain. Raises what the ledger does."""
        standing = await self._standings.standing(plants)
        cells = await self._standings.cells(standing, standing.plants)
        header = ("plant", "domain", "state", "late", "parked", "open_exceptions", "in_last_hour", "failed")
        return await self._shell.csv(
            "overview",
            header,
            (
                (
                    *(cell.plant, cell.domain, cell.state, cell.late, cell.parked, cell.exceptions),
                    *(cell.in_hour, cell.failed),
                )
                for name in worst_first(standing)
                for cell in cells[name]
            ),
        )

    def _title(self, plant: str) -> str:
        own = self._shell.plant
        return own.title if plant == own.name else plant.replace("_", " ").replace("-", " ").title()

    def _matches(self, plant: str, search: str) -> bool:
        return search in plant.lower() or search in self._title(plant).lower()

    @staticmethod
    def _query(visit: Visit) -> dict[str, str]:
        return {name: visit.asked(name) for name in ("plant", "q", "over")}

    @staticmethod
    def _range(visit: Visit) -> Range:
        return next((each for each in _RANGES if each.name == visit.asked("over")), _RANGES[0])


def _seen(visit: Visit, plant: str) -> Plants:
    """Of the plants that the visitor sees, the one asked for; all of them when none is."""
    if not plant:
        return visit.plants
    return frozenset({plant}) & (visit.plants if visit.plants is not None else {plant})


def _by_domain(views: Sequence[CellView]) -> dict[str, CellView]:
    return {view.title: view for view in views}
