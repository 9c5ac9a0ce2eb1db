"""One machine: its values now, its states and stops, the rules on its tags and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.figures import unit_symbol
from lineshaft.console.moments import Moment, duration_text
from lineshaft.console.page import Page, Visit
from lineshaft.console.plant_tree import tone_of_condition, with_live
from lineshaft.console.shell import Shell
from lineshaft.console.sparkline import sparkline
from lineshaft.console.state_bar import state_bar
from lineshaft.console.tag_course import tag_course
from lineshaft.console.tones import tone_of
from lineshaft.console.views import Line, LiveValue
from lineshaft.contracts.consumer import AssetStatus
from lineshaft.contracts.plant_facts import (
    Condition,
    Firing,
    MachineFacts,
    OpenWork,
    RuleFacts,
    StateSpan,
    Stop,
    TagFacts,
)

__all__ = ["AssetScreen", "MachineStories", "StatusReads"]

Plants = Collection[str] | None
_SPANS = {"day": (timedelta(days=1), 9), "week": (timedelta(days=7), 8)}
_WEEK = timedelta(days=7)
_SHOWN = 20


class StatusReads(Protocol):
    """Implemented by ledger.projections.ProjectionReads."""

    async def asset(self, id: str, plants: Plants, prefer: str) -> AssetStatus | None: ...


class MachineStories(Protocol):
    """Implemented by insight.machine_history.MachineHistory. ids: of the equipment and the assets in it."""

    async def states(self, ids: Collection[str], plants: Plants, since: datetime) -> Sequence[StateSpan]: ...

    async def stops(self, ids: Collection[str], plants: Plants, since: datetime) -> Sequence[Stop]: ...

    async def firings(self, ids: Collection[str], plants: Plants, since: datetime) -> Sequence[Firing]: ...

    async def open_work(
        self, ids: Collection[str], plants: Plants, stories: Collection[str]
    ) -> Sequence[OpenWork]:
        """stories: correlation ids that are about the machine, whether their processes name it or not"""
        ...

    def state_word(self, number: int) -> str: ...


class _Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What an id stands for. ids: all under which it is known; tags: of this node, none of another's plant"""

    id: str
    plant: str
    equipment: str
    assets: tuple[str, ...]
    asset_class: str
    status: AssetStatus | None
    tags: Sequence[TagFacts]

    @property
    def ids(self) -> set[str]:
        return {self.id, self.equipment, *self.assets}


class AssetScreen:
    """line: None where this node takes no device values in"""

    def __init__(self, shell: Shell, status: StatusReads, stories: MachineStories, line: Line | None) -> None:
        self._shell = shell
        self._status = status
        self._stories = stories
        self._line = line

    def pages(self) -> Iterable[Page]:
        return [Page(path="/asset", name="console-asset", show=self._show, permission="read:assets")]

    async def _show(self, visit: Visit) -> Response:
        id, plant = visit.asked("id"), visit.asked("plant") or self._shell.home(visit)
        span = visit.asked("span") if visit.asked("span") in _SPANS else "day"
        machine = await self._machine(id, plant, visit) if id else None
        if machine is None:
            return await self._shell.missing(
                visit,
                here="plants",
                what=f"There is no machine or asset “{id}”" if id else "Which machine?",
                hint=f"No tag names it and no event told of it, at least not in the plant {plant}. "
                "The plants show all machines that are known.",
            )
        if visit.asked("format") == "csv":
            return await self._csv(visit, machine)
        now, plants = self._shell.now, [machine.plant]
        length, ticks = _SPANS[span]
        spans = await self._states(machine, now - length)
        stops = await self._stops(visit, machine, now - _WEEK)
        firings = await self._stories.firings(machine.ids, plants, now - _WEEK)
        values = self._values(machine)
        condition = self._condition(machine, values)
        stories = {firing.story for firing in firings if firing.story}
        return await self._shell.page(
            visit,
            "asset.html",
            here="plants",
            machine=machine,
            condition=condition,
            tone=tone_of_condition(condition),
            state_now=self._state(visit, machine),
            values=[
                (value, tone_of(value.state), sparkline(value.points, value.limit), self._moment(value.time))
                for value in values
            ],
            course=tag_course(self._line, machine.tags, values, visit.asked("tag"), self._moment),
            rules=self._rules(machine, firings),
            firings=[self._firing(visit, firing) for firing in firings[:_SHOWN]],
            fired=len(firings),
            bar=state_bar(spans, [stop for stop, _ in stops], now - length, now),
            ticks=[self._tick(now - length + length / (ticks - 1) * number, span) for number in range(ticks)],
            span=span,
            stops=[self._stop(stop, told, now) for stop, told in stops][:_SHOWN],
            stop_count=len(stops),
            open=self._open(visit, machine),
            work=[
                (work, tone_of(work.state, work.kind), self._moment(work.at))
                for work in await self._stories.open_work(machine.ids, plants, stories)
            ],
            is_here=machine.plant == self._shell.plant.name,
            duration=duration_text,
        )

    async def _machine(self, id: str, plant: str, visit: Visit) -> _Machine | None:
        if visit.plants is not None and plant not in visit.plants:
            return None
        status = await self._status.asset(id, [plant], plant)
        tags: Sequence[TagFacts] = []
        if self._line and plant == self._shell.plant.name:
            tags = [
                tag for tag in self._line.tags_with_rules() if id in (tag.equipment_id, tag.physical_asset_id)
            ]
        if status is None and not tags:
            return None
        if status is None:  # an event may tell of the machine by its other id
            status = await self._status.asset(tags[0].equipment_id, [plant], plant)
        equipment = tags[0].equipment_id if tags else (status and status.equipment_id) or id
        told = [status.physical_asset_id] if status and status.physical_asset_id else []
        inside = dict.fromkeys([*told, *(tag.physical_asset_id for tag in tags)])
        return _Machine(
            id=id,
            plant=plant,
            equipment=equipment,
            assets=tuple(asset for asset in inside if asset != equipment),
            asset_class=next((tag.asset_class for tag in tags if tag.asset_class), ""),
            status=status,
            tags=tags,
        )

    def _values(self, machine: _Machine) -> Sequence[LiveValue]:
        """But those that rules read states from: the state is told in words."""
        told = [tag for tag in machine.tags if all(rule.kind != "state" for rule in tag.rules)]
        return self._line.values_of(told) if self._line else []

    def _condition(self, machine: _Machine, values: Sequence[LiveValue]) -> Condition:
        status, told = machine.status, Condition.UNKNOWN
        if status and status.state and status.state.state:
            is_running = self._stories.state_word(status.state.state) == "running"
            told = Condition.RUNNING if is_running else Condition.STANDING
        if status and status.alarm:
            told = Condition.ALARM
        if status and status.downtime:
            told = Condition.DOWN
        fact = MachineFacts(id=machine.equipment, plant=machine.plant, condition=told)
        return with_live(machine.plant, [fact], [], values)[0].condition

    def _state(self, visit: Visit, machine: _Machine) -> dict[str, Any]:
        """The state as the machine tells it, and since when; empty where it does not."""
        status = machine.status
        if status is None or status.state is None:
            return {}
        told = visit.shown(msgspec.to_builtins(status.state))
        return {
            "word": self._stories.state_word(status.state.state),
            "since": self._moment(status.state.start_time),
            "reason": told.get("reason_code", ""),
        }

    async def _states(self, machine: _Machine, since: datetime) -> Sequence[StateSpan]:
        spans = await self._stories.states(machine.ids, [machine.plant], since)
        state = machine.status.state if machine.status else None
        if spans or state is None:
            return spans
        word = self._stories.state_word(state.state)
        does = Condition.RUNNING if word == "running" else Condition.STANDING
        return [StateSpan(state=word, condition=does, start=state.start_time)]

    async def _stops(
        self, visit: Visit, machine: _Machine, since: datetime
    ) -> list[tuple[Stop, Mapping[str, Any]]]:
        """With what the caller may see of each; one that began before and lasts is among them."""
        stops = list(await self._stories.stops(machine.ids, [machine.plant], since))
        known = {stop.start for stop in stops}
        lasting = (
            [each for each in machine.status.downtime if each.start_time not in known]
            if machine.status
            else []
        )
        stops += [
            Stop(
                event_id="",
                start=each.start_time,
                reason=each.reason_code or "",
                upstream=each.upstream or "",
            )
            for each in lasting
        ]
        return [
            (stop, visit.shown({"reason_code": stop.reason, "upstream": stop.upstream}))
            for stop in sorted(stops, key=lambda stop: stop.start, reverse=True)
        ]

    def _stop(self, stop: Stop, told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        lasted = duration_text(((stop.end or now) - stop.start).total_seconds())
        return {
            "start": self._moment(stop.start),
            "lasts": stop.end is None,
            "lasted": lasted,
            "reason": told.get("reason_code") or "no reason told",
            "upstream": told.get("upstream", ""),
            "trace": stop.event_id,
        }

    def _rules(self, machine: _Machine, firings: Sequence[Firing]) -> list[dict[str, Any]]:
        """Rules that tell of what a person has to see first; last: when it fired last, within seven days."""
        last: dict[str, Firing] = {}
        for firing in firings:
            last.setdefault(firing.rule, firing)
        counted = {rule: sum(firing.rule == rule for firing in firings) for rule in last}
        found = [(rule, tag) for tag in machine.tags for rule in tag.rules]
        return [
            {
                "rule": rule,
                "tag": tag.tag,
                "said": rule.said.replace("{unit}", unit_symbol(tag.unit)),
                "last": self._moment(last[rule.id].at) if rule.id in last else None,
                "event": last[rule.id].event_id if rule.id in last else "",
                "times": counted.get(rule.id, 0),
                "can_fire": _can_fire(rule),
            }
            for rule, tag in sorted(found, key=lambda pair: (-pair[0].severity, pair[0].id))
        ]

    def _firing(self, visit: Visit, firing: Firing) -> dict[str, Any]:
        told = visit.shown({"value": firing.value, "limit": firing.limit})
        return {
            "at": self._moment(firing.at),
            "event": firing.event_id,
            "rule": firing.rule,
            "version": firing.version,
            "value": told.get("value"),
            "limit": told.get("limit"),
            "unit": unit_symbol(firing.unit),
            "effects": [(effect, tone_of(effect.state, "process")) for effect in firing.effects],
        }

    def _open(self, visit: Visit, machine: _Machine) -> dict[str, Any]:
        """Alarms, maintenance requests and orders, as the account may see them."""
        if machine.status is None:
            return {"alarm": [], "maintenance_request": [], "maintenance_order": []}
        told = visit.shown(msgspec.to_builtins(machine.status))
        return {
            name: [
                {**row, "at": self._moment(row.get(time))}
                for row in told.get(name, [])
                if isinstance(row, dict)
            ]
            for name, time in (
                ("alarm", "raised_time"),
                ("maintenance_request", "malfunction_start"),
                ("maintenance_order", "start_time"),
            )
        }

    async def _csv(self, visit: Visit, machine: _Machine) -> Response:
        """The stops of the last seven days."""
        stops = await self._stops(visit, machine, self._shell.now - _WEEK)
        rows = (
            [
                machine.plant,
                machine.equipment,
                stop.start,
                stop.end,
                told.get("reason_code"),
                told.get("upstream"),
            ]
            for stop, told in stops
        )
        header = ["plant", "machine", "start", "end", "reason", "upstream"]
        return await self._shell.csv(f"stops-{machine.equipment}", header, rows)

    def _moment(self, at: datetime | str | None) -> Moment | None:
        return self._shell.time.moment(at, self._shell.now)

    def _tick(self, at: datetime, span: str) -> str:
        return self._shell.time.clock(at) if span == "day" else self._shell.time.day(at)


def _can_fire(rule: RuleFacts) -> bool:
    return rule.kind in ("high", "low", "rise", "fall", "missing")
