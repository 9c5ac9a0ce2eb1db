"""One effect per key, whatever happens on the way: the effects are counted in the target."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from lineshaft.contracts.authority import Authority
from lineshaft.core.access import Caller
from lineshaft.core.errors import (
    BusinessFault,
    ConfigError,
    ContractViolation,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)
from lineshaft.core.ports import CallContext
from lineshaft.core.values import Command, Event, Origin, Outcome
from lineshaft.store import Store
from lineshaft.store.schema import business_keys, calls, outbox
from tests.books import (
    ACTOR,
    BOOKED,
    PLANT,
    Account,
    Ledgerman,
    Posting,
    answer_lost,
    answers,
    booked,
    booking,
    breaks_after_effect,
    hangs_after_effect,
    no_credentials,
    refused_connection,
    request_lost,
    unknown_material,
)
from tests.rows import rows
from tests.waiting import until

from .conftest import QUICK, OpenDoor, door_on


async def state_of(store: Store) -> list[tuple[str, str]]:
    return sorted((row["state"], row["error_code"]) for row in await rows(store, calls))


async def test_a_call_takes_effect_and_is_noted_with_its_document(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman()
    outcome = await open_door(target).call(booking())
    assert outcome.reply == Posting(reference="R1", amount=100, id="D1")
    assert (outcome.document, outcome.replayed) == ("D1", False)
    assert len(target.effects) == 1
    (row,) = await rows(store, calls)
    assert (row["state"], row["document"], row["attempts"], row["actor"]) == ("posted", "D1", 1, ACTOR)
    assert row["idempotency_key"] == target.effects[0][0]
    assert row["finished_at"] >= row["created_at"] > "2026"
    keys = {(key["key"], key["field"]) for key in await rows(store, business_keys)}
    assert ("R1", "reference") in keys
    assert "D1" in {key for key, _ in keys}


async def test_its_event_leaves_by_the_outbox_with_the_story(store: Store, open_door: OpenDoor) -> None:
    outcome = await open_door(Ledgerman()).call(booking())
    (row,) = await rows(store, outbox)
    event = msgspec.json.decode(row["event"], type=Event)
    assert (event.type, event.subject, event.plant) == (BOOKED.type, "R1", PLANT)
    assert (event.correlationid, event.causationid) == ("story-1", outcome.call_id)
    assert BOOKED.decode(event) == outcome.reply
    assert event.traceparent


async def test_the_same_call_again_returns_what_was_recorded(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman()
    first = await open_door(target).call(booking())
    again = await open_door(target).call(booking(correlation_id="another story"))
    assert again == msgspec.structs.replace(first, replayed=True)
    assert len(target.effects) == target.sends == 1
    assert len(await rows(store, outbox)) == 1


async def test_another_payload_under_a_used_key_is_refused(open_door: OpenDoor) -> None:
    target = Ledgerman()
    door = open_door(target)
    await door.call(booking(amount=100))
    with pytest.raises(ContractViolation, match="another payload"):
        await door.call(booking(amount=101))
    assert len(target.effects) == 1


async def test_a_refused_connection_is_tried_again(open_door: OpenDoor) -> None:
    target = Ledgerman([refused_connection, refused_connection, booked])
    assert (await open_door(target).call(booking())).document == "D1"
    assert (len(target.effects), target.sends, target.lookups) == (1, 3, 0)


async def test_after_all_attempts_it_failed_and_the_next_call_sends(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman([refused_connection] * 4)
    door = open_door(target)
    with pytest.raises(TransientFault, match="connection refused"):
        await door.call(booking())
    assert await state_of(store) == [("failed", "unavailable")]
    assert target.sends == 4
    await door.call(booking())
    assert (len(target.effects), target.lookups) == (1, 0)
    assert await state_of(store) == [("posted", "")]


async def test_an_effect_without_an_answer_is_found_and_not_repeated(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman([answer_lost])
    assert (await open_door(target).call(booking())).document == "D1"
    assert (len(target.effects), target.sends, target.lookups) == (1, 1, 1)
    assert await state_of(store) == [("posted", "")]


async def test_a_lost_request_is_looked_for_twice_and_sent_once_more(open_door: OpenDoor) -> None:
    target = Ledgerman([request_lost])
    await open_door(target).call(booking())
    assert (len(target.effects), target.sends, target.lookups) == (1, 2, 2)


async def test_a_target_that_is_still_at_work_is_given_its_time(open_door: OpenDoor) -> None:
    """After both look-ups would be too late; between them is what settle_s is for."""

    class Late(Ledgerman):
        async def find_post(self, call: CallContext, request: Posting) -> Posting | None:
            found = await super().find_post(call, request)
            if self.lookups == 1:
                asyncio.get_running_loop().call_soon(self.take_effect, call, request)
            return found

    target = Late([request_lost])
    await open_door(target).call(booking())
    assert (len(target.effects), target.sends, target.lookups) == (1, 1, 2)


async def test_a_connector_that_keeps_no_deadline_is_cut_off_and_read_back(open_door: OpenDoor) -> None:
    target = Ledgerman([hangs_after_effect])
    await open_door(target).call(booking())
    assert (len(target.effects), target.sends) == (1, 1)


@pytest.mark.parametrize("turn", [breaks_after_effect, answers(None), answers(Account(account="x"))])
async def test_a_bug_of_the_connector_leaves_the_outcome_open(turn: object, open_door: OpenDoor) -> None:
    target = Ledgerman([turn])  # type: ignore[list-item]
    assert (await open_door(target).call(booking())).document == "D1"
    assert (len(target.effects), target.sends, target.lookups) == (1, 1, 1)


async def test_an_answer_with_a_wrong_field_is_malformed_at_once_not_on_replay(open_door: OpenDoor) -> None:
    wrong = Posting(reference="R1", amount="a lot", id="D1")  # type: ignore[arg-type]
    target = Ledgerman([answers(wrong)])
    outcome = await open_door(target).call(booking())
    assert outcome.reply == Posting(reference="R1", amount=100, id="D1")
    assert (len(target.effects), target.lookups) == (1, 1)


async def test_what_cannot_be_read_back_goes_to_a_person_and_is_never_sent_again(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman([answer_lost], reads_back=False)
    door = open_door(target)
    with pytest.raises(OutcomeUnknown):
        await door.call(booking())
    assert await state_of(store) == [("unknown", "outcome_unknown")]
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="not known"):
            await open_door(target).call(booking())
    assert (len(target.effects), target.sends) == (1, 1)


async def test_while_nothing_can_be_looked_up_nothing_is_sent(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman([answer_lost])
    target.lookup_faults = [
        TransientFault("away"),
        PermanentFault("401"),
        OutcomeUnknown("no answer"),
        BusinessFault("closed"),
        KeyError("bug"),
    ]
    with pytest.raises(TransientFault):
        await open_door(target).call(booking())
    assert await state_of(store) == [("unknown", "lookup_failed")]
    assert (len(target.effects), target.sends, target.lookups) == (1, 1, 3)
    assert (await open_door(target).call(booking())).document == "D1"
    assert (len(target.effects), target.sends) == (1, 1)
    assert await state_of(store) == [("posted", "")]


async def test_a_repeat_after_the_time_of_its_reply_is_known_and_not_sent(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman()
    await open_door(target).call(booking())
    await store.write(
        lambda connection: connection.exec_driver_sql("update calls set request = '', reply = ''") and None
    )
    with pytest.raises(PermanentFault, match="as D1") as refused:
        await open_door(target).call(booking())
    assert (refused.value.code, len(target.effects)) == ("reply_expired", 1)


async def test_a_business_fault_is_never_retried_and_replayed_as_recorded(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman([unknown_material])
    for _ in range(3):
        with pytest.raises(BusinessFault, match="no such account") as caught:
            await open_door(target).call(booking())
        assert (caught.value.code, caught.value.owner) == ("unknown_account", "controlling")
    assert (len(target.effects), target.sends) == (0, 1)
    assert await state_of(store) == [("rejected", "unknown_account")]


async def test_a_permanent_fault_is_not_retried_but_the_next_call_sends(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman([no_credentials])
    door = open_door(target)
    with pytest.raises(PermanentFault):
        await door.call(booking())
    assert target.sends == 1
    assert await state_of(store) == [("failed", "credentials")]
    await door.call(booking())
    assert (len(target.effects), target.lookups) == (1, 0)


@pytest.mark.parametrize(
    ("before", "effects_before", "lookups"), [(hangs_after_effect, 1, 1), (request_lost, 0, 2)]
)
async def test_a_crash_between_sent_and_noted_is_read_back_by_the_next_call(
    before: object, effects_before: int, lookups: int, store: Store
) -> None:
    """The call is cancelled while the answer is awaited: the product went down, the ledger says `sending`."""
    for_ever = 1e9  # of which a pause takes any part
    waiting = msgspec.structs.replace(QUICK, deadline_s=30, backoff_s=for_ever, backoff_max_s=for_ever)
    target = Ledgerman([before])  # type: ignore[list-item]
    call = asyncio.create_task(door_on(store, target, policy=waiting).call(booking()))
    await until(lambda: target.sends == 1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert await state_of(store) == [("sending", "")]
    assert len(target.effects) == effects_before

    await door_on(store, target).call(booking())
    assert (len(target.effects), target.lookups) == (1, lookups)
    assert await state_of(store) == [("posted", "")]


async def test_calls_under_one_key_at_the_same_time_send_once(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman()
    door = open_door(target)
    outcomes = await asyncio.gather(*(door.call(booking()) for _ in range(20)))
    assert {outcome.document for outcome in outcomes} == {"D1"}
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    assert (len(target.effects), target.sends) == (1, 1)
    assert len(door._turns) == 0


async def test_calls_under_many_keys_are_independent(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman([refused_connection, answer_lost, request_lost] * 10)
    door = open_door(target, policy=msgspec.structs.replace(QUICK, concurrency=3))
    # the breaker has its own tests
    door._systems["books.post"].breaker._threshold = 10_000

    async def until_done(reference: str) -> Outcome:
        while True:
            try:
                return await door.call(booking(reference))
            except TransientFault:
                continue

    outcomes = await asyncio.gather(*(until_done(f"R{number}") for number in range(60)))
    assert len({outcome.document for outcome in outcomes}) == 60
    assert target.most_effects_of_one_key == 1
    assert len(target.effects) == 60
    assert await state_of(store) == [("posted", "")] * 60
    assert len(door._turns) == 0


async def test_a_query_is_asked_and_leaves_nothing_behind(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman()
    door = open_door(target)
    await door.call(booking())
    asked = Command(
        operation="books.balance",
        request=Account(account="4711"),
        origin=Origin(plant=PLANT, actor=ACTOR, correlation_id="s"),
    )
    assert (await door.call(asked)).reply.amount == 100
    assert len(await rows(store, calls)) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (TransientFault("away"), TransientFault),
        (OutcomeUnknown("no answer"), TransientFault),
        (PermanentFault("401"), PermanentFault),
        (KeyError("bug"), PermanentFault),
    ],
)
async def test_a_query_that_fails_never_leaves_an_unknown_outcome(
    fault: Exception, expected: type[Exception], open_door: OpenDoor
) -> None:
    target = Ledgerman()
    asked = 0

    async def balance(_call: object, _request: object) -> None:
        nonlocal asked
        asked += 1
        raise fault

    target.balance = balance  # type: ignore[method-assign,assignment]
    question = Command(
        operation="books.balance",
        request=Account(account="4711"),
        origin=Origin(plant=PLANT, actor=ACTOR, correlation_id="s"),
    )
    with pytest.raises(expected):
        await open_door(target).call(question)
    assert asked == (QUICK.attempts if expected is TransientFault else 1)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (booking(plant="ELSEWHERE"), "wrong_plant"),
        (booking(actor="process:stranger"), "not_authorised"),
        (msgspec.structs.replace(booking(), operation="books.missing"), "no_system"),
    ],
)
async def test_who_may_not_is_refused_before_anything_is_written(
    command: Command, code: str, store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman()
    with pytest.raises(PermanentFault) as caught:
        await open_door(target).call(command)
    assert caught.value.code == code
    assert (target.sends, await rows(store, calls)) == (0, [])


async def test_a_request_that_breaks_its_contract_is_refused_before_anything_is_written(
    store: Store, open_door: OpenDoor
) -> None:
    target = Ledgerman()
    wrong = msgspec.structs.replace(booking(), request=Posting(reference="", amount="x"))  # type: ignore[arg-type]
    with pytest.raises(ContractViolation) as caught:
        await open_door(target).call(wrong)
    assert len(caught.value.findings) == 2
    assert (target.sends, await rows(store, calls)) == (0, [])


def test_two_systems_for_one_operation_are_refused(tmp_path: object) -> None:
    from lineshaft.calls import Door, System
    from lineshaft.core.clock import SystemClock
    from tests.books import Books

    clock = SystemClock()
    systems = [System(name, Ledgerman(), {"books": Books}, QUICK, clock) for name in ("a", "b")]
    with pytest.raises(ConfigError, match="served by both a and b"):
        Door(None, systems, {}, plant=PLANT, source="/x", clock=clock)  # type: ignore[arg-type]


async def test_a_caller_over_http_brings_its_own_permissions(store: Store, open_door: OpenDoor) -> None:
    target = Ledgerman()
    clerk = Caller(name="key:clerk", permissions=frozenset({"call:books.post"}))
    asked = msgspec.structs.replace(booking(actor="key:clerk"), caller=clerk)
    assert (await open_door(target).call(asked)).document == "D1"
    for caller, actor in (
        (Caller(name="key:clerk", permissions=frozenset({"call:books.balance"})), "key:clerk"),
        (clerk, ACTOR),  # nobody asks in the name of a process
        (None, "key:clerk"),
    ):
        command = msgspec.structs.replace(booking("R2", actor=actor), caller=caller)
        with pytest.raises(PermanentFault) as refused:
            await open_door(target).call(command)
        assert refused.value.code == "not_authorised"
    assert len(target.effects) == 1


async def test_the_data_authority_holds_for_callers_and_not_for_processes(
    store: Store, open_door: OpenDoor
) -> None:
    class Nobody(Authority):
        def check_command(self, *_: object) -> None:
            raise PermanentFault("posting is mastered by erp", code="not_the_master")

    target = Ledgerman()
    door = open_door(target, authority=Nobody({}))
    clerk = Caller(name="key:clerk", permissions=frozenset({"call:*"}))
    with pytest.raises(PermanentFault) as refused:
        await door.call(msgspec.structs.replace(booking(actor="key:clerk"), caller=clerk))
    assert refused.value.code == "not_the_master"
    assert target.sends == 0
    assert (await door.call(booking())).document == "D1"
