"""What happened to one machine: its states and stops, which rules fired and what came of it, what is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select

from lineshaft.contracts.plant_facts import Condition, Effect, Firing, OpenWork, StateSpan, Stop
from lineshaft.core.clock import rfc3339
from lineshaft.core.exceptions import ExceptionState
from lineshaft.model.equipment_state import PackMLState
from lineshaft.store import Store
from lineshaft.store.schema import asset_events, business_keys, calls, exceptions, processes

__all__ = ["MachineHistory"]

_STATE = "equipment.state.changed.v1"
_STOPS = ("equipment.downtime.started.v1", "equipment.downtime.ended.v1")
_FIRINGS = ("equipment.condition.threshold_exceeded.v1", "equipment.signal.lost.v1")
_MOST_SPANS = 2_000
_MOST_FIRINGS = 500
_MOST_OPEN = 50
_WORDS = {PackMLState.UNDEFINED: "unknown", PackMLState.EXECUTE: "running"}


class MachineHistory:
    """ids: of the equipment and the physical assets in it; plants: whose rows, None: of all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @staticmethod
    def state_word(number: int) -> str:
        """`running`, `held`, `aborted` …; a number that PackML does not have as it is."""
        try:
            state = PackMLState(number)
        except ValueError:
            return f"state {number}"
        return _WORDS.get(state, state.name.lower())

    async def states(
        self, ids: Collection[str], plants: Collection[str] | None, since: datetime
    ) -> list[StateSpan]:
        """One after the other. The first begins before `since` where the change that ended it says so."""
        rows = await self._events(ids, plants, (_STATE,), since, _MOST_SPANS)
        spans: list[StateSpan] = []
        for row in reversed(rows):
            data = msgspec.json.decode(row.data)
            start = datetime.fromisoformat(data["start_time"])
            if spans:
                spans[-1] = msgspec.structs.replace(spans[-1], end=start)
            elif data.get("previous") is not None and data.get("previous_start_time"):
                before = datetime.fromisoformat(data["previous_start_time"])
                spans.append(_span(data["previous"], before, start))
            spans.append(_span(data["state"], start, None))
        return spans

    async def stops(
        self, ids: Collection[str], plants: Collection[str] | None, since: datetime
    ) -> list[Stop]:
        """Told or ended since then, the newest first."""
        rows = await self._events(ids, plants, _STOPS, since, _MOST_SPANS)
        found: dict[str, Stop] = {}
        for row in rows:  # the end, which tells more, comes before its beginning
            data = msgspec.json.decode(row.data)
            end = data.get("end_time")
            stop = Stop(
                event_id=row.event_id,
                start=datetime.fromisoformat(data["start_time"]),
                end=datetime.fromisoformat(end) if end else None,
                reason=data.get("reason_code", ""),
                upstream=data.get("upstream", ""),
            )
            found.setdefault(f"{data['equipment_id']}/{data['rule']}/{data['start_time']}", stop)
        return sorted(found.values(), key=lambda stop: stop.start, reverse=True)

    async def firings(
        self, ids: Collection[str], plants: Collection[str] | None, since: datetime, *, explained: int = 20
    ) -> list[Firing]:
        """The newest first, at most 500; of the first `explained` with what came of them."""
        rows = await self._events(ids, plants, _FIRINGS, since, _MOST_FIRINGS)
        told = rows[:explained]
        effects = await self._effects([row.correlation_id for row in told if row.correlation_id], plants)
        return [
            _firing(row, effects.get(row.correlation_id, ()) if number < explained else ())
            for number, row in enumerate(rows)
        ]

    async def open_work(
        self, ids: Collection[str], plants: Collection[str] | None, stories: Collection[str]
    ) -> list[OpenWork]:
        """Processes that mention the machine and are not over, and open exceptions of their stories.

        stories  correlation ids that are about the machine anyway
        """
        mention = select(business_keys.c.ref).where(
            business_keys.c.key.in_(sorted(ids)), business_keys.c.kind == "process"
        )
        table = processes.c
        about = or_(table.process_id.in_(mention), table.correlation_id.in_(sorted(stories)))
        asked = select(processes).where(table.finished_at == "", about)
        if plants is not None:
            asked = asked.where(table.plant.in_(sorted(plants)))

        def question(connection: Connection) -> list[OpenWork]:
            running = connection.execute(asked.order_by(table.started_at.desc()).limit(_MOST_OPEN)).all()
            known = {*stories, *(row.correlation_id for row in running if row.correlation_id)}
            wrong = exceptions.c
            waiting = (
                select(exceptions)
                .where(wrong.state == ExceptionState.OPEN)
                .where(wrong.correlation_id.in_(sorted(known)))
                .order_by(wrong.last_at.desc())
                .limit(_MOST_OPEN)
            )
            if plants is not None:
                waiting = waiting.where(wrong.plant.in_(sorted(plants)))
            return [
                *(_open_exception(row) for row in connection.execute(waiting)),
                *(_open_process(row) for row in running),
            ]

        return await self._store.read(question)

    async def _events(
        self,
        ids: Collection[str],
        plants: Collection[str] | None,
        types: Collection[str],
        since: datetime,
        limit: int,
    ) -> Sequence[Any]:
        """The newest first; one that is under several of the ids comes once."""
        table = asset_events.c
        asked = select(asset_events).where(
            table.asset_id.in_(sorted(ids)), table.at >= rfc3339(since), table.type.in_(types)
        )
        if plants is not None:
            asked = asked.where(table.plant.in_(sorted(plants)))
        asked = asked.order_by(table.at.desc(), table.event_id.desc()).limit(limit * max(len(ids), 1))

        def question(connection: Connection) -> Sequence[Any]:
            found = {row.event_id: row for row in connection.execute(asked)}
            return [*found.values()][:limit]

        return await self._store.read(question)

    async def _effects(
        self, stories: Collection[str], plants: Collection[str] | None
    ) -> dict[str, tuple[Effect, ...]]:
        """By correlation id; of a story that goes on in other plants, what is of these."""
        if not stories:
            return {}
        begun = select(processes).where(processes.c.correlation_id.in_(sorted(stories)))
        made = select(calls.c.correlation_id, calls.c.document).where(
            calls.c.correlation_id.in_(sorted(stories)), calls.c.document != ""
        )
        if plants is not None:
            begun = begun.where(processes.c.plant.in_(sorted(plants)))
            made = made.where(calls.c.plant.in_(sorted(plants)))

        def question(connection: Connection) -> dict[str, tuple[Effect, ...]]:
            documents: dict[str, list[str]] = defaultdict(list)
            for row in connection.execute(made.order_by(calls.c.created_at)):
                documents[row.correlation_id].append(row.document)
            found: dict[str, tuple[Effect, ...]] = {}
            for row in connection.execute(begun.order_by(processes.c.started_at)):
                effect = Effect(
                    process_id=row.process_id,
                    type=row.type,
                    state=row.state,
                    documents=() if row.correlation_id in found else tuple(documents[row.correlation_id]),
                )
                found[row.correlation_id] = (*found.get(row.correlation_id, ()), effect)
            return found

        return await self._store.read(question)


def _span(number: int, start: datetime, end: datetime | None) -> StateSpan:
    does = Condition.RUNNING if number == PackMLState.EXECUTE else Condition.STANDING
    condition = does if number else Condition.UNKNOWN
    return StateSpan(state=MachineHistory.state_word(number), condition=condition, start=start, end=end)


def _firing(row: Any, effects: tuple[Effect, ...]) -> Firing:
    data = msgspec.json.decode(row.data)
    return Firing(
        event_id=row.event_id,
        rule=data["rule"],
        version=data["rule_version"],
        at=datetime.fromisoformat(row.at),
        story=row.correlation_id,
        value=data.get("value"),
        limit=data.get("limit"),
        unit=data.get("unit", ""),
        effects=effects,
    )


def _open_process(row: Any) -> OpenWork:
    return OpenWork(
        kind="process",
        id=row.process_id,
        title=row.type,
        state=row.state,
        detail=row.cause,
        at=datetime.fromisoformat(row.started_at),
    )


def _open_exception(row: Any) -> OpenWork:
    return OpenWork(
        kind="exception",
        id=row.exception_id,
        title=row.kind.replace("_", " "),
        state=row.state,
        detail=row.cause,
        at=datetime.fromisoformat(row.first_at),
    )
