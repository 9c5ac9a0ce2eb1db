"""Tables of facts: windows, counts and states. A fact that is told again is there again; queries see one.

After a crash, facts are told again under the same keys, and late readings make new revisions. Rows are only
added; of those with the same key, the view of the table shows the one with the highest revision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import structlog

from lineshaft.core.values import Value
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.model.equipment_state import PackMLState, StateChange
from lineshaft.telemetry.lake.parts import MOMENT, write_part
from lineshaft.telemetry.lake.tables import LakeTable, Part, Shape

__all__ = ["FACTS", "FactKind", "write_facts"]

_log = structlog.get_logger(__name__)
_DAY = pa.schema([("day", pa.date32())])


class FactKind(msgspec.Struct, frozen=True):
    """key: columns that say which fact it is; row: its columns but `day`, of which `start_time` decides"""

    made_of: type[Value]
    shape: Shape
    key: tuple[str, ...]
    row: Callable[[Any], Mapping[str, Any]]

    @property
    def view(self) -> str:
        """SQL: each fact once, over `<table>_rows`."""
        newest = "revision desc" if "revision" in self.shape.fields.names else "detected_at"
        return (
            f"select * from {self.shape.name}_rows qualify row_number() over"  # noqa: S608
            f" (partition by {', '.join(self.key)} order by {newest}) = 1"
        )


def _shape(name: str, **columns: pa.DataType) -> Shape:
    return Shape(name, pa.schema(list(columns.items())), _DAY)


def _aggregate(fact: ReadingsAggregate) -> Mapping[str, Any]:
    return msgspec.structs.asdict(fact) | {"time_in_state": list(fact.time_in_state.items())}


def _count(fact: CountAggregate) -> Mapping[str, Any]:
    quantity = {"quantity": float(fact.quantity.value), "unit": fact.quantity.unit}
    return msgspec.structs.asdict(fact) | quantity


def _state(fact: StateChange) -> Mapping[str, Any]:
    known = fact.state in PackMLState._value2member_map_
    name = PackMLState(fact.state).name.lower() if known else ""
    return msgspec.structs.asdict(fact) | {"state_name": name, "position": fact.evidence.position}


_WHO = {
    "equipment_id": pa.string(),
    "physical_asset_id": pa.string(),
    "rule": pa.string(),
    "rule_version": pa.string(),
    "start_time": MOMENT,
}
_WINDOW = {"end_time": MOMENT, "revision": pa.int64(), "property": pa.string(), "unit": pa.string()}

FACTS = (
    FactKind(
        ReadingsAggregate,
        _shape(
            "aggregates",
            tag=pa.string(),
            **_WHO,
            **_WINDOW,
            count=pa.int64(),
            min=pa.float64(),
            max=pa.float64(),
            mean=pa.float64(),
            last=pa.float64(),
            time_in_state=pa.map_(pa.string(), pa.float64()),
        ),
        ("tag", "rule", "start_time"),
        _aggregate,
    ),
    FactKind(
        CountAggregate,
        _shape(
            "counts",
            **_WHO,
            **_WINDOW,
            epoch=MOMENT,
            from_count=pa.float64(),
            to_count=pa.float64(),
            quantity=pa.float64(),
            complete=pa.bool_(),
        ),
        ("equipment_id", "property", "rule", "epoch", "start_time"),
        _count,
    ),
    FactKind(
        StateChange,
        _shape(
            "states",
            **_WHO,
            state=pa.int64(),
            state_name=pa.string(),
            previous=pa.int64(),
            mode=pa.int64(),
            reason_code=pa.string(),
            previous_start_time=MOMENT,
            detected_at=MOMENT,
            position=pa.string(),
        ),
        ("equipment_id", "rule", "start_time"),
        _state,
    ),
)


def write_facts(table: LakeTable, kind: FactKind, facts: Sequence[Any]) -> None:
    """One commit; days are those of `start_time` in UTC."""
    by_day: dict[str, list[Mapping[str, Any]]] = {}
    for fact in facts:
        by_day.setdefault(_day(fact.start_time), []).append(kind.row(fact))
    parts: list[Part] = []
    try:
        for day, rows in by_day.items():
            parts.append(write_part(table, {"day": day}, _table(kind, rows)))
    except BaseException:
        table.discard(parts)
        raise
    table.commit(parts)


def _table(kind: FactKind, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A value that no column holds must not stop the others: its row is logged, and left out."""
    try:
        return pa.Table.from_pylist(rows, schema=kind.shape.fields)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError) as error:
        if len(rows) > 1:
            return pa.concat_tables(_table(kind, [row]) for row in rows)
        _log.error("lake_fact_left_out", table=kind.shape.name, fact=dict(rows[0]), fault=str(error))
        return kind.shape.fields.empty_table()


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()
