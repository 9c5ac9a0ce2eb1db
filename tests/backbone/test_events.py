from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.backbone import Backbone, event_subject, from_message, to_message
from lineshaft.backbone.events import decode_token, encode_token, message_id
from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Event, EventClass

from .conftest import event

_TEXT = st.text(max_size=40)
_KEY = st.text(min_size=1, max_size=40)
_TYPE_PART = st.text(min_size=1, max_size=12).filter(lambda part: "." not in part)
_TIMES = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - the zone comes from `timezones`
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
EVENTS = st.builds(
    Event,
    id=_KEY,
    type=st.tuples(_TYPE_PART, _TYPE_PART, _TYPE_PART, st.just("v1")).map(".".join),
    source=_KEY,
    subject=_KEY,
    time=_TIMES,
    plant=_KEY,
    eventclass=st.sampled_from(EventClass),
    data=st.binary(max_size=200),
    partitionkey=_TEXT,
    correlationid=_TEXT,
    causationid=_TEXT,
    traceparent=_TEXT,
    recordedtime=st.none() | _TIMES,
    dataschema=_TEXT,
    idempotencykey=_TEXT,
    sequence=_TEXT,
)


@given(EVENTS)
def test_an_event_comes_back_from_a_message_unchanged(original: Event) -> None:
    message = to_message(original)
    assert from_message(message.headers, message.data) == original
    assert re.fullmatch(r"ls(\.[A-Za-z0-9_-]+){6}", message.subject)
    for value in message.headers.values():
        assert re.fullmatch(r"[!-~]*", value)


@given(st.text(max_size=60))
def test_a_token_is_reversible(text: str) -> None:
    token = encode_token(text)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert decode_token(token) == text


@given(st.lists(st.text(max_size=8), min_size=2, max_size=2, unique=True))
def test_different_texts_have_different_tokens(texts: list[str]) -> None:
    assert encode_token(texts[0]) != encode_token(texts[1])


def test_subject_and_headers_are_as_the_contract_says() -> None:
    message = to_message(event(7))
    assert message.subject == "ls.transactional.plant1.production.order.released.v1"
    assert message.headers["ce-type"] == "lineshaft.production.order.released.v1"
    assert message.headers["ce-specversion"] == "1.0"
    assert message.headers["content-type"] == "application/json"
    assert encode_token("Halle 3/Süd") == "_x-Halle_203_2fS_c3_bcd"


def test_the_message_id_is_of_source_and_id_only() -> None:
    first, second = event(1), event(1, data=b'{"changed":true}')
    assert message_id(first) == message_id(second) != message_id(event(2))


@pytest.mark.parametrize("event_type", ["order.released.v1", "", "a..b.v1", "a.b.c.d.v1"])
def test_a_malformed_type_has_no_subject(event_type: str) -> None:
    with pytest.raises(ContractViolation, match="has no subject"):
        event_subject(EventClass.TELEMETRY, "p", event_type)


def test_every_missing_or_malformed_header_is_named() -> None:
    headers = dict(to_message(event(1)).headers)
    headers["ce-time"], headers["ce-eventclass"] = "2026-01-01T00:00:00", "gossip"
    with pytest.raises(ContractViolation) as caught:
        from_message(headers, b"")
    assert [each.split(":")[0] for each in caught.value.findings] == ["ce-eventclass", "ce-time"]
    del headers["ce-id"], headers["ce-plant"]
    with pytest.raises(ContractViolation) as caught:
        from_message(headers, b"")
    assert [each.split(":")[0] for each in caught.value.findings] == ["ce-id", "ce-plant"]


async def test_awkward_values_survive_the_wire(backbone: Backbone) -> None:
    original = Event(
        id='"%41 ü\r\nce-id: x',
        type="a b.ä.c.v1",
        source=" /leading and trailing ",
        subject="",
        time=datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
        plant="Werk Süd",
        eventclass=EventClass.OPERATIONAL,
        data=b"\x00\r\n\xff",
        sequence="0001",
    )
    await backbone.publisher.publish([original])
    received = [from_message(each.headers, each.data) async for each in backbone.replay("LS_OPERATIONAL")]
    assert received == [original]
