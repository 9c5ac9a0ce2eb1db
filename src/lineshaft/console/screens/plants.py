"""The plants: how many machines of each are in which state, the tree of one, and its nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.moments import Moment
from lineshaft.console.page import Page, Visit
from lineshaft.console.plant_tree import Branch, Share, plant_tree, shares, tone_of_condition, with_live
from lineshaft.console.shell import Paging, Shell
from lineshaft.console.tones import Tone, worst
from lineshaft.console.views import Line
from lineshaft.contracts.plant_facts import Condition, MachineFacts, NodeSeen, Place, PlantTotals

__all__ = ["PlantBooks", "PlantsScreen"]

Plants = Collection[str] | None
_ROWS = 25
_MOST_FOUND = 50


class PlantBooks(Protocol):
    """Implemented by ledger.projections.PlantReads."""

    async def totals(self, plants: Plants) -> Sequence[PlantTotals]: ...

    async def machines(self, plant: str) -> Sequence[MachineFacts]: ...

    async def found(self, text: str, plants: Plants, limit: int) -> Sequence[MachineFacts]: ...

    async def places(self, plant: str) -> Sequence[Place]: ...

    async def nodes(self, plants: Plants) -> Sequence[NodeSeen]: ...

    async def waiting_events(self) -> int: ...


class _NodeLine(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str
    tone: Tone
    seen: Moment | None
    is_here: bool


class _PlantLine(msgspec.Struct, frozen=True, kw_only=True):
    """link: how its nodes are; told: when anything was last heard of it"""

    name: str
    shares: list[Share]
    link: str
    link_tone: Tone
    told: Moment | None
    is_here: bool
    count: int

    @property
    def troubled(self) -> bool:
        return self.link_tone is Tone.WARN or any(
            share.tone in (Tone.WARN, Tone.BAD) for share in self.shares
        )


class PlantsScreen:
    """line: what the memory of this node knows of its own plant; None where it takes no device values in.
    worker: name of this node among those of the database
    """

    def __init__(self, shell: Shell, books: PlantBooks, line: Line | None, worker: str = "") -> None:
        self._shell = shell
        self._books = books
        self._line = line
        self._worker = worker

    def pages(self) -> Iterable[Page]:
        return [Page(path="/plants", name="console-plants", show=self._show, permission="read:assets")]

    async def _show(self, visit: Visit) -> Response:
        query = {"q": visit.asked("q"), "only": visit.asked("only")}
        here = self._shell.plant.name
        sees_here = visit.plants is None or here in visit.plants
        nodes = await self._books.nodes(visit.plants)
        own = await self._own_machines() if sees_here else []
        lines = self._lines(await self._books.totals(visit.plants), nodes, own if sees_here else None)
        shown = [line for line in lines if query["q"].lower() in line.name.lower()]
        if query["only"] == "trouble":
            shown = [line for line in shown if line.troubled]
        asked = visit.asked("plant")
        if not asked and len(lines) == 1:
            asked = lines[0].name
        opened = next((line for line in lines if line.name == asked), None)
        if asked and opened is None:
            return await self._shell.missing(
                visit,
                here="plants",
                what=f"There is no plant “{asked}”",
                hint="No machine of such a plant has told anything yet, or you may not see it.",
            )
        machines = own if opened and opened.is_here else await self._machines(opened)
        if visit.asked("format") == "csv":
            return await self._csv(opened, machines, lines)
        after = visit.asked("after")
        page = [line for line in shown if line.name > after][: _ROWS + 1]
        paging = Paging(
            next=Shell.address("plants", query, plant=asked, after=page[_ROWS - 1].name)
            if len(page) > _ROWS
            else "",
            first=Shell.address("plants", query, plant=asked) if after else "",
            csv=Shell.address("plants", {"format": "csv"}),
            count=len(shown),
        )
        found = await self._books.found(query["q"], visit.plants, _MOST_FOUND) if query["q"] else []
        return await self._shell.page(
            visit,
            "plants.html",
            here="plants",
            query=query,
            lines=page[:_ROWS],
            has_many=len(lines) > 1,
            paging=paging,
            found=[(machine, tone_of_condition(machine.condition)) for machine in found],
            opened=opened,
            tree=await self._tree(opened, machines) if opened else None,
            nodes=[self._node(node) for node in nodes if opened and node.plant == opened.name],
            buffer=await self._buffer() if opened and opened.is_here else None,
            tone_of=tone_of_condition,
        )

    async def _own_machines(self) -> list[MachineFacts]:
        here = self._shell.plant.name
        machines = await self._books.machines(here)
        tags = self._line.tags_with_rules() if self._line else []
        values = self._line.values_of(tags) if self._line else []
        return with_live(here, machines, tags, values)

    async def _machines(self, opened: _PlantLine | None) -> Sequence[MachineFacts]:
        return await self._books.machines(opened.name) if opened else []

    def _lines(
        self, totals: Sequence[PlantTotals], nodes: Sequence[NodeSeen], own: Sequence[MachineFacts] | None
    ) -> list[_PlantLine]:
        """By name; this node's own plant always, where the caller sees it."""
        by_name = {each.plant: each for each in totals}
        for node in nodes:
            if node.plant:
                by_name.setdefault(node.plant, PlantTotals(plant=node.plant, machines={}))
        if own is not None:
            here = by_name.get(self._shell.plant.name) or PlantTotals(
                plant=self._shell.plant.name, machines={}
            )
            counted: dict[Condition, int] = {}
            for machine in own:
                counted[machine.condition] = counted.get(machine.condition, 0) + 1
            by_name[here.plant] = msgspec.structs.replace(here, machines=counted)
        return [self._plant_line(by_name[name], nodes) for name in sorted(by_name)]

    def _plant_line(self, totals: PlantTotals, nodes: Sequence[NodeSeen]) -> _PlantLine:
        is_here = totals.plant == self._shell.plant.name
        ours = [self._node(node) for node in nodes if node.plant == totals.plant]
        alive = any(node.tone is Tone.GOOD for node in ours)
        link, tone = ("connected", Tone.GOOD) if alive or is_here else ("no node here", Tone.PLAIN)
        if ours and not alive and not is_here:
            link, tone = "not connected", worst(*(node.tone for node in ours))
        return _PlantLine(
            name=totals.plant,
            shares=shares(totals.machines),
            link=link,
            link_tone=tone,
            told=self._shell.time.moment(totals.at, self._shell.now),
            is_here=is_here,
            count=sum(totals.machines.values()),
        )

    def _node(self, node: NodeSeen) -> _NodeLine:
        is_here = node.name == self._worker
        return _NodeLine(
            name=node.name,
            state="this node" if is_here else "connected" if node.alive else "not seen",
            tone=Tone.GOOD if is_here or node.alive else Tone.WARN,
            seen=self._shell.time.moment(node.seen_at, self._shell.now),
            is_here=is_here,
        )

    async def _tree(self, opened: _PlantLine, machines: Sequence[MachineFacts]) -> Branch:
        tags = self._line.tags_with_rules() if self._line and opened.is_here else []
        return plant_tree(opened.name, machines, await self._books.places(opened.name), tags)

    async def _buffer(self) -> dict[str, Any]:
        """What this node holds back: events for the backbone, messages of devices."""
        return {
            "events": await self._books.waiting_events(),
            "devices": self._line.backlog() if self._line else None,
        }

    async def _csv(
        self, opened: _PlantLine | None, machines: Sequence[MachineFacts], lines: Sequence[_PlantLine]
    ) -> Response:
        if opened is None:
            header = ["plant", "nodes", "machines", *(str(each) for each in Condition)]
            counts = [{share.condition: share.count for share in line.shares} for line in lines]
            rows: Iterable[Sequence[Any]] = (
                [line.name, line.link, line.count, *(count.get(each, 0) for each in Condition)]
                for line, count in zip(lines, counts, strict=True)
            )
            return await self._shell.csv("plants", header, rows)
        header = ["plant", "machine", "assets", "state", "open maintenance", "last told"]
        rows = (
            [each.plant, each.id, " ".join(each.assets), str(each.condition), each.work, each.at]
            for each in machines
        )
        return await self._shell.csv(f"machines-{opened.name}", header, rows)
