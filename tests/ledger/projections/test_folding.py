"""The order in which facts come, and how often, does not show in the rows."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.values import Event
from lineshaft.ledger.projections.folding import Part, Register, Row, State, fold, latest, row_doc
from tests.ledger.projections.plant_events import PROJECTED, docs, folded, told

IDS = st.sampled_from(["A", "B", "C"])
QUANTITIES = st.sampled_from(["1", "2.5", "10.50", "0"])
ID_FIELDS = (
    "id",
    "operations_request_id",
    "material_definition_id",
    "material_lot_id",
    "physical_asset_id",
    "equipment_id",
    "alarm_id",
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(PROJECTED)).removesuffix(".v1")
    at_s = draw(st.integers(0, 5))
    event = told(kind, at_s)
    changes: dict[str, Any] = {name: draw(IDS) for name in ID_FIELDS if name in event.payload}
    for name in ("quantity", "yield_quantity"):
        if name in event.payload and "inspection" not in kind and "nonconformance" not in kind:
            changes[name] = {"value": draw(QUANTITIES), "unit": "C62"}
    if "scrap_reason" in event.payload:
        changes |= {"scrap_reason": None, "rework_reason": None}
    if "source_sequence" in event.payload:
        changes["source_sequence"] = str(draw(st.integers(1, 12)))
    if "revision" in event.payload:
        changes["revision"] = draw(st.integers(0, 2))
    if kind == "production.confirmation.reversed":
        changes |= {"id": "R", "reversal_of": draw(IDS)}
    if changes.get("quantity", {}).get("value") == "0" and not kind.startswith("inventory.balance"):
        changes["quantity"] = {"value": "3", "unit": "C62"}
    return told(
        kind,
        at_s,
        source=draw(st.sampled_from(["/x/erp", "/x/mes"])),
        plant=draw(st.sampled_from(["leipzig", "porto"])),
        sequence=draw(st.sampled_from(["", "", "0001", "0002"])),
        **changes,
    )


@given(st.lists(events(), max_size=25), st.data())
def test_any_order_and_any_repeat_give_the_same_rows(some: list[Event], data: st.DataObject) -> None:
    once = list({event.id: event for event in some}.values())
    again = data.draw(
        st.permutations(once + data.draw(st.lists(st.sampled_from(once)) if once else st.just([])))
    )
    assert docs(folded(again)) == docs(folded(once))


@given(
    st.lists(
        st.builds(
            lambda identity, row, rank, time, sums, item: Part(
                identity=("p", identity),
                row=("rows", "leipzig", row) if row else (),
                slot=f"part:{identity}",
                stamp=(rank, "", time, f"{identity}{row}{rank}{time}{sums}{item}"),
                sums={"made": {"C62": sums}} if sums else {},
                item=item,
            ),
            st.sampled_from(["1", "2"]),
            st.sampled_from(["", "A", "B"]),
            st.integers(0, 1),
            st.sampled_from(["1", "2", "3"]),
            st.decimals(0, 9, places=1),
            st.sampled_from([None, "x", "y"]),
        ),
        max_size=12,
    ),
    st.data(),
)
def test_a_part_counts_at_one_row_whoever_told_which(parts: list[Part], data: st.DataObject) -> None:
    one, other = State(), State()
    fold(one, parts)
    fold(other, data.draw(st.permutations(parts + parts[:3])))
    assert docs(one.rows) == docs(other.rows)
    for key, row in one.rows.items():
        ours = [part for part in one.parts.values() if part.row == key]
        made = sum(part.sums.get("made", {}).get("C62", 0) for part in ours)
        assert row.sums.get("made", {}).get("C62", 0) == made
        assert row.items == {part.slot: part.item for part in ours if part.item is not None}


def test_sequences_order_within_a_source_and_times_between_them() -> None:
    def said(source: str, sequence: str, time: str, value: str) -> Register:
        row = ("rows", "leipzig", "A")
        return Register(row=row, slot="state", source=source, stamp=(0, sequence, time, value), value=value)

    state = State()
    fold(state, [said("erp", "0002", "10", "second"), said("erp", "0001", "11", "first")])
    row = state.rows["rows", "leipzig", "A"]
    assert latest(row, "state") == "second"
    fold(state, [said("mes", "0001", "12", "other")])
    assert latest(row, "state") == "other"
    assert latest(row, "nothing") is None


def test_a_row_is_the_same_text_on_any_way_to_it() -> None:
    assert row_doc(Row(items={"b": 1, "a": 2})) == row_doc(Row(items={"a": 2, "b": 1}))
