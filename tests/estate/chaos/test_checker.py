"""The checker is checked: one effect less or one more, of whatever kind, must not pass."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from estate.chaos.checker import Fact, Held, check

AT = datetime(2026, 3, 2, 6, 0, 0, 250_000, tzinfo=UTC)
RESERVED, SHORT, JOINED = (
    Fact("FIL-01", AT),
    Fact("FIL-02", AT),
    Fact("FIL-01", AT + timedelta(seconds=9)),
)
FACTS = [RESERVED, SHORT, JOINED]


def lines(material: str, reservation: str | None) -> str:
    return json.dumps([{"pos": 1, "partNo": material, "qty": 1.0, "reservationRef": reservation}])


def report(material: str) -> str:
    booked = {"begin": "2026-03-02T06:00:00Z", "end": "2026-03-02T07:30:00Z"}
    labour = [booked | {"hourlyRate": {"amount": "52.00", "currency": "EUR"}}]
    return json.dumps({"partsUsed": [{"partNo": material, "qty": 1}], "labour": labour})


def story() -> Held:
    """WO-1 had its kit reserved and a second finding joined to it; WO-2 waited for a valve."""
    since = "2026-03-02T06:00:00.250000Z"
    return Held(
        requests=[
            {"request_no": "WR-1", "asset_no": "FIL-01", "broken_since": since},
            {"request_no": "WR-2", "asset_no": "FIL-02", "broken_since": since},
        ],
        orders=[
            {"work_order_no": "WO-1", "request_no": "WR-1", "asset_no": "FIL-01"},
            {"work_order_no": "WO-2", "request_no": "WR-2", "asset_no": "FIL-02"},
        ],
        notes=[
            {"work_order_no": "WO-1", "text": "4.9 BAR since 2026-03-02T06:00:09.250000Z, rule high"},
        ],
        task_updates=[
            {"work_order_no": "WO-1", "status": "PARTS_RESERVED", "part_lines": lines("KIT", "AL-1")},
            {"work_order_no": "WO-2", "status": "PARTS_AWAITED", "part_lines": lines("VALVE", None)},
        ],
        completions=[
            {"work_order_no": "WO-1", "document": report("KIT")},
            {"work_order_no": "WO-2", "document": report("VALVE")},
        ],
        allocations=[{"allocation_id": "AL-1", "demand_ref": "WO-1", "demand_line": 1}],
        picks=[{"allocation_id": "AL-1"}],
        ledger_updates=[{"sku": "KIT", "source_seq": "1"}, {"sku": "VALVE", "source_seq": "1"}],
        notices=[{"reference": "WO-2", "kind": "REDUCED"}, {"reference": "WO-2", "kind": "FULL"}],
        requisitions=[{"reference": "WO-2", "material": "VALVE"}],
        consumptions=[
            {"reference": "WO-1", "material": "KIT", "quantity": 1.0},
            {"reference": "WO-2", "material": "VALVE", "quantity": 1.0},
        ],
        labour_costs=[{"reference": "WO-1", "amount": "78.00"}, {"reference": "WO-2", "amount": "78.00"}],
        mirrored={"KIT": Decimal(23), "VALVE": Decimal(5)},
        booked={"KIT": Decimal(23), "VALVE": Decimal(5)},
    )


TABLES = [
    "requests",
    "orders",
    "notes",
    "task_updates",
    "completions",
    "allocations",
    "picks",
    "notices",
    "requisitions",
    "consumptions",
    "labour_costs",
]


def test_the_whole_story_is_single() -> None:
    verdict = check(FACTS, story())
    assert verdict.single, verdict
    assert verdict.asked == verdict.posted == sum(asked for asked, _ in verdict.by_effect.values())
    assert verdict.by_effect["finding"] == (3, 3)
    assert verdict.by_effect["consumption"] == (2, 2)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("position", [0, -1])
def test_a_removed_effect_is_lost(table: str, position: int) -> None:
    rows: list[Any] = list(getattr(story(), table))
    del rows[position]
    verdict = check(FACTS, replace(story(), **{table: rows}))
    assert verdict.lost
    assert not verdict.single
    assert verdict.posted < verdict.asked


@pytest.mark.parametrize("table", [*TABLES, "ledger_updates"])
@pytest.mark.parametrize("position", [0, -1])
def test_a_doubled_effect_is_told(table: str, position: int) -> None:
    rows = list(getattr(story(), table))
    doubled = check(FACTS, replace(story(), **{table: [*rows, rows[position]]}))
    assert doubled.duplicated
    assert not doubled.single


@pytest.mark.parametrize("fact", FACTS)
def test_an_effect_that_nobody_asked_for_is_told(fact: Fact) -> None:
    assert check([other for other in FACTS if other != fact], story()).duplicated


def test_a_fact_of_which_nothing_came_is_lost() -> None:
    verdict = check([*FACTS, Fact("FIL-03", AT)], story())
    assert verdict.lost == ["finding FIL-03 2026-03-02 06:00:00.250000+00:00"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("consumptions", {"quantity": 2.0}),
        ("labour_costs", {"amount": "79.00"}),
        ("consumptions", {"material": "X"}),
    ],
)
def test_a_wrong_amount_is_not_the_effect_that_was_asked(table: str, change: dict[str, object]) -> None:
    first, *rest = getattr(story(), table)
    verdict = check(FACTS, replace(story(), **{table: [first | change, *rest]}))
    assert verdict.lost
    assert verdict.duplicated


def test_a_mirror_that_stayed_behind_the_books_is_told() -> None:
    assert check(FACTS, replace(story(), mirrored={"KIT": Decimal(24), "VALVE": Decimal(5)})).lost


def test_what_a_person_has_is_parked_and_not_lost() -> None:
    unsettled = replace(story(), labour_costs=story().labour_costs[:1])
    verdict = check(FACTS, unsettled, parked=[SHORT])
    assert (verdict.lost, verdict.parked) == ([], ["labour_cost WO-2 78.00"])
    assert not verdict.single
    assert check(FACTS, unsettled, parked=[RESERVED]).lost
