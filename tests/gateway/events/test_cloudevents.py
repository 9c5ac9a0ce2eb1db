"""CloudEvents over HTTP by the specification's own examples, and by another implementation of it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.http import from_http_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.gateway.events.cloudevents import BATCH, STRUCTURED, NoCloudEvent, ToldEvent, read_events
from lineshaft.gateway.events.outgoing import as_cloudevent
from tests.facts import AT
from tests.gateway.events.telling import NOW, threshold_event

ATTRIBUTES = {
    "specversion": "1.0",
    "type": "com.example.someevent",
    "time": "2018-04-05T03:56:24Z",
    "id": "1234-1234-1234",
    "source": "/mycontext/subcontext",
}
DATA = {"message": "Hello World!"}
TIME = datetime(2018, 4, 5, 3, 56, 24, tzinfo=UTC)


def binary(**changes: str) -> tuple[dict[str, str], bytes]:
    headers = {f"ce-{name}": value for name, value in ATTRIBUTES.items()} | {
        "content-type": "application/json"
    }
    return headers | changes, msgspec.json.encode(DATA)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_binary_mode(content_type: str) -> None:
    headers, body = binary(**{"content-type": content_type})
    (told,) = read_events(headers, body)
    assert (told.id, told.source, told.type, told.time) == (
        "1234-1234-1234",
        "/mycontext/subcontext",
        "com.example.someevent",
        TIME,
    )
    assert told.datacontenttype == content_type
    assert msgspec.json.decode(told.payload()) == DATA
    assert told.findings(NOW) == []


@pytest.mark.parametrize("content_type", [STRUCTURED, f"{STRUCTURED}; charset=utf-8", STRUCTURED.upper()])
def test_structured_mode(content_type: str) -> None:
    document = ATTRIBUTES | {"datacontenttype": "application/json", "data": DATA, "comexampleextension1": "v"}
    (told,) = read_events({"content-type": content_type}, msgspec.json.encode(document))
    assert (told.id, told.time, msgspec.json.decode(told.payload())) == ("1234-1234-1234", TIME, DATA)
    assert told.findings(NOW) == []


def test_data_as_base64_and_attributes_that_are_null() -> None:
    document = ATTRIBUTES | {"subject": None, "data_base64": base64.b64encode(b'{"a": 1}').decode()}
    (told,) = read_events({"content-type": STRUCTURED}, msgspec.json.encode(document))
    assert (told.subject, told.payload()) == (None, b'{"a": 1}')
    both = document | {"data": {}}
    (told,) = read_events({"content-type": STRUCTURED}, msgspec.json.encode(both))
    assert told.findings(NOW) == ["data_base64: not beside data"]


def test_a_batch_keeps_its_order_and_may_be_empty() -> None:
    many = [ATTRIBUTES | {"id": str(number), "data": number} for number in range(3)]
    told = read_events({"content-type": BATCH}, msgspec.json.encode(many))
    assert [(each.id, each.payload()) for each in told] == [("0", b"0"), ("1", b"1"), ("2", b"2")]
    assert read_events({"content-type": BATCH}, b"[]") == []


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("100%25", "100%"),
        ('"quoted \\"name\\""', 'quoted "name"'),
        ("plain", "plain"),
        ("a%2Fb", "a/b"),
    ],
)
def test_header_values_are_decoded(header: str, text: str) -> None:
    headers, body = binary(**{"ce-subject": header})
    assert read_events(headers, body)[0].subject == text


@given(st.text(min_size=1, max_size=50))
def test_what_another_implementation_writes_is_read(subject: str) -> None:
    """The SDK of the CloudEvents project, both modes."""
    event = CloudEvent(ATTRIBUTES | {"time": TIME, "subject": subject}, DATA)
    try:
        messages = [to_binary_event(event), to_structured_event(event)]
    except UnicodeEncodeError:  # half of a surrogate pair cannot be sent by anybody
        return
    for message in messages:
        headers = {name.lower(): value for name, value in message.headers.items()}
        (told,) = read_events(headers, message.body)
        assert (told.id, told.time, told.subject) == ("1234-1234-1234", TIME, subject)
        assert msgspec.json.decode(told.payload()) == DATA


def test_another_implementation_reads_what_we_write() -> None:
    event = threshold_event()
    body = as_cloudevent(event)
    read = from_http_event(_message(body))
    assert (read.get_id(), read.get_source(), read.get_type()) == (
        event.id,
        event.source,
        f"lineshaft.{event.type}",
    )
    assert (read.get_time(), read.get_subject()) == (AT, event.subject)
    assert read.get_extension("plant") == "leipzig"
    assert read.get_data() == event.payload
    (told,) = read_events({"content-type": STRUCTURED}, body)
    assert (told.id, told.partitionkey, told.payload()) == (event.id, event.partitionkey, event.data)


def _message(body: bytes) -> Any:
    from cloudevents.core.bindings.http import HTTPMessage

    return HTTPMessage(headers={"content-type": STRUCTURED}, body=body)


def test_what_an_account_may_not_see_stays_here_but_it_stays_a_cloudevent() -> None:
    def shown(document: Any) -> Any:
        kept = {name: value for name, value in document.items() if name not in ("id", "source", "plant")}
        return kept | {"data": {"unit": document["data"]["unit"]}}

    document = msgspec.json.decode(as_cloudevent(threshold_event(), shown))
    assert document["data"] == {"unit": "BAR"}
    assert "plant" not in document
    assert {"id", "source", "type", "specversion"} <= document.keys()


GOOD = b'{"specversion":"1.0","id":"1","type":"t","source":"/s"}'
MISSING = [f"{name}: required (missing)" for name in ("specversion", "id", "type", "source")]
NO_TIME = "time: RFC 3339 with an offset"


@pytest.mark.parametrize(
    ("media", "body", "findings"),
    [
        (STRUCTURED, b'{"specversion": "1.0", "id": 7}', [*MISSING[2:], "id: a text (7)"]),
        (
            STRUCTURED,
            GOOD[:-1] + b',"time":"noon","plant":1}',
            ["plant: a text (1)", f"{NO_TIME} ('noon')"],
        ),
        (STRUCTURED, GOOD[:-1] + b',"time":"2026-01-01T00:00:00"}', [f"{NO_TIME} ('2026-01-01T00:00:00')"]),
        (STRUCTURED, b"[]", ["(root): an event as an object (list)"]),
        (BATCH, b"{}", ["(root): a list of events (dict)"]),
        (BATCH, b"[" + GOOD + b', {"id": null}]', [f"events/1/{finding}" for finding in MISSING]),
        (BATCH, b"[" + b",".join([GOOD] * 1001) + b"]", ["(root): at most 1000 events (1001)"]),
        ("application/json", b"{}", MISSING[:1]),
        (f"{STRUCTURED};charset=x", b"{}", [f"Content-Type: charset=utf-8 ('{STRUCTURED};charset=x')"]),
    ],
)
def test_what_is_no_cloudevent(media: str, body: bytes, findings: list[str]) -> None:
    with pytest.raises(NoCloudEvent) as refused:
        read_events({"content-type": media}, body)
    assert refused.value.findings == findings


def test_every_wrong_header_is_told() -> None:
    headers = {"content-type": "application/json", "ce-id": "1", "ce-subject": "%ff", "ce-time": "noon"}
    with pytest.raises(NoCloudEvent) as refused:
        read_events(headers, b"{}")
    assert [finding.split(":")[0] for finding in refused.value.findings] == [
        "ce-specversion",
        "ce-type",
        "ce-source",
        "ce-time",
        "ce-subject",
    ]


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"specversion": "0.3"}, "specversion: 1.0 ('0.3')"),
        ({"id": ""}, "id: 1 to 200 characters ('')"),
        ({"id": "x" * 201}, "id: 1 to 200"),
        ({"id": "a\0b"}, "id: without control characters"),
        ({"subject": "a\nb"}, "subject: without control characters"),
        ({"time": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23)))}, "time: not before 1970"),
        ({"source": "a b"}, "source: a URI reference ('a b')"),
        ({"time": datetime(2031, 1, 1, tzinfo=UTC)}, "time: at most 5 minutes ahead"),
        ({"datacontenttype": "text/xml"}, "datacontenttype: JSON ('text/xml')"),
        ({"partitionkey": "x" * 201}, "partitionkey: at most 200"),
    ],
)
def test_attributes_that_will_not_do(changes: dict[str, Any], finding: str) -> None:
    told = msgspec.convert(ATTRIBUTES, ToldEvent)
    (found,) = msgspec.structs.replace(told, **changes).findings(NOW)
    assert found.startswith(finding)
