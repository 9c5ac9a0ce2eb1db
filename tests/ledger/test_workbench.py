"""The workbench: seen, corrected, redriven, followed to the document, and audited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import update

from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.core.errors import ChangedMeanwhile, ConfigError, ContractViolation, PermanentFault
from lineshaft.core.exceptions import Chosen
from lineshaft.core.values import ExceptionKind
from lineshaft.ledger import Audit, AuditEntry, Verdict, audit_rows, verify_audit
from lineshaft.ledger.corrections import with_values
from lineshaft.ledger.workbench import Fixed, Redriven
from lineshaft.store import Store
from lineshaft.store.schema import audit, exceptions, process_steps, processes
from lineshaft.store.statements import put
from tests.ledger.exceptions_at_work import WHY, Bench, dead_event, parked, reading
from tests.rows import rows
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


async def _is(found: Awaitable[object]) -> bool:
    return bool(await found)


async def audited(store: Store) -> list[tuple[str, str, str]]:
    found = await store.read(audit_rows)
    return [(row["actor"], row["action"], row["reason"]) for row in reversed(found)]


async def test_exceptions_are_listed_and_counted(bench: Bench) -> None:
    await bench.desk.report([dead_event(1), dead_event(2), reading(), parked(), parked()])
    found = await bench.work.listing(Chosen(kind=ExceptionKind.BUSINESS_FAULT), 10)
    assert [(row["source"], row["count"], "payload" in row) for row in found] == [
        ("process repair PUMP-7", 2, False)
    ]
    assert len(await bench.work.listing(Chosen(source="filler-2"), 10)) == 1
    assert len(await bench.work.listing(Chosen(), 2)) == 2
    by_owner = await bench.work.group(Chosen(), "owner")
    assert [(row["owner"], row["exceptions"], row["seen"]) for row in by_owner] == [
        ("plant-engineering", 3, 3),
        ("maintenance", 1, 2),
    ]


async def test_one_is_shown_with_all_that_is_known(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    shown = await bench.work.show((await bench.one())[:8])
    assert (shown["payload"]["unit"], shown["carrier"], shown["state"]) == (7, "event", "open")
    assert any(finding.startswith("unit: ") for finding in shown["findings"])
    assert "correct the payload" in shown["next_step"]
    msgspec.json.encode(shown)


async def test_an_event_is_corrected_and_published_anew(bench: Bench) -> None:
    record = dead_event()
    await bench.desk.report([record])
    fixed = await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    assert (fixed.findings, fixed.revision, fixed.payload["unit"]) == ([], 1, "BAR")
    (row,) = await rows(bench.store, exceptions)
    assert (row["payload"], row["state"]) == (record.payload, "open")
    (told,) = await bench.redrive()
    assert (told.verdict, told.detail) == (Verdict.WAITING, "the event is on its way")
    (event,) = await bench.sent()
    assert record.event is not None
    assert event.causationid == row["exception_id"]
    assert event.id not in (record.event.id, row["exception_id"])
    assert event.payload["unit"] == "BAR"
    same = {"correlationid": event.correlationid, "subject": event.subject, "source": event.source}
    assert {name: getattr(record.event, name) for name in same} == same
    assert await audited(bench.store) == [
        ("anna", "exception.fixed", WHY["reason"]),
        ("anna", "exception.redriven", WHY["reason"]),
    ]
    assert (await bench.store.read(verify_audit)).findings == []


async def test_a_subject_follows_the_corrected_key(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    await bench.work.fix(await bench.one(), values=["unit=BAR", "equipment_id=FILLER-9"], **WHY)
    await bench.redrive()
    (event,) = await bench.sent()
    assert (event.subject, event.partitionkey) == ("FILLER-9", "FILLER-9")


async def test_a_payload_that_breaks_its_contract_is_not_kept(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    fixed = await bench.work.fix(await bench.one(), values=["unit=8"], **WHY)
    assert (fixed.revision, fixed.findings[0][:5]) == (0, "unit:")
    (row,) = await rows(bench.store, exceptions)
    assert (row["revision"], len(row["corrected"])) == (0, 0)
    (told,) = await bench.redrive()
    assert (told.verdict, told.findings[0][:5]) == (Verdict.REFUSED, "unit:")
    assert (await bench.sent(), await audited(bench.store), await bench.state()) == ([], [], "open")


async def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    await bench.desk.report([dead_event(data=THRESHOLD_EXCEEDED.make.__doc__.encode())])  # no JSON at all
    dry = {"by": "anna", "reason": "", "dry_run": True}
    good = dead_event().payload.replace(b'"unit":7', b'"unit":"BAR"')
    assert (await bench.work.fix(await bench.one(), payload=good, **dry)).findings == []
    (told,) = await bench.redrive(dry_run=True, reason="")
    assert told.verdict is Verdict.REFUSED
    await bench.work.fix(await bench.one(), payload=good, **WHY)
    (told,) = await bench.redrive(dry_run=True, reason="")
    kind = THRESHOLD_EXCEEDED.type
    assert (told.verdict, told.does) == (Verdict.WOULD, f"publish {kind} with revision 1 of the payload")
    assert (await bench.sent(), await bench.state()) == ([], "open")


@pytest.mark.parametrize("verb", ["fix", "redrive", "discard"])
async def test_what_is_done_needs_a_reason(verb: str, bench: Bench) -> None:
    await bench.desk.report([parked()])
    why = {"by": "anna", "reason": "  "}
    doing: dict[str, Any] = {
        "fix": bench.work.fix(await bench.one(), values=["amount=2"], **why),
        "redrive": bench.work.redrive(Chosen(), **why),
        "discard": bench.work.discard(Chosen(), **why),
    }
    for name, work in doing.items():
        if name != verb:
            work.close()
    with pytest.raises(PermanentFault, match="a reason is missing"):
        await doing[verb]
    assert await bench.state() == "open"


async def test_a_redriven_event_is_followed_to_its_documents(bench: Bench) -> None:
    await bench.desk.report([dead_event(correlation_id="story-1")])
    await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    asked = asyncio.create_task(bench.redrive(wait_s=PATIENCE_S))
    await until(lambda: _is(bench.sent()))
    (event,) = await bench.sent()
    await bench.log.record([event])
    await bench.process(state="running", causation_id=event.id)
    await bench.call()
    await bench.redriving.settle()
    assert await bench.state() == "redriven"
    await bench.store.write(
        lambda connection: connection.exec_driver_sql("update processes set state = 'waiting'") and None
    )
    (told,) = await asked
    assert (told.verdict, told.detail) == (Verdict.POSTED, "repair PUMP-7 is waiting")
    assert [(each.system, each.number) for each in told.documents] == [("cmms", "D-1")]
    assert await bench.state() == "resolved"
    assert [action for _, action, _ in await audited(bench.store)][-1] == "exception.resolved"


async def test_what_else_its_story_did_is_not_what_a_redriven_event_did(bench: Bench) -> None:
    await bench.process(state="waiting", causation_id="another event")
    await bench.call()
    await bench.desk.report([dead_event(correlation_id="story-1")])
    await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    (told,) = await bench.redrive()
    assert (told.verdict, told.detail, told.documents) == (Verdict.WAITING, "the event is on its way", [])
    await bench.log.record(await bench.sent())
    await bench.redriving.settle()
    assert await bench.state() == "redriven"


async def test_an_event_whose_process_had_ended_before_is_done_when_it_has_come(bench: Bench) -> None:
    await bench.process("p1", state="waiting", causation_id="another event")
    await bench.process("p2", state="completed", business_key="PUMP-8")
    await bench.process("p3", state="waiting", business_key="PUMP-9")
    await bench.desk.report([dead_event(correlation_id="story-1")])
    await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    bench.under_its_key = ["p2"]
    (told,) = await bench.redrive()
    assert (told.verdict, told.detail) == (Verdict.WAITING, "the event is on its way")
    await bench.log.record(await bench.sent())
    bench.under_its_key = ["p3"]  # not at its end
    await bench.redriving.settle()
    assert await bench.state() == "redriven"
    bench.under_its_key = ["p2"]
    (found,) = (await bench.redriving.outcomes([told.exception_id], 0.0, by="anna")).values()
    assert (found.verdict, found.detail) == (Verdict.POSTED, "repair PUMP-8 is completed")
    assert await bench.state() == "resolved"


@pytest.mark.parametrize("state", ["sending", "unknown"])
async def test_a_call_under_way_is_not_posted(state: str, bench: Bench) -> None:
    await bench.desk.report([parked()])
    await bench.redrive()
    await bench.process(state="waiting")
    await bench.call("c1")
    await bench.call("c2", state=state, document="")
    await bench.redriving.settle()
    assert await bench.state() == "redriven"


async def test_an_event_that_no_process_takes_is_done_when_recorded(store: Store) -> None:
    bench = Bench(store, taken_in=())
    await bench.desk.report([dead_event()])
    await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    await bench.redrive()
    await bench.redriving.settle()
    assert await bench.state() == "redriven"
    await bench.log.record(await bench.sent())
    await bench.redriving.settle()
    assert await bench.state() == "resolved"


async def test_an_event_that_fails_again_opens_the_same_exception(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    await bench.redrive()
    (event,) = await bench.sent()
    await bench.desk.report([dead_event(ref=event.id, cause="rule: no such rule", event=event)])
    (row,) = await rows(bench.store, exceptions)
    assert (row["state"], row["count"], row["cause"]) == ("open", 2, "rule: no such rule")
    shown = await bench.work.show(row["exception_id"])
    assert shown["led_to"].verdict is Verdict.FAILED
    await bench.redrive()  # the same correction once more: another event
    assert len({each.id for each in await bench.sent()}) == 2


async def test_a_process_that_its_event_parks_tells_the_other_exception(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    await bench.work.fix(await bench.one(), values=["unit=BAR"], **WHY)
    (first,) = await bench.redrive()
    (event,) = await bench.sent()
    await bench.process(state="parked", causation_id=event.id, cause="closed period")
    await bench.desk.report([parked()])
    shown = await bench.work.show(first.exception_id)
    assert shown["led_to"].verdict is Verdict.FAILED
    assert "closed period (exception " in shown["led_to"].detail
    assert shown["state"] == "redriven"


async def test_they_are_redriven_in_the_order_in_which_they_happened(bench: Bench) -> None:
    good = dead_event().payload.replace(b'"unit":7', b'"unit":"BAR"')
    for number in (3, 1, 2):
        await bench.desk.report([dead_event(number, good, cause="the consumer crashed")])
    bad = dead_event(4)
    await bench.desk.report([bad])
    told = await bench.redrive()
    assert [each.verdict for each in told] == [Verdict.WAITING] * 3 + [Verdict.REFUSED]
    wanted = [dead_event(number).event for number in (3, 1, 2)]
    assert [event.correlationid for event in await bench.sent()] == [
        event.correlationid for event in wanted if event is not None
    ]


async def test_only_what_is_open_is_touched(bench: Bench) -> None:
    await bench.desk.report([parked()])
    one = await bench.one()
    assert await bench.work.discard(Chosen(ids=[one]), **WHY) == [one]
    assert await bench.state() == "discarded"
    for work in (
        bench.redrive(one),
        bench.work.discard(Chosen(ids=[one]), **WHY),
        bench.work.fix(one, values=["amount=2"], **WHY),
    ):
        with pytest.raises(PermanentFault, match="discarded, not open") as refused:
            await work
        assert refused.value.code == "not_open"
    assert await bench.redrive() == []
    await bench.desk.report([parked()])
    assert await bench.state() == "open"


async def test_of_two_people_who_saw_the_same_one_corrects(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    one = await bench.one()
    assert (await bench.work.show(one))["decisions"] == 0
    told = await asyncio.gather(
        *(
            bench.work.fix(one, values=["unit=BAR", f"property={by}"], by=by, reason="r", seen=0)
            for by in ("anna", "ben")
        ),
        return_exceptions=True,
    )
    (kept,) = [each for each in told if isinstance(each, Fixed)]
    (refused,) = [each for each in told if isinstance(each, ChangedMeanwhile)]
    shown = await bench.work.show(one)
    (done,) = shown["history"]
    assert (refused.by, refused.at, refused.code) == (done["actor"], done["at"], "changed_meanwhile")
    assert f"was fixed by {done['actor']} at 2026-03-02 06:00:" in str(refused)
    assert (shown["corrected"]["property"], shown["revision"]) == (done["actor"], 1)
    assert kept.decisions == shown["decisions"] == 1
    again = await bench.work.fix(one, values=["unit=KPA"], by="cleo", reason="r", seen=1)
    assert (again.revision, again.decisions) == (2, 2)
    assert (await bench.work.fix(one, values=["unit=BAR"], by="dora", reason="r")).revision == 3


async def test_who_checks_or_corrects_what_is_closed_is_told_who_closed_it(bench: Bench) -> None:
    await bench.desk.report([dead_event()])
    one = await bench.one()
    await bench.work.assign(Chosen(ids=[one]), "ben", by="ben", reason="")  # changes nothing of it
    assert (
        await bench.work.fix(one, values=["unit=BAR"], by="", reason="", dry_run=True, seen=0)
    ).findings == []
    await bench.work.discard(Chosen(ids=[one]), by="anna", reason="a test")
    for dry_run in (True, False):
        with pytest.raises(ChangedMeanwhile, match="was discarded by anna at ") as refused:
            await bench.work.fix(one, values=["unit=BAR"], by="ben", reason="r", dry_run=dry_run, seen=0)
        assert refused.value.by == "anna"


async def test_a_decision_about_the_process_counts_for_its_exception(bench: Bench) -> None:
    await bench.process(state="parked")
    await bench.desk.report([parked()])
    one = await bench.one()
    done = AuditEntry(actor="anna", action="process.corrected", subject="p1", reason="r")
    await bench.store.write(lambda connection: Audit("node", bench.clock).append(connection, [done]))
    assert (await bench.work.show(one))["decisions"] == 1
    with pytest.raises(ChangedMeanwhile, match="was corrected by anna"):
        await bench.work.fix(one, values=["amount=2"], by="ben", reason="r", seen=0)
    assert (await bench.work.fix(one, values=["amount=2"], by="ben", reason="r", seen=1)).revision == 1


async def test_of_two_people_one_redrives(bench: Bench) -> None:
    good = dead_event().payload.replace(b'"unit":7', b'"unit":"BAR"')
    await bench.desk.report([dead_event(data=good)])
    told = await asyncio.gather(bench.redrive(), bench.redrive(), return_exceptions=True)
    assert len(await bench.sent()) == 1

    def has_lost(told: list[Redriven] | BaseException) -> bool:
        """Who comes a moment later finds nothing open any more."""
        return isinstance(told, PermanentFault) or not told or told[0].verdict is Verdict.REFUSED  # type: ignore[index]

    assert sorted(map(has_lost, told)) == [False, True]
    assert [action for _, action, _ in await audited(bench.store)] == ["exception.redriven"]


@pytest.mark.parametrize("given", ["", "no-such", "0" * 36])
async def test_an_unknown_id_is_refused(given: str, bench: Bench) -> None:
    with pytest.raises(PermanentFault, match="there is no exception") as refused:
        await bench.work.show(given)
    assert refused.value.code == "no_such_exception"


async def test_the_beginning_of_several_ids_is_refused(bench: Bench) -> None:
    await bench.desk.report([dead_event(number) for number in range(17)])  # of 16 digits, one comes twice
    begin = [row["exception_id"][0] for row in await bench.work.listing(Chosen(), 17)]
    twice = next(digit for digit in begin if begin.count(digit) > 1)
    with pytest.raises(PermanentFault, match="several exceptions begin with"):
        await bench.redrive(twice)


async def test_a_process_is_retried(bench: Bench) -> None:
    await bench.desk.report([parked()])
    (told,) = await bench.redrive()
    assert (told.verdict, told.does, bench.processes.retried) == (
        Verdict.WAITING,
        "retry process repair PUMP-7",
        ["p1"],
    )
    await bench.process(state="completed")
    await bench.redriving.settle()
    assert await bench.state() == "resolved"


async def test_a_process_goes_on_with_the_corrected_request_of_its_step(bench: Bench) -> None:
    await bench.process(state="parked", at_step="3", input='{"amount": 1}')
    step = {"process_id": "p1", "step": "3", "kind": "call", "input": '{"account": "old"}'}
    await bench.store.write(lambda connection: put(connection, process_steps, [step]))
    await bench.desk.report([parked()])
    one = await bench.one()
    assert (await bench.work.show(one))["payload"] == {"account": "old"}
    await bench.work.fix(one, values=["account=6300"], **WHY)
    assert bench.processes.corrected == []  # nothing moves before the redrive
    await bench.redrive()
    assert bench.processes.corrected == [("p1", b'{"account":6300}')]
    (row,) = await rows(bench.store, exceptions)
    assert (row["revision"], len(row["corrected"])) == (0, 0)  # used up: the next step has another request


async def test_a_process_that_cannot_go_on_leaves_its_exception_open(bench: Bench) -> None:
    await bench.desk.report([parked()])
    bench.processes.away = ConfigError("repair PUMP-7 is waiting: no retry now")
    (told,) = await bench.redrive()
    assert told.verdict is Verdict.REFUSED
    assert "no retry now" in told.findings[0]
    assert await bench.state() == "open"


async def test_a_process_that_parks_again_opens_its_exception_whatever_the_cause(bench: Bench) -> None:
    await bench.desk.report([parked()])
    await bench.redrive()
    await bench.process(state="parked", cause="another cause")
    await bench.redriving.settle()
    assert await bench.state() == "open"
    await bench.desk.report([parked(cause="another cause")])
    (row,) = await rows(bench.store, exceptions)
    assert (row["count"], row["cause"]) == (2, "another cause")


async def test_what_people_finish_at_the_process_closes_its_exception(bench: Bench) -> None:
    await bench.desk.report([parked()])
    await bench.process(state="completed")
    await bench.redriving.settle()
    assert await bench.state() == "resolved"
    assert await audited(bench.store) == [("operator", "exception.resolved", "")]


async def test_a_webhooks_body_is_read_again(bench: Bench) -> None:
    body = dead_event().payload
    await bench.desk.report(
        [parked(source="/webhooks/cmms/order-completed", payload=body, ref="", correlation_id="")]
    )
    one = await bench.one()
    assert (await bench.work.show(one))["carrier"] == "webhook"
    assert (await bench.work.fix(one, values=["unit=BAR"], **WHY)).findings == []
    await bench.redrive()
    (event,) = await bench.sent()
    assert (event.causationid, event.source) == (one, "/acme/NSP/cmms/main")


async def test_a_body_that_tells_nothing_closes_its_exception(bench: Bench) -> None:
    await bench.desk.report([parked(source="/webhooks/cmms/order-completed", payload=b"{}", ref="")])
    (told,) = await bench.redrive()
    assert (told.verdict, await bench.state(), await bench.sent()) == (Verdict.POSTED, "resolved", [])


async def test_a_system_that_is_gone_is_named(bench: Bench) -> None:
    await bench.desk.report([parked(source="/webhooks/wms/moved", payload=b"{}", ref="")])
    (told,) = await bench.redrive()
    assert "no system 'wms' sends webhooks here" in told.findings[0]


async def test_a_reading_goes_to_its_topic_again(bench: Bench) -> None:
    await bench.desk.report([reading()])
    await bench.work.fix(await bench.one(), payload=b'{"value": 4.2}', **WHY)
    bench.topics.taken_in = False
    (told,) = await bench.redrive()
    assert bench.topics.published == [("plant/nsp/filler-2/p", b'{"value": 4.2}')]
    assert (told.verdict, await bench.state()) == (Verdict.WAITING, "redriven")
    bench.topics.taken_in = True
    await bench.redriving.settle()
    assert await bench.state() == "resolved"


@pytest.mark.parametrize("early", [True, False], ids=["before we know its position", "after"])
async def test_a_reading_that_is_malformed_again_opens_the_same_exception(early: bool, bench: Bench) -> None:
    await bench.desk.report([reading()])
    bench.topics.reports = reading(cause="still no number") if early else None
    bench.topics.taken_in = early
    (told,) = await bench.redrive()
    if not early:
        await bench.desk.report([reading(ref="LS_RAW:101", cause="still no number")])
        bench.topics.taken_in = True
        await bench.redriving.settle()
    else:
        assert (told.verdict, told.detail) == (Verdict.FAILED, "still no number")
    (row,) = await rows(bench.store, exceptions)
    assert (row["state"], row["count"], row["cause"]) == ("open", 2, "still no number")


async def test_a_redrive_sends_the_newest_message_and_no_correction_of_one_before(bench: Bench) -> None:
    await bench.desk.report([reading()])
    await bench.work.fix(await bench.one(), payload=b'{"value": 4.2}', **WHY)
    await bench.desk.report([reading(ref="LS_RAW:8", payload=b'{"value": "low"}')])
    await bench.redrive()
    assert bench.topics.published == [("plant/nsp/filler-2/p", b'{"value": "low"}')]
    assert await bench.state() == "resolved"


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("early", [True, False], ids=["before we know its position", "after"])
async def test_one_with_the_same_cause_again_is_open(early: bool, corrected: bool, bench: Bench) -> None:
    await bench.desk.report([reading()])
    if corrected:
        await bench.work.fix(await bench.one(), payload=b'{"value": "lower"}', **WHY)
    sent = reading(payload=b'{"value": "lower"}' if corrected else b'{"value": "high"}')
    bench.topics.reports = sent if early else None
    bench.topics.taken_in = False
    (told,) = await bench.redrive()
    if not early:
        await bench.desk.report([replace(sent, ref="LS_RAW:101")])
    bench.topics.taken_in = True
    await bench.redriving.settle()
    (row,) = await rows(bench.store, exceptions)
    assert (row["state"], row["count"], row["revision"]) == ("open", 2, int(corrected))
    assert told.verdict is (Verdict.FAILED if early else Verdict.WAITING)


async def test_one_that_a_device_repeats_while_its_redrive_is_under_way_is_open(bench: Bench) -> None:
    await bench.desk.report([reading()])
    bench.topics.taken_in = False
    await bench.redrive()
    await bench.desk.report([reading(ref="LS_RAW:8", payload=b'{"value": "low"}')])
    bench.topics.taken_in = True
    await bench.redriving.settle()
    (row,) = await rows(bench.store, exceptions)
    assert (row["state"], row["count"], row["payload"]) == ("open", 2, b'{"value": "low"}')


async def test_one_resolved_opens_again_with_the_cause_that_it_has_now(bench: Bench) -> None:
    await bench.desk.report([reading()])
    await bench.redrive()
    await bench.desk.report([reading(ref="LS_RAW:101", cause="still no number")])
    await bench.desk.report([reading(ref="LS_RAW:200")])
    (row,) = await rows(bench.store, exceptions)
    assert (row["state"], row["count"], row["cause"]) == ("open", 3, "value is no number")
    assert (row["ref"], row["closed_at"]) == ("LS_RAW:200", "")


async def test_another_exception_that_counts_more_than_what_was_sent_stays(bench: Bench) -> None:
    await bench.desk.report([reading()])
    first = await bench.one()
    others = [reading(cause="still no number", ref=f"LS_RAW:{number}") for number in (8, 9)]
    await bench.desk.report(others)
    bench.topics.reports = reading(cause="still no number")
    (told,) = await bench.redrive(first)
    found = {row["exception_id"]: row for row in await rows(bench.store, exceptions)}
    assert (told.verdict, found[first]["state"], found[first]["count"]) == (Verdict.FAILED, "open", 2)
    assert [row["count"] for each, row in found.items() if each != first] == [3]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (reading("spBv1.0/P/DDATA/e/d"), "numbers its messages"),
        (reading(kind=ExceptionKind.UNKNOWN_TAG), "add the row"),
        (dead_event(event=None), "came in nothing that could be sent again"),
    ],
)
async def test_what_cannot_be_redriven_says_so(record: Any, why: str, bench: Bench) -> None:
    await bench.desk.report([record])
    shown = await bench.work.show(await bench.one())
    assert why in shown["next_step"]
    (told,) = await bench.redrive()
    assert (told.verdict, bench.topics.published) == (Verdict.REFUSED, [])
    assert why in told.findings[0]


async def test_an_unknown_tag_is_redriven_after_a_restart(bench: Bench) -> None:
    await bench.desk.report([reading(kind=ExceptionKind.UNKNOWN_TAG)])
    await bench.store.write(
        lambda connection: (
            connection.execute(update(exceptions).values(last_at="2026-03-02T06:00:00.1Z")) and None
        )
    )
    (told,) = await bench.redrive()
    assert told.verdict is Verdict.POSTED


async def test_each_action_is_one_row_of_the_audit(bench: Bench) -> None:
    await bench.desk.report([parked()])
    await bench.work.fix(await bench.one(), values=["amount=2"], **WHY)
    await bench.work.discard(Chosen(), by="ben", reason="written off")
    found = await rows(bench.store, audit)
    assert [(row["actor"], row["action"], row["chain"]) for row in found] == [
        ("anna", "exception.fixed", "operator"),
        ("ben", "exception.discarded", "operator"),
    ]
    shown = await bench.work.show(await bench.one())
    assert [entry["action"] for entry in shown["history"]] == ["exception.discarded", "exception.fixed"]


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ("a.b=3", b'{"a":{"b":3},"list":[1]}'),
        ("a.c=three", b'{"a":{"b":1,"c":"three"},"list":[1]}'),
        ("list.0=null", b'{"a":{"b":1},"list":[null]}'),
        ('list.1={"x":"="}', b'{"a":{"b":1},"list":[1,{"x":"="}]}'),
        ("a=", b'{"a":"","list":[1]}'),
    ],
)
def test_values_are_set_by_path(change: str, after: bytes) -> None:
    assert with_values(b'{"a": {"b": 1}, "list": [1]}', [change]) == after


@pytest.mark.parametrize("change", ["a", "=1", "x.y=1", "a.b.c=1", "list.5=1", "list.x=1", "list.5.x=1"])
def test_a_path_that_leads_nowhere_is_named(change: str) -> None:
    with pytest.raises(ContractViolation):
        with_values(b'{"a": {"b": 1}, "list": [1]}', [change])


def test_values_cannot_be_set_in_what_is_no_json() -> None:
    with pytest.raises(ContractViolation, match="--payload"):
        with_values(b"\xff", ["a=1"])


async def test_who_looks_after_them_is_kept_and_audited(bench: Bench) -> None:
    await bench.desk.report([dead_event(1), dead_event(2)])
    ids = await bench.work.assign(Chosen(), "ben", by="anna", reason="")
    assert len(ids) == 2
    assert await bench.work.assign(Chosen(ids=ids), "ben", by="anna", reason="again") == ids
    assert await bench.work.assign(Chosen(ids=ids[:1]), "", by="ben", reason="on leave") == ids[:1]
    assert {row["exception_id"]: row["assignee"] for row in await rows(bench.store, exceptions)} == {
        ids[0]: "",
        ids[1]: "ben",
    }
    assert await audited(bench.store) == [
        ("anna", "exception.assigned", ""),
        ("anna", "exception.assigned", ""),
        ("ben", "exception.assigned", "on leave"),
    ]
    shown = await bench.work.show(ids[0])
    assert shown["history"][0]["detail"] == {"to": "", "from": "ben"}


async def test_who_looks_after_it_stays_when_it_comes_again(bench: Bench) -> None:
    await bench.desk.report([reading()])
    await bench.work.assign(Chosen(), "ben", by="anna", reason="")
    await bench.desk.report([reading()])
    (row,) = await rows(bench.store, exceptions)
    assert (row["assignee"], row["count"], row["pattern"]) == ("ben", 2, "value is no number")


async def test_what_parks_again_has_the_pattern_of_its_new_cause(bench: Bench) -> None:
    await bench.process(state="parked")
    await bench.desk.report([parked(cause="closed period 3")])
    await bench.redrive()
    await bench.desk.report([parked(cause="order 4711 is closed")])
    (row,) = await rows(bench.store, exceptions)
    assert (row["cause"], row["pattern"]) == ("order 4711 is closed", "order … is closed")


async def test_decisions_on_what_was_shown_are_not_made_on_more(bench: Bench) -> None:
    await bench.desk.report([dead_event(1), dead_event(2)])
    decisions = [
        bench.work.redrive(Chosen(expect=1), **WHY),
        bench.work.discard(Chosen(expect=3), **WHY),
        bench.work.assign(Chosen(expect=0), "ben", **WHY),
    ]
    for decision in decisions:
        with pytest.raises(PermanentFault, match="2 exceptions are chosen by now") as refused:
            await decision
        assert refused.value.code == "not_as_shown"
    assert {row["state"] + row["assignee"] for row in await rows(bench.store, exceptions)} == {"open"}
    assert len(await bench.work.discard(Chosen(expect=2), **WHY)) == 2


async def test_exceptions_of_other_plants_do_not_exist(bench: Bench) -> None:
    await bench.desk.report([dead_event(1), dead_event(2, plant="LYON")])
    ours, theirs = sorted(await rows(bench.store, exceptions), key=lambda row: row["plant"], reverse=True)
    one, here = theirs["exception_id"], ["NSP"]
    refused = [
        bench.work.show(one, plants=here),
        bench.work.fix(one, values=["unit=BAR"], plants=here, **WHY),
        bench.work.redrive(Chosen(ids=[one], plants=here), **WHY),
        bench.work.discard(Chosen(ids=[ours["exception_id"], one], plants=here), **WHY),
        bench.work.assign(Chosen(ids=[one[:8]], plants=here), "ben", **WHY),
        bench.work.outcomes(Chosen(ids=[one], plants=here)),
    ]
    for decision in refused:
        with pytest.raises(PermanentFault, match=f"there is no exception '{one[:8]}"):
            await decision
    assert await bench.work.discard(Chosen(plants=here), **WHY) == [ours["exception_id"]]
    assert [row["plant"] for row in await bench.work.listing(Chosen(), 10)] == ["LYON"]


async def test_what_became_of_several_is_told_at_once(bench: Bench) -> None:
    await bench.process(state="retrying")
    await bench.desk.report([parked(), dead_event()])
    ids = [row["exception_id"] for row in await bench.work.listing(Chosen(), 10)]
    (of_process,) = [each.exception_id for each in await bench.redrive() if each.does.startswith("retry")]
    await bench.store.write(
        lambda connection: (
            connection.execute(update(processes).values(state="completed", finished_at="now")) and None
        )
    )
    await bench.call()
    found = {each.exception_id: each for each in await bench.work.outcomes(Chosen(ids=ids))}
    done = found.pop(of_process)
    assert (done.state, done.verdict, [each.number for each in done.documents]) == (
        "resolved",
        Verdict.POSTED,
        ["D-1"],
    )
    (other,) = found.values()
    assert (other.state, other.verdict) == ("open", None)  # its payload breaks its contract: it was not sent


@pytest.mark.parametrize(
    ("payload", "form", "shown"),
    [
        (b'{"a": 1}', "json", {"a": 1}),
        ("höher".encode(), "text", "höher"),
        (b"\x00\xff\x10", "hex", "00 ff 10"),
        (b"a\x00b", "hex", "61 00 62"),
        (b"", "text", ""),
    ],
)
async def test_a_payload_is_shown_as_what_it_is(
    bench: Bench, payload: bytes, form: str, shown: object
) -> None:
    await bench.desk.report([reading(payload=payload)])
    told = await bench.work.show(await bench.one())
    assert (told["form"], told["payload"]) == (form, shown)
