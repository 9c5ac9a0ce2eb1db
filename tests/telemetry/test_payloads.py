from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.values import Quality
from lineshaft.telemetry.payloads import decode_json
from lineshaft.telemetry.sample import Decoded, Sample, shown

from .plant import T0, at, ms


def decode(payload: bytes) -> Decoded:
    return decode_json("t", payload, T0)


@pytest.mark.parametrize(
    "time", [b'"2024-05-01T06:00:01Z"', b'"2024-05-01T08:00:01+02:00"', b"%d" % ms(1), b"%d.0" % ms(1)]
)
def test_one_reading(time: bytes) -> None:
    decoded = decode(b'{"value": 4.2, "time": %s, "quality": "uncertain"}' % time)
    assert decoded.samples == [Sample("value", 4.2, at(1), Quality.UNCERTAIN)]
    assert decoded.faults == []


def test_missing_time_is_the_time_of_receipt_and_missing_quality_good() -> None:
    assert decode(b'{"value": 4}').samples == [Sample("value", 4.0, T0, Quality.GOOD)]


def test_an_array_columns_and_several_metrics() -> None:
    two = [Sample("value", 1.0, at(1)), Sample("value", 2.0, at(2))]
    assert decode(b'[{"value":1,"time":%d},{"value":2,"time":%d}]' % (ms(1), ms(2))).samples == two
    assert decode(b'{"value":[1,2],"time":[%d,%d]}' % (ms(1), ms(2))).samples == two
    mixed = b'{"value":[1,2],"time":[%d,%d],"quality":["good","bad"]}' % (ms(1), ms(2))
    assert [sample.quality for sample in decode(mixed).samples] == [Quality.GOOD, Quality.BAD]
    several = decode(b'{"time":%d,"values":{"pressure":4.2,"oil":61},"quality":"BAD"}' % ms(1))
    assert several.samples == [
        Sample("pressure", 4.2, at(1), Quality.BAD),
        Sample("oil", 61.0, at(1), Quality.BAD),
    ]


def test_null_is_a_reading_only_without_good_quality() -> None:
    (sample,) = decode(b'{"value":null,"quality":"bad"}').samples
    assert math.isnan(sample.value)
    assert sample.quality is Quality.BAD
    assert "null" in decode(b'{"value":null}').faults[0].cause


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b'{"value": NaN}', "value is not a finite number"),
        (b'{"value": -Infinity}', "value is not a finite number"),
        (b'{"value": 1e999}', "value is not a finite number"),
        (b'{"value": 1' + b"0" * 400 + b"}", "value is not a finite number"),
        (b'{"value": true}', "value is a boolean"),
        (b'{"value": "4.2"}', "value is a string"),
        (b'{"value": {"a": 1}}', "value is an object"),
        (b'{"values": {"p": [1]}}', "values.p is an array"),
        (b'{"values": [1]}', "values is an array"),
        (b'{"time": 1}', "neither value nor values"),
        (b'{"value": 1, "values": {"a": 2}}', "both value and values"),
        (b'{"value": 1, "time": "yesterday"}', "time is no RFC 3339 time"),
        (b'{"value": 1, "time": "2024-05-01T06:00:00"}', "time has no offset"),
        (b'{"value": 1, "time": 1714543200}', "time is before the year 2000"),
        (b'{"value": 1, "time": 1e30}', "time is out of range"),
        (b'{"value": 1, "time": "9999-12-31T23:59:59-14:00"}', "time is out of range"),
        (b'{"value": 1, "time": true}', "time is a boolean"),
        (b'{"value": 1, "quality": "excellent"}', "quality is unknown"),
        (b'{"value": [1, 2], "time": [1]}', "time is no array as long as value"),
        (b'{"value": [1, 2]}', "time is no array as long as value"),
        (b'{"value": [1], "time": [1], "quality": []}', "quality is not as long as value"),
        (b"4.2", "the payload is a number"),
        (b"[4.2]", "[*] is a number"),
        (b"", "not JSON"),
        (b'{"value": 1', "not JSON"),
        (b'{"value": 1} x', "not JSON"),
        (b'{"value": 1, "note": "\xff"}', "not UTF-8"),
        (b'{"value": 1, "note": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"value": 1, "note": "' + b"x" * (1 << 20) + b'"}', "larger than 1 MiB"),
    ],
)
def test_what_is_malformed(payload: bytes, says: str) -> None:
    decoded = decode(payload)
    assert decoded.samples == []
    assert len(decoded.faults) == 1
    assert says in decoded.faults[0].cause


def test_good_readings_beside_bad_ones_are_kept() -> None:
    decoded = decode(b'[{"value": 1}, {"value": NaN}, {"value": "x"}, {"value": 2}]')
    assert [sample.value for sample in decoded.samples] == [1, 2]
    assert [fault.cause.split(";")[0] for fault in decoded.faults] == [
        "[*].value is not a finite number",
        "[*].value is a string",
    ]
    decoded = decode(b'{"values": {"a": 1, "b": false}}')
    assert [sample.metric for sample in decoded.samples] == ["a"]
    assert decoded.faults[0].metric == "b"


def test_causes_are_fit_for_a_database() -> None:
    decoded = decode(b'{"values": {"a\\u0000b": "x", "\\ud800": "x"}}')
    for fault in decoded.faults:
        assert fault.cause.isprintable()
    assert shown("x" * 500) == "x" * 200


numbers = st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
anything = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["value", "values", "time", "quality", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def as_messages(document: object) -> list[dict[str, object]]:
    return document if isinstance(document, list) else [document]  # type: ignore[list-item]


@given(anything)
def test_no_document_gets_through_unread_or_raises(document: object) -> None:
    decoded = decode(json.dumps(document).encode())
    for sample in decoded.samples:
        assert math.isfinite(sample.value) or sample.quality is not Quality.GOOD
        assert sample.time.utcoffset() is not None
    if not decoded.samples and not decoded.faults:
        assert all(item.get("value", item.get("values")) in ([], {}) for item in as_messages(document))


@given(st.binary(max_size=60))
def test_no_bytes_raise(payload: bytes) -> None:
    decode(payload)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes(min_value=at(0).replace(tzinfo=None), timezones=st.just(T0.tzinfo)),
)
def test_every_way_to_say_a_reading_says_the_same(value: float, time) -> None:  # type: ignore[no-untyped-def]
    stamp = time.isoformat()
    single = decode(json.dumps({"value": value, "time": stamp}).encode()).samples
    assert single == [Sample("value", value, time)]
    assert decode(json.dumps([{"value": value, "time": stamp}]).encode()).samples == single
    assert decode(json.dumps({"value": [value], "time": [stamp]}).encode()).samples == single
    assert decode(json.dumps({"values": {"value": value}, "time": stamp}).encode()).samples == single
