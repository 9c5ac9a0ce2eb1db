from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import ConfigError
from lineshaft.telemetry.decode.payload_maps import PayloadMaps
from lineshaft.telemetry.decoder import Decoded
from tests.telemetry.messages import Seen, batch_of, decoder, seen, tags_of, us
from tests.telemetry.plant import ms, raw

TAGS = tags_of(
    ("P", "plc/1", "pressure"), ("O", "plc/1", "oil"), ("W", "scale/3", "net"), ("D", "plc/1/data", "value")
)
KEP = {
    "topic": "plc/+/data",
    "address": "plc/{1}",
    "readings": "items[*]",
    "metric": "n",
    "value": "v",
    "time": "t",
    "time_format": "epoch_ms",
    "quality": "q",
    "good": [192, True],
}
TEXT = {"topic": "scale/+/+", "address": "scale/{1}", "metric": "{2}", "format": "text"}


def maps(*declared: dict[str, Any]) -> PayloadMaps:
    return PayloadMaps.read({"maps": list(declared)}, file="maps.yaml")


def decode(declared: PayloadMaps, topic: str, payload: object) -> Decoded:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return decoder(TAGS, declared).decode(batch_of([raw(topic, data)]))


def read(declared: dict[str, Any], payload: object, topic: str = "plc/1/data") -> list[Seen]:
    decoded = decode(maps(declared), topic, payload)
    assert decoded.faults == []
    return seen(decoded, TAGS)


def test_items_of_a_gateway() -> None:
    items = [
        {"n": "pressure", "v": 4.5, "t": ms(1), "q": 192},
        {"n": "oil", "v": None, "t": ms(2), "q": 24},
        {"n": "oil", "v": True},
    ]
    assert read(KEP, {"items": items}) == [
        Seen("P", 4.5, us(1)),
        Seen("O", None, us(2), "bad"),
        Seen("O", 1.0, us(0)),
    ]
    assert read(KEP, {"items": []}) == []


def test_what_a_reading_does_not_say_the_document_may() -> None:
    document = {"t": ms(5), "q": 0, "items": [{"n": "pressure", "v": 1}, {"n": "oil", "v": 2, "q": 192}]}
    assert read(KEP, document) == [Seen("P", 1, us(5), "bad"), Seen("O", 2, us(5))]


def test_a_document_of_one_reading_and_no_names() -> None:
    assert read({"topic": "plc/#", "value": "Body.Value"}, {"Body": {"Value": 7}}) == [Seen("D", 7, us(0))]


def test_the_first_map_that_matches_reads() -> None:
    both = maps({"topic": "plc/1/data", "value": "x"}, {"topic": "plc/+/data", "value": "y"})
    assert seen(decode(both, "plc/1/data", {"x": 1, "y": 2}), TAGS)[0].value == 1


@pytest.mark.parametrize(
    ("text", "value"), [(b"4.25", 4.25), (b" -3e2\r\n", -300), (b"TRUE", 1), (b"false", 0)]
)
def test_plain_text(text: bytes, value: float) -> None:
    assert read(TEXT, text, "scale/3/net") == [Seen("W", value, us(0))]


@pytest.mark.parametrize(
    ("time_format", "zone", "time"),
    [
        ("rfc3339", None, "2024-05-01T08:00:05+02:00"),
        ("epoch_s", None, ms(5) / 1000),
        ("epoch_ms", None, ms(5)),
        ("epoch_us", None, us(5)),
        ("%d.%m.%Y %H:%M:%S", "Europe/Berlin", "01.05.2024 08:00:05"),
        ("%Y%m%d %H%M%S.%f%z", None, "20240501 060005.000000+0000"),
    ],
)
def test_formats_of_time(time_format: str, zone: str | None, time: object) -> None:
    declared = {"topic": "plc/1/data", "value": "v", "time": "t", "time_format": time_format}
    if zone:
        declared["time_zone"] = zone
    assert read(declared, {"v": 1, "t": time}) == [Seen("D", 1, us(5))]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        ({"x": 1}, "nothing at `readings`"),
        ({"items": [{"v": 1}]}, "metric of metric 'value' is no text"),
        ({"items": [{"n": "oil", "v": "x"}]}, "value of metric 'oil' is a string"),
        ({"items": [{"n": "oil"}]}, "value of metric 'oil' is null"),
        ({"items": [{"n": "oil", "v": 1, "t": "x"}]}, "time of metric 'oil' is no number"),
        ({"items": [{"n": "oil", "v": 1, "t": 5}]}, "before the year 2000"),
    ],
)
def test_what_does_not_fit_costs_only_itself(payload: object, says: str) -> None:
    good = {"n": "pressure", "v": 1}
    if isinstance(payload, dict) and "items" in payload:
        payload["items"].append(good)
    decoded = decode(maps({**KEP, "address": "plc/{1}"}), "plc/1/data", payload)
    told = [fault.cause for _, fault in decoded.faults]
    if says.startswith("metric of"):
        assert decoded.unknown == [(0, "plc/1", "value")]
    else:
        assert [says in cause for cause in told] == [True]
    if isinstance(payload, dict) and "items" in payload:
        assert [one.tag for one in seen(decoded, TAGS)] == ["P"]


def test_functions_that_cannot_take_what_they_find() -> None:
    declared = maps({"topic": "plc/1/data", "value": "abs(v)"})
    ((_, fault),) = decode(declared, "plc/1/data", {"v": "x"}).faults
    assert "cannot take" in fault.cause


def test_words_of_quality_and_unknown_addresses() -> None:
    declared = {"topic": "plc/+/data", "value": "v", "quality": "q"}
    assert read(declared, {"v": 1, "q": "UNCERTAIN"})[0].quality == "uncertain"
    ((_, fault),) = decode(maps(declared), "plc/1/data", {"v": 1, "q": 192}).faults
    assert "list the values that mean good" in fault.cause
    assert decode(maps(declared), "plc/2/data", {"v": 1}).unknown == [(0, "plc/2/data", "")]
    assert decode(maps(declared), "other", {"v": 1}).unknown == [(0, "other", "")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["items", "n", "v", "t", "q"]), x),
        max_leaves=10,
    )
)
def test_no_document_raises(document: object) -> None:
    decode(maps(KEP), "plc/1/data", document)


@pytest.mark.parametrize(
    ("declared", "place", "says"),
    [
        ({"value": "v"}, "maps[0].topic", "is missing"),
        ({"topic": "a"}, "maps[0].value", "is missing"),
        ({"topic": "a/b+", "value": "v"}, "maps[0].topic", "whole levels"),
        ({"topic": "a/#/b", "value": "v"}, "maps[0].topic", "whole levels"),
        ({"topic": "a/+", "address": "{2}", "value": "v"}, "maps[0].address", "has 1 wildcards"),
        ({"topic": "a/+", "metric": "{x}", "value": "v"}, "maps[0].metric", "has {x}"),
        ({"topic": "a", "value": "v["}, "maps[0].value", "is no JMESPath"),
        ({"topic": "a", "value": "v", "time_format": "epoch_ms"}, "maps[0].time_format", "without time"),
        (
            {"topic": "a", "value": "v", "time": "t", "time_format": "iso"},
            "maps[0].time_format",
            "expected rfc3339",
        ),
        ({"topic": "a", "value": "v", "time": "t", "time_format": "%H"}, "maps[0].time_format", "offset"),
        ({"topic": "a", "value": "v", "time": "t", "time_zone": "Mars"}, "maps[0].time_zone", "IANA"),
        ({"topic": "a", "value": "v", "good": [1]}, "maps[0].good", "without quality"),
        ({"topic": "a", "value": "v", "quality": "q", "good": 192}, "maps[0].good", "is no list"),
        ({"topic": "a", "format": "text", "value": "v"}, "maps[0].value", "is for JSON"),
        ({"topic": "a", "format": "csv", "value": "v"}, "maps[0].format", "expected one of json, text"),
        ({"topic": "a", "values": "v", "value": "v"}, "maps[0].values", "did you mean 'value'"),
    ],
)
def test_every_finding_at_its_line(declared: dict[str, Any], place: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PayloadMaps.read({"maps": [declared]}, file="maps.yaml", line_of=lambda path: 7 if path else 1)
    (finding,) = caught.value.findings
    assert finding.startswith(f"maps.yaml:7: {place}: ")
    assert says in finding
