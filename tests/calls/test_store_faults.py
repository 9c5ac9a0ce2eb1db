"""The ledger cannot be written, at every point of a call: never a second effect, never a lost one."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineshaft.calls import Door
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import BusinessFault, LineshaftError, OutcomeUnknown, TransientFault
from lineshaft.core.ids import new_id
from lineshaft.ledger import Audit, Claims
from lineshaft.store import Outbox, Store
from lineshaft.store.schema import calls, outbox
from lineshaft.store.writer import Together
from tests.books import (
    ACTOR,
    PLANT,
    Books,
    Ledgerman,
    Turn,
    answer_lost,
    booked,
    booking,
    breaks_after_effect,
    commits_late,
    refused_connection,
    request_lost,
    unknown_material,
)
from tests.examples import examples
from tests.rows import rows

from .conftest import QUICK, door_on


class FaultyStore:
    """A store whose nth write fails: before it is done, or after it was committed and before it was told."""

    def __init__(self, store: Store, at: int, *, committed: bool) -> None:
        self._store = store
        self._at = at
        self._committed = committed
        self.writes = 0

    async def write_together(self, work: Together[object, object], item: object) -> object:
        self.writes += 1
        if self.writes != self._at:
            return await self._store.write_together(work, item)
        if self._committed:
            await self._store.write_together(work, item)
        raise TransientFault("the database does not take writes")


def faulty_door(store: FaultyStore, target: Ledgerman, real: Store) -> Door:
    from lineshaft.calls import System

    clock = SystemClock()
    claims = Claims(store, Outbox(real), Audit("node", clock), clock)  # type: ignore[arg-type]
    system = System("books", target, {"books": Books}, QUICK, clock)
    permissions = {ACTOR: frozenset(("books.post",))}
    return Door(claims, [system], permissions, plant=PLANT, source="/x", clock=clock)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("turn", [booked, answer_lost, request_lost, refused_connection, breaks_after_effect])
async def test_any_write_of_a_call_may_fail(turn: Turn, at: int, committed: bool, store: Store) -> None:
    target = Ledgerman([turn])
    with pytest.raises(TransientFault):
        await faulty_door(FaultyStore(store, at, committed=committed), target, store).call(booking())

    assert (await door_on(store, target).call(booking())).document == "D1"
    assert len(target.effects) == 1
    assert [row["state"] for row in await rows(store, calls)] == ["posted"]
    assert len(await rows(store, outbox)) == 1


@pytest.mark.parametrize("committed", [False, True])
async def test_without_read_back_an_unnoted_effect_goes_to_a_person(committed: bool, store: Store) -> None:
    target = Ledgerman(reads_back=False)
    with pytest.raises(TransientFault):
        await faulty_door(FaultyStore(store, 2, committed=committed), target, store).call(booking())
    if committed:
        assert (await door_on(store, target).call(booking())).replayed
    else:
        with pytest.raises(OutcomeUnknown):
            await door_on(store, target).call(booking())
    assert (len(target.effects), target.sends) == (1, 1)


@pytest.mark.parametrize("reads_back", [True, False])
async def test_a_claim_whose_commit_was_not_answered_is_still_a_first_claim(
    reads_back: bool, store: Store
) -> None:
    """The unit runs again after a lost connection, and must not take its own row for a stranger's."""
    target = Ledgerman(reads_back=reads_back)

    class Twice:
        async def write_together(self, work: Together[object, object], item: object) -> object:
            await store.write_together(work, item)
            return await store.write_together(work, item)

    door = faulty_door(Twice(), target, store)  # type: ignore[arg-type]
    assert (await door.call(booking())).document == "D1"
    assert (target.sends, target.lookups) == (1, 0)
    target.turns = [refused_connection] * 4
    with pytest.raises(TransientFault):
        await door.call(booking("R2"))
    assert (await door.call(booking("R2"))).document == "D2"
    assert (len(target.effects), target.lookups) == (2, 0)


TURNS: list[Turn] = [
    booked,
    answer_lost,
    request_lost,
    refused_connection,
    breaks_after_effect,
    unknown_material,
    commits_late(0.004),
]


@settings(
    max_examples=examples(15),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    turns=st.lists(st.sampled_from(TURNS), max_size=8),
    committed=st.lists(st.booleans(), min_size=6, max_size=6),
    data=st.data(),
)
async def test_any_story_of_faults_ends_with_one_effect_or_one_refusal(
    turns: list[Turn], committed: list[bool], data: st.DataObject, store: Store
) -> None:
    """Start after start of the product on the same ledger, with a fault of the store in each."""
    target = Ledgerman(turns)
    reference = new_id()
    for run in range(6):
        faulty = FaultyStore(store, data.draw(st.integers(1, 4)), committed=committed[run])
        try:
            await faulty_door(faulty, target, store).call(booking(reference))
        except LineshaftError:
            continue
        break
    target.turns = []
    last = asyncio.create_task(door_on(store, target).call(booking(reference)))
    await asyncio.wait([last])
    refused = last.exception()
    if refused is None:
        assert len(target.effects) == 1
        assert last.result().reply.reference == reference
    else:
        assert isinstance(refused, BusinessFault)
        assert target.effects == []
