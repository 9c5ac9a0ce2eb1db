"""Taking events in: whatever is asked together, each identity is taken once, for one content."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineshaft.core.arrivals import Arrival, Taken, arrival_id
from lineshaft.ledger.intake import Intake, _Asked, _take_together
from lineshaft.store import Store
from lineshaft.store.schema import api_requests, outbox, request_claims
from tests.clocks import ManualClock
from tests.examples import examples
from tests.gateway.events.telling import SOURCE, threshold_event
from tests.ledger.requests.noting import note
from tests.rows import rows

REQUESTS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("xy")), min_size=1, max_size=4), max_size=8
)


def arrival(number: int, content: str = "x") -> Arrival:
    told_as = f"{SOURCE}|{number}"
    event = threshold_event(number, id=arrival_id(told_as), idempotencykey=content)
    return Arrival(event=event, told_as=told_as, fingerprint=content, caller="key:historian")


@given(REQUESTS, st.integers(0, 8))
@settings(
    max_examples=examples(15),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_as_one_after_the_other(
    migrated_sqlite: Path, asked: list[list[tuple[int, str]]], first: int
) -> None:
    """Requests in one commit, after some in commits of their own, are answered as if each came alone."""

    async def play() -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "lineshaft.db"
            shutil.copy(migrated_sqlite, path)
            store = Store.open(f"sqlite:///{path}")
            requests = [[arrival(*each) for each in request] for request in asked]
            intake = Intake(store, ManualClock())
            answers = [await intake.take(each) for each in requests[:first]]
            together = [_Asked(each, "2026-03-02") for each in requests[first:]]
            if together:
                answers += await store.write(lambda connection: _take_together(connection, together))
            assert answers == expected(asked)
            held = {row["key"]: row["fingerprint"] for row in await rows(store, request_claims)}
            sent = {row["event_id"] for row in await rows(store, outbox)}
            assert sent == {arrival_id(key) for key in held}
            assert held == {f"{SOURCE}|{number}": content for number, content in taken(asked).items()}
            await store.close()

    asyncio.run(play())


def expected(asked: list[list[tuple[int, str]]]) -> list[list[Taken]]:
    known: dict[int, str] = {}
    answers = []
    for request in asked:
        mine = dict(known)
        told = []
        for number, content in request:
            told.append(
                Taken.NEW
                if number not in mine
                else Taken.REPLAYED
                if mine[number] == content
                else Taken.REUSED
            )
            mine.setdefault(number, content)
        if Taken.REUSED not in told:
            known = mine
        answers.append(told)
    return answers


def taken(asked: list[list[tuple[int, str]]]) -> dict[int, str]:
    known: dict[int, str] = {}
    for request, told in zip(asked, expected(asked), strict=True):
        if Taken.REUSED not in told:
            for number, content in request:
                known.setdefault(number, content)
    return known


async def test_a_commit_whose_answer_was_lost_is_no_repeat(store: Store) -> None:
    """The unit runs again on what it wrote itself."""
    asked = [_Asked([arrival(1), arrival(2)], "2026-03-02")]
    for _ in range(2):
        answers = await store.write(lambda connection: _take_together(connection, asked))
        assert answers == [[Taken.NEW, Taken.NEW]]
    assert len(await rows(store, outbox)) == 2
    other = await Intake(store, ManualClock()).take([arrival(1)])
    assert list(other) == [Taken.REPLAYED]


async def test_the_note_is_kept_with_what_is_taken_and_not_with_what_is_refused(store: Store) -> None:
    intake = Intake(store, ManualClock())
    asked = [
        ([arrival(1)], "taken"),
        ([arrival(1)], "taken before"),
        ([arrival(1, "y")], "refused"),
        ([arrival(2)], ""),
    ]
    answers = await asyncio.gather(*(intake.take(each, note(ref) if ref else None) for each, ref in asked))
    assert [list(each) for each in answers] == [[Taken.NEW], [Taken.REPLAYED], [Taken.REUSED], [Taken.NEW]]
    assert {row["ref"] for row in await rows(store, api_requests)} == {"taken", "taken before"}
