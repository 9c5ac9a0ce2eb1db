"""The exceptions desk: one row per cause, counted."""

from __future__ import annotations

import msgspec
import pytest

from lineshaft.core.values import ExceptionKind, ExceptionRecord
from lineshaft.ledger import Desk, Reads
from lineshaft.store import Store
from lineshaft.store.schema import exceptions
from tests.clocks import ManualClock
from tests.rows import rows


def record(**changes: object) -> ExceptionRecord:
    fields: dict[str, object] = {
        "kind": ExceptionKind.UNKNOWN_TAG,
        "plant": "NSP",
        "source": "nsp/filler-2/x",
        "owner": "plant-engineering",
        "cause": "no tag for it",
        "payload": b"\x00\xff",
    }
    return ExceptionRecord(**fields | changes)  # type: ignore[arg-type]


async def test_the_same_again_is_counted(store: Store) -> None:
    clock = ManualClock()
    desk = Desk(store, clock)
    await desk.report([record()])
    clock.advance(60)
    await desk.report([record(payload=b"other"), record(payload=b"last")])
    (row,) = await rows(store, exceptions)
    assert (row["count"], row["state"], row["payload"]) == (3, "open", b"last")
    assert (row["first_at"], row["last_at"]) == ("2026-03-02T06:00:00.000000Z", "2026-03-02T06:01:00.000000Z")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ExceptionKind.DEAD_LETTER},
        {"plant": "OTHER"},
        {"source": "nsp/filler-3/x"},
        {"cause": "another"},
    ],
)
async def test_another_cause_is_another_row(change: dict[str, object], store: Store) -> None:
    await Desk(store, ManualClock()).report([record(), record(**change)])
    assert [row["count"] for row in await rows(store, exceptions)] == [1, 1]


@pytest.mark.parametrize("kind", ["malformed_reading", "unknown_tag", "flood", "device_violation"])
async def test_what_a_device_repeats_is_one_row_with_the_newest_message(kind: str, store: Store) -> None:
    told = [
        record(kind=ExceptionKind(kind), payload=b"%d" % number, ref=f"LS_RAW:{number}", topic="t")
        for number in range(300)
    ]
    await Desk(store, ManualClock()).report(told)
    (row,) = await rows(store, exceptions)
    assert (row["count"], row["payload"], row["ref"]) == (300, b"299", "LS_RAW:299")


async def test_anything_else_has_a_row_for_each_ref(store: Store) -> None:
    dead = record(kind=ExceptionKind.DEAD_LETTER)
    await Desk(store, ManualClock()).report([dead, msgspec.structs.replace(dead, ref="p1")])
    assert [row["count"] for row in await rows(store, exceptions)] == [1, 1]


async def test_a_long_payload_is_cut_and_cannot_be_redriven(store: Store) -> None:
    most = 1024 * 1024
    desk = Desk(store, ManualClock())
    sizes = (most, most + 1)
    await desk.report([record(payload=b"x" * size, cause=str(size), topic="t") for size in sizes])
    found = sorted(await rows(store, exceptions), key=lambda row: str(row["cause"]))
    assert [(len(row["payload"]), row["envelope"]) for row in found] == [(most, '{"topic":"t"}'), (most, "")]


async def test_a_closed_one_that_comes_back_is_open_again(store: Store) -> None:
    desk = Desk(store, ManualClock())
    await desk.report([record()])
    await store.write(
        lambda connection: connection.execute(exceptions.update().values(state="closed")) and None
    )
    assert await Reads(store).open_exceptions() == []
    await desk.report([record()])
    (row,) = await Reads(store).open_exceptions()
    assert row["count"] == 2


async def test_nothing_to_report_is_nothing(store: Store) -> None:
    await Desk(store, ManualClock()).report([])
    assert await rows(store, exceptions) == []


async def test_it_is_part_of_its_unit(store: Store) -> None:
    desk = Desk(store, ManualClock())

    def unit(connection: object) -> None:
        desk.add(connection, msgspec.structs.replace(record(), owner="x"))  # type: ignore[arg-type]
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        await store.write(unit)
    assert await rows(store, exceptions) == []
