"""What screens ask of plants: totals of all of them, and the machines, places and nodes of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, or_, select

from lineshaft.contracts.plant_facts import Condition, MachineFacts, NodeSeen, Place, PlantTotals
from lineshaft.ledger.projections.folding import Row, latest
from lineshaft.store import Store
from lineshaft.store.schema import asset_status, equipment_places, outbox, workers
from lineshaft.store.workers import living_workers

__all__ = ["PlantReads"]

Plants = Collection[str] | None
_ROW = msgspec.json.Decoder(Row)
_OPEN_WORK = ("request:", "order:")
_MOST_MACHINES = 5_000
_MOST_COUNTED = 10_000
_ASSET = asset_status.c
_A_MACHINE = or_(_ASSET.equipment_id == "", _ASSET.equipment_id == _ASSET.id)
"""A physical asset whose equipment is known is shown with that."""


class PlantReads:
    """plants: whose rows; None: of all"""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def totals(self, plants: Plants) -> list[PlantTotals]:
        """Of the plants of which anything was told, by name."""
        asked = select(
            _ASSET.plant, _ASSET.condition, func.count().label("number"), func.max(_ASSET.at).label("at")
        )
        asked = asked.where(_A_MACHINE).group_by(_ASSET.plant, _ASSET.condition)
        if plants is not None:
            asked = asked.where(_ASSET.plant.in_(sorted(plants)))

        def question(connection: Connection) -> list[PlantTotals]:
            found: dict[str, PlantTotals] = {}
            for row in connection.execute(asked):
                before = found.get(row.plant) or PlantTotals(plant=row.plant, machines={})
                at = max(filter(None, (before.at, _moment(row.at))), default=None)
                machines = before.machines | {_condition(row.condition): row.number}
                found[row.plant] = PlantTotals(plant=row.plant, machines=machines, at=at)
            return [found[name] for name in sorted(found)]

        return await self._store.read(question)

    async def machines(self, plant: str) -> list[MachineFacts]:
        """All of one plant, the first 5,000."""
        asked = select(asset_status).where(_ASSET.plant == plant).limit(_MOST_MACHINES)
        return await self._store.read(lambda connection: _machines(connection.execute(asked).all()))

    async def found(self, text: str, plants: Plants, limit: int) -> list[MachineFacts]:
        """Machines and physical assets with this in their id."""
        held = func.lower(_ASSET.id).contains(text.lower(), autoescape=True)
        asked = select(_ASSET.id, _ASSET.plant, _ASSET.condition, _ASSET.equipment_id, _ASSET.at)
        asked = asked.where(held).order_by(_ASSET.plant, _ASSET.id).limit(limit)
        if plants is not None:
            asked = asked.where(_ASSET.plant.in_(sorted(plants)))

        def question(connection: Connection) -> list[MachineFacts]:
            return [
                MachineFacts(
                    id=row.id, plant=row.plant, condition=_condition(row.condition), at=_moment(row.at)
                )
                for row in connection.execute(asked)
            ]

        return await self._store.read(question)

    async def places(self, plant: str) -> list[Place]:
        """What master data say of the plant's equipment; empty where none came."""
        asked = select(equipment_places.c.id, equipment_places.c.doc).where(equipment_places.c.plant == plant)

        def question(connection: Connection) -> list[Place]:
            return [
                _place(row.id, latest(_ROW.decode(row.doc), "place") or {})
                for row in connection.execute(asked.order_by(equipment_places.c.id).limit(_MOST_MACHINES))
            ]

        return await self._store.read(question)

    async def nodes(self, plants: Plants) -> list[NodeSeen]:
        """Those that ever worked on this database."""

        def question(connection: Connection) -> list[NodeSeen]:
            living = {name for name, _ in living_workers(connection)}
            asked = select(workers).order_by(workers.c.plant, workers.c.name)
            if plants is not None:
                asked = asked.where(workers.c.plant.in_(sorted(plants)))
            return [
                NodeSeen(
                    name=row.name,
                    plant=row.plant,
                    alive=row.name in living,
                    seen_at=datetime.fromtimestamp(row.seen_at, UTC) if row.seen_at else None,
                )
                for row in connection.execute(asked)
            ]

        return await self._store.read(question)

    async def waiting_events(self) -> int:
        """On their way to the backbone; 10,000 stands for more."""
        some = select(outbox.c.seq).limit(_MOST_COUNTED).subquery()
        return await self._store.read(
            lambda connection: connection.execute(select(func.count()).select_from(some)).scalar_one()
        )


def _machines(rows: Iterable[Any]) -> list[MachineFacts]:
    """A physical asset joins the equipment that it is in."""
    rows = list(rows)
    found = {
        row.id: MachineFacts(
            id=row.id,
            plant=row.plant,
            condition=_condition(row.condition),
            at=_moment(row.at),
            work=_open_work(row.doc),
        )
        for row in rows
        if row.equipment_id in ("", row.id)
    }
    for row in rows:
        machine = found.get(row.equipment_id)
        if machine is not None and row.equipment_id != row.id:
            at = max(filter(None, (machine.at, _moment(row.at))), default=None)
            work = machine.work + _open_work(row.doc)
            found[machine.id] = msgspec.structs.replace(
                machine, assets=(*machine.assets, row.id), at=at, work=work
            )
    return sorted(found.values(), key=lambda machine: machine.id)


def _open_work(doc: bytes) -> int:
    return sum(slot.startswith(_OPEN_WORK) for slot in _ROW.decode(doc).items)


def _place(id: str, told: dict[str, Any]) -> Place:
    return Place(
        id=id,
        level=told.get("equipment_level", ""),
        parent=told.get("parent_equipment_id", ""),
        path=told.get("hierarchy_scope", ""),
    )


def _condition(word: str) -> Condition:
    return Condition(word) if word else Condition.UNKNOWN


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
