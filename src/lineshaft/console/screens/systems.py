"""The connected systems: how they are, how they may be called, how calls went; and our own parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.authority_table import authority_table, kind_title
from lineshaft.console.figures import size_text
from lineshaft.console.moments import Moment
from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Shell
from lineshaft.console.tones import Tone, tone_of
from lineshaft.console.views import SystemView
from lineshaft.contracts.authority import Authority
from lineshaft.contracts.system_facts import (
    CallTimes,
    CallUse,
    OpenCalls,
    OperationFacts,
    OwnParts,
    SystemFacts,
)

__all__ = ["CallReads", "SystemsAtWork", "SystemsScreen"]


class SystemsAtWork(Protocol):
    """As app.systems_at_work has it."""

    @property
    def authority(self) -> Authority: ...

    async def facts(self) -> Mapping[str, SystemFacts]:
        """By name, in the order of the settings."""
        ...

    async def own(self) -> OwnParts: ...


class CallReads(Protocol):
    """Implemented by insight.call_times.CallHistory."""

    async def lately(self, plants: Collection[str] | None) -> CallTimes:
        """Of the last hour, of these plants; None: of all."""
        ...


class _SystemLine(msgspec.Struct, frozen=True, kw_only=True):
    """word: how it is, or that it is not called now; p95_ms: of its slowest operation that was used"""

    view: SystemView
    facts: SystemFacts
    word: str
    tone: Tone
    since: Moment | None
    calls: int
    faults: int
    p95_ms: float | None
    open: Sequence[tuple[OpenCalls, Moment | None]]
    closed: str
    until: Moment | None


class SystemsScreen:
    """views: health of the systems and of our own parts, by name, as the monitor has seen it last"""

    def __init__(
        self,
        shell: Shell,
        views: Callable[[], Mapping[str, SystemView]],
        work: SystemsAtWork,
        calls: CallReads,
    ) -> None:
        self._shell = shell
        self._views = views
        self._work = work
        self._calls = calls

    def pages(self) -> Iterable[Page]:
        return [
            Page(path="/systems", name="console-systems", show=self._list),
            Page(path="/system", name="console-system", show=self._one),
            Page(path="/authority", name="console-authority", show=self._authority),
        ]

    def _sees(self, visit: Visit) -> bool:
        """The systems are those of this node's plant."""
        return visit.plants is None or self._shell.plant.name in visit.plants

    async def _list(self, visit: Visit) -> Response:
        lines = await self._lines(visit)
        if visit.asked("format") == "csv":
            header = [
                "system",
                "kind",
                "state",
                "breaker",
                "calls in the last hour",
                "faults",
                "p95 ms",
                "under way",
            ]
            rows = (
                [
                    line.view.name,
                    " ".join(line.facts.kinds),
                    line.word,
                    line.view.breaker,
                    line.calls,
                    line.faults,
                    line.p95_ms,
                    line.facts.under_way,
                ]
                for line in lines
            )
            return await self._shell.csv("systems", header, rows)
        return await self._shell.page(
            visit,
            "systems.html",
            here="systems",
            lines=lines,
            parts=self._parts({line.view.name for line in lines}) if self._sees(visit) else [],
            own=await self._work.own() if self._sees(visit) else None,
            size=size_text,
        )

    async def _one(self, visit: Visit) -> Response:
        name = visit.asked("name")
        line = next((each for each in await self._lines(visit) if each.view.name == name), None)
        if line is None:
            return await self._shell.missing(
                visit,
                here="systems",
                what=f"There is no system “{name}”" if name else "Which system?",
                hint="Systems are named in the settings of the node, under `systems`.",
            )
        times = await self._calls.lately(visit.plants)
        uses = {use.operation: use for use in times.uses if use.system == name}
        operations = _operations(line.facts, uses)
        if visit.asked("format") == "csv":
            header = ["operation", "kind", "calls", "took effect", "p50 ms", "p95 ms", "p99 ms", "faults"]
            rows = (
                [operation.name, "command" if operation.is_command else "query", *_figures(use)]
                for operation, use in operations
            )
            return await self._shell.csv(f"operations-{name}", header, rows)
        return await self._shell.page(
            visit,
            "system.html",
            here="systems",
            line=line,
            operations=operations,
            is_cut=times.is_cut,
            pause=self._pause(line.facts),
            window=self._window(line.facts),
            tone_of=tone_of,
        )

    async def _authority(self, visit: Visit) -> Response:
        table = authority_table(self._work.authority)
        if visit.asked("format") == "csv":
            header = [
                "entity",
                "mastered by",
                *(kind for kind, _ in table.kinds),
                "fields mastered elsewhere",
            ]
            rows = (
                [
                    row.entity,
                    " ".join(row.masters),
                    *(cell or "" for cell in row.cells),
                    "; ".join(f"{field}: {master}" for field, master in row.apart.items()),
                ]
                for row in table.rows
            )
            return await self._shell.csv("data-authority", header, rows)
        titles = {name: view.title for name, view in self._views().items()} if self._sees(visit) else {}
        return await self._shell.page(
            visit, "authority.html", here="systems", table=table, titles=titles, kind_title=kind_title
        )

    async def _lines(self, visit: Visit) -> list[_SystemLine]:
        if not self._sees(visit):
            return []
        facts, views = await self._work.facts(), self._views()
        times = await self._calls.lately(visit.plants)
        return [self._line(views[name], each, times) for name, each in facts.items() if name in views]

    def _line(self, view: SystemView, facts: SystemFacts, times: CallTimes) -> _SystemLine:
        uses = [use for use in times.uses if use.system == view.name]
        closed, until = self._closed(facts)
        return _SystemLine(
            view=view,
            facts=facts,
            word=str(view.state),
            tone=tone_of(view.state),
            since=self._moment(view.since),
            calls=sum(use.count for use in uses),
            faults=sum(number for use in uses for _, number in use.faults),
            p95_ms=max((use.p95_ms for use in uses if use.p95_ms is not None), default=None),
            open=[(each, self._moment(each.oldest)) for each in times.open if each.system == view.name],
            closed=closed,
            until=until,
        )

    def _closed(self, facts: SystemFacts) -> tuple[str, Moment | None]:
        """Why it is not called now, and until when; empty while it is."""
        if facts.pause is not None:
            return "paused", self._moment(facts.pause.until)
        if facts.window is not None and facts.window[0] <= self._shell.now:
            return "maintenance", self._moment(facts.window[1])
        return "", None

    def _pause(self, facts: SystemFacts) -> dict[str, Any]:
        pause = facts.pause
        if pause is None:
            return {}
        return {
            "until": self._moment(pause.until),
            "reason": pause.reason,
            "by": pause.by,
            "at": self._moment(pause.at),
        }

    def _window(self, facts: SystemFacts) -> dict[str, Any]:
        if facts.window is None:
            return {}
        begins, ends = facts.window
        return {
            "is_open": begins <= self._shell.now,
            "begins": self._moment(begins),
            "ends": self._moment(ends),
        }

    def _parts(self, systems: Collection[str]) -> list[tuple[SystemView, Tone, Moment | None]]:
        """Backbone, store, telemetry and the sources of values: whatever is watched and no system."""
        return [
            (view, tone_of(view.state), self._moment(view.since))
            for name, view in self._views().items()
            if name not in systems
        ]

    def _moment(self, at: Any) -> Moment | None:
        return self._shell.time.moment(at, self._shell.now)


def _operations(
    facts: SystemFacts, uses: Mapping[str, CallUse]
) -> list[tuple[OperationFacts, CallUse | None]]:
    """Those that were called first, the most frequent of them on top."""
    known = {operation.name: operation for operation in facts.operations}
    gone = [OperationFacts(name=name, is_command=True, reads_back=True) for name in uses if name not in known]
    found = [(each, uses.get(each.name)) for each in (*known.values(), *gone)]
    return sorted(found, key=lambda pair: (-(pair[1].count if pair[1] else 0), pair[0].name))


def _figures(use: CallUse | None) -> list[Any]:
    if use is None:
        return [0, 0, None, None, None, ""]
    told = "; ".join(f"{code}: {count}" for code, count in use.faults)
    return [use.count, use.posted, use.p50_ms, use.p95_ms, use.p99_ms, told]
