"""Events in: what is taken once, and what is refused with every reason, on a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.backbone import to_message
from lineshaft.contracts.catalogue import EVENTS, THRESHOLD_EXCEEDED
from lineshaft.contracts.event import EventContract
from lineshaft.core.access import LOCAL, Caller
from lineshaft.core.arrivals import Arrival, Taken
from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Event, Value
from lineshaft.gateway.events.events_in import EventsIn, events_in_route
from lineshaft.gateway.guards import UnsoundBody
from lineshaft.gateway.pipeline import make_gateway
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer
from lineshaft.ledger.intake import Intake
from lineshaft.store import Store
from lineshaft.store.schema import outbox, request_claims
from tests.clocks import ManualClock
from tests.examples import examples
from tests.facts import AT
from tests.gateway.asking import ask
from tests.gateway.events.telling import HISTORIAN, NOW, SOURCE, asked, batch, structured
from tests.rows import rows


class Told:
    """The route's handler on a store, with what it put into the outbox."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.store = store
        self.woken = 0
        clock = ManualClock(NOW)
        self.events = EventsIn(
            Intake(store, clock),
            EVENTS,
            clock,
            enterprise="northspring",
            plant="leipzig",
            taken=self._wake,
            **more,
        )

    def _wake(self) -> None:
        self.woken += 1

    async def sent(self) -> list[Event]:
        found = await rows(self.store, outbox)
        return [msgspec.json.decode(row["event"], type=Event) for row in found]

    async def refused(self, *questions: Any) -> Refusal | ContractViolation:
        with pytest.raises((Refusal, ContractViolation)) as refusal:
            await self.events.take(*questions)
        assert await self.sent() == []
        assert await rows(self.store, request_claims) == []
        return refusal.value


@pytest.fixture
def told(store: Store) -> Told:
    return Told(store)


async def test_taken_as_an_event_of_ours_in_the_outbox(told: Told) -> None:
    answer = await told.events.take(asked(structured(correlationid="story-9", traceparent="00-a-b-01")))
    (event,) = await told.sent()
    assert (answer.status, answer.ref) == (202, event.id)
    assert answer.body == {
        "events": [{"source": SOURCE, "id": "h-1", "event_id": event.id, "replayed": False}]
    }
    assert (event.type, event.source, event.subject) == (THRESHOLD_EXCEEDED.type, SOURCE, "FILLER-2")
    assert (event.plant, event.time, event.recordedtime) == ("leipzig", AT, NOW)
    assert (event.correlationid, event.traceparent) == ("story-9", "00-a-b-01")
    assert (event.idempotencykey, event.partitionkey) == ("h-1", "FILLER-2")
    THRESHOLD_EXCEEDED.decode(event)
    assert told.woken == 1


async def test_the_same_again_in_any_mode_is_the_same_event(told: Told) -> None:
    first = await told.events.take(asked(structured()))
    document = structured()
    headers = {f"ce_{name}": value for name, value in document.items() if name != "data"}
    again = [
        await told.events.take(asked(structured(time=..., subject="FILLER-2"))),
        await told.events.take(asked(document["data"], media="application/json", **headers)),
        await told.events.take(batch(structured(type=THRESHOLD_EXCEEDED.type))),
    ]
    for answer in again:
        assert answer.body["events"][0] == first.body["events"][0] | {"replayed": True}
        assert answer.headers == {"Idempotency-Replayed": "true"}
    assert len(await told.sent()) == 1
    assert told.woken == 1


async def test_many_at_once_are_one(told: Told) -> None:
    """Forty requests tell the same five events, some as batches: five are taken, and one answer says so."""
    questions = [
        asked(structured(number % 5)) if number % 2 else batch(structured(number % 5), structured(4))
        for number in range(40)
    ]
    answers = await asyncio.gather(*(told.events.take(each) for each in questions))
    assert {event.idempotencykey for event in await told.sent()} == {f"h-{number}" for number in range(5)}
    assert len(await told.sent()) == 5
    said = [row for answer in answers for row in answer.body["events"]]
    assert sum(not row["replayed"] for row in said) == 5


async def test_ids_of_two_senders_may_be_alike(told: Told) -> None:
    await told.events.take(asked(structured(), LOCAL))
    await told.events.take(asked(structured(source="/northspring/leipzig/mes/main"), LOCAL))
    assert len({event.id for event in await told.sent()}) == 2


async def test_an_identity_stands_for_one_fact(told: Told) -> None:
    await told.events.take(asked(structured()))
    data = structured()["data"] | {"unit": "KPA"}
    for question in (
        asked(structured(data=data)),
        batch(structured(2), structured(data=data), structured(3)),
        batch(structured(4), structured(4, data=data)),
    ):
        with pytest.raises(Refusal) as refused:
            await told.events.take(question)
        assert (refused.value.status, refused.value.code) == (HTTPStatus.UNPROCESSABLE_ENTITY, "id_reused")
    assert "id: 'h-4'" in refused.value.findings[0]
    assert refused.value.findings[0].startswith("events/1/")
    assert len(await told.sent()) == len(await rows(told.store, request_claims)) == 1


async def test_a_refused_batch_leaves_nothing_that_others_could_stumble_over(told: Told) -> None:
    """Asked in one commit: what the refused batch would have taken is taken by the others."""
    await told.events.take(asked(structured()))
    wrong = structured(data=structured()["data"] | {"unit": "KPA"})
    other = structured(2, data=structured()["data"] | {"unit": "MBR"})
    answers = await asyncio.gather(
        told.events.take(batch(structured(2), structured(3), wrong)),
        told.events.take(asked(other)),
        told.events.take(asked(structured(3))),
        told.events.take(batch(structured(3), structured(5))),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Refusal)
    flags = [
        [row["replayed"] for row in each.body["events"]] for each in answers[1:] if isinstance(each, Answer)
    ]
    assert sorted(map(tuple, flags)) in (
        [(False,), (False,), (True, False)],
        [(False,), (False, False), (True,)],
    )
    assert {event.idempotencykey for event in await told.sent()} == {"h-1", "h-2", "h-3", "h-5"}
    claims = {row["key"]: row for row in await rows(told.store, request_claims)}
    assert len(claims) == 4
    again = await told.events.take(asked(other))
    assert again.body["events"][0]["replayed"]


async def test_every_finding_of_a_payload_and_of_a_batch(told: Told) -> None:
    data = structured()["data"]
    violation = await told.refused(
        batch(
            structured(1),
            structured(2, data=data | {"unit": 7, "time": "noon"}),
            structured(3, data=data | {"colour": "red"}),
            structured(4, data=...),
            structured(5, subject="PUMP-9"),
            structured(6, data=[]),
            structured(7, data=data | {"unit": "\0"}),
        )
    )
    assert isinstance(violation, ContractViolation)
    places = {finding.split(":")[0] for finding in violation.findings}
    assert places >= {
        "events/1/data/unit",
        "events/2/data/colour",
        "events/3/data",
        "events/4/subject",
        "events/5/data/(root)",
        "events/6/data",
    }


@pytest.mark.parametrize(
    ("kind", "near"),
    [
        ("equipment.condition.threshold_exceded.v1", "equipment.condition.threshold_exceeded.v1"),
        ("equipment.condition.threshold_exceeded.v2", "equipment.condition.threshold_exceeded.v1"),
        ("zzz", "see the catalogue"),
    ],
)
async def test_an_unknown_type_names_those_that_are_near(told: Told, kind: str, near: str) -> None:
    violation = await told.refused(asked(structured(type=kind)))
    assert near in violation.findings[0]


async def test_findings_are_told_until_they_are_too_many(told: Told) -> None:
    violation = await told.refused(
        batch(*(structured(each, type=f"equipment.{each}") for each in range(1000)))
    )
    assert len(violation.findings) == 100
    assert sum("did you mean" in each or "catalogue" in each for each in violation.findings) == 100
    assert sum("did you mean" in each for each in violation.findings) <= 5


READER = msgspec.structs.replace(HISTORIAN, permissions=frozenset({"subscribe:*", "publish:quality.*"}))
ELSEWHERE = msgspec.structs.replace(HISTORIAN, plants=frozenset({"dresden"}))
NO_SYSTEM = msgspec.structs.replace(HISTORIAN, system="", account="portal")


@pytest.mark.parametrize(
    ("caller", "changes", "finding"),
    [
        (READER, {}, "type: needs the permission publish:equipment.condition.threshold_exceeded"),
        (ELSEWHERE, {}, "plant: leipzig"),
        (HISTORIAN, {"plant": "dresden"}, "plant: leipzig"),
        (HISTORIAN, {"source": "/northspring/leipzig/erp/main"}, "source: your own"),
        (HISTORIAN, {"source": "/northspring/leipzig/historian2"}, "source: your own"),
        (HISTORIAN, {"source": "/northspring/dresden/historian/main"}, "source: your own"),
        (NO_SYSTEM, {}, "source: your own, /northspring/leipzig/portal/"),
    ],
)
async def test_what_a_caller_may_not_tell(
    told: Told, caller: Caller, changes: dict[str, Any], finding: str
) -> None:
    refusal = await told.refused(batch(structured(1), structured(2, **changes), caller=caller))
    assert isinstance(refusal, Refusal)
    assert refusal.status == HTTPStatus.FORBIDDEN
    assert any(each.startswith(f"events/1/{finding}") for each in refusal.findings)


async def test_mastered_fields_are_told_by_their_master_only(store: Store) -> None:
    def authority(caller: Caller, contract: EventContract[Any], value: Value) -> Sequence[str]:
        return [f"{contract.type}: mastered by mes; {caller.name} speaks for {caller.system}"]

    refusal = await Told(store, authority=authority).refused(asked(structured()))
    assert isinstance(refusal, Refusal)
    assert refusal.findings == [
        f"{THRESHOLD_EXCEEDED.type}: mastered by mes; key:historian speaks for historian"
    ]


async def test_an_idempotency_key_may_say_the_same_and_nothing_else(told: Told) -> None:
    violation = await told.refused(asked(structured(), idempotency_key='"h-2"'))
    assert violation.findings == ["Idempotency-Key: the id of the one event, or not given ('h-2')"]
    await told.refused(
        asked([structured()], media="application/cloudevents-batch+json", idempotency_key="h-1")
    )
    answer = await told.events.take(asked(structured(), idempotency_key='"h-1"'))
    assert not answer.body["events"][0]["replayed"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"specversion": "1.0", "id": "1", "id": "2"}',
        b"[" * 100_000,
        b'{"data": 1e999}',
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    ],
)
async def test_bombs(told: Told, body: bytes) -> None:
    assert isinstance(await told.refused(asked(body)), UnsoundBody)


async def test_the_story_is_the_callers_where_it_names_one(told: Told) -> None:
    await told.events.take(asked(structured(1), x_correlation_id="story-1"))
    await told.events.take(asked(structured(2)))
    first, second = await told.sent()
    assert (first.correlationid, second.correlationid) == ("story-1", second.id)


async def test_through_the_gateway(told: Told) -> None:
    gateway = make_gateway([events_in_route(told.events)], None, plant="leipzig")
    event = msgspec.json.encode(structured())
    media = {"content-type": "application/cloudevents+json"}
    taken = await ask(gateway, "POST", "/api/events", content=event, headers=media)
    assert taken.status == 202
    xml = await ask(
        gateway, "POST", "/api/events", content=b"<x/>", headers={"content-type": "application/xml"}
    )
    assert xml.status == 415
    wrong = await ask(gateway, "POST", "/api/events", content=b'{"id": 1}', headers=media)
    assert (wrong.status, wrong.json["code"]) == (400, "no_cloudevent")
    broken = msgspec.json.encode(structured(2, data={}))
    assert (await ask(gateway, "POST", "/api/events", content=broken, headers=media)).status == 422


class Everything:
    """Implements core.arrivals.TakesEvents: takes whatever comes, if a store could keep it."""

    async def take(self, arrivals: Sequence[Arrival], note: object = None) -> Sequence[Taken]:
        for each in arrivals:
            to_message(each.event)
            assert "\0" not in msgspec.json.encode(each.event).decode()
        return [Taken.NEW] * len(arrivals)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
ODD = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "type", "source", "time", "subject", "data", "plant", "sequence"), JSON),
)


@given(st.lists(st.builds(lambda odd: structured() | odd, ODD), max_size=3), st.booleans(), JSON)
@settings(max_examples=examples(50))
def test_whatever_is_told_is_answered(documents: list[dict[str, Any]], is_batch: bool, unit: Any) -> None:
    """Never with an error of ours: taken, or refused with a reason."""
    events = EventsIn(Everything(), EVENTS, ManualClock(NOW), enterprise="northspring", plant="leipzig")
    gateway = make_gateway([events_in_route(events)], None, plant="leipzig")
    body: Any = documents
    if not is_batch:
        body = structured(data=structured()["data"] | {"unit": unit})
    try:
        content = msgspec.json.encode(body)
    except (UnicodeEncodeError, OverflowError):  # half of a surrogate pair, or a number that JSON has not
        return
    media = f"application/cloudevents{'-batch' if is_batch else ''}+json"
    answer = asyncio.run(
        ask(gateway, "POST", "/api/events", content=content, headers={"content-type": media})
    )
    assert answer.status in (202, 400, 403, 422), answer.json
    if answer.status != 202:
        assert answer.json["errors"]
