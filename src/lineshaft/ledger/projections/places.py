"""Where equipment is in the plant: what its master data say of level, parent and path."""

from __future__ import annotations

from collections.abc import Iterator

from lineshaft.ledger.projections.folding import Fact
from lineshaft.ledger.projections.told import Told

__all__ = ["NAME", "TYPES", "facts"]

NAME = "equipment_places"
TYPES = frozenset({"masterdata.equipment.changed.v1"})
_SHOWN = ("equipment_level", "hierarchy_scope", "parent_equipment_id")


def facts(told: Told) -> Iterator[Fact]:
    yield told.register(told.row(NAME, told.key("id")), "place", told.picked(*_SHOWN))
