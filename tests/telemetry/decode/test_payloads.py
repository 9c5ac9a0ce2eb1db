from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.core.values import RawReading
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.payload_walk import walk
from lineshaft.telemetry.decode.sample import EARLIEST_US, LATEST_US, shown
from lineshaft.telemetry.decoder import Decoded
from lineshaft.telemetry.readings import QUALITIES, STALE
from tests.examples import examples
from tests.telemetry.messages import Seen, batch_of, decoder, pieces, seen, tags_of, us
from tests.telemetry.plant import T0, at, ms, raw

TAG_OF = {"value": "V", "pressure": "P", "oil": "O"}
TAGS = tags_of(*((tag, "t", metric) for metric, tag in TAG_OF.items()))


def decode(*payloads: bytes) -> Decoded:
    return decoder(TAGS).decode(batch_of(raw("t", payload) for payload in payloads))


def read(*payloads: bytes) -> list[Seen]:
    decoded = decode(*payloads)
    assert decoded.faults == []
    return seen(decoded, TAGS)


def causes(payload: bytes) -> list[str]:
    return [fault.cause for _, fault in decode(payload).faults]


@pytest.mark.parametrize(
    "time", [b'"2024-05-01T06:00:01Z"', b'"2024-05-01T08:00:01+02:00"', b"%d" % ms(1), b"%d.0" % ms(1)]
)
@pytest.mark.parametrize("quality", ["uncertain", "UNCERTAIN", "uNCERTAIN"])
def test_one_reading(time: bytes, quality: str) -> None:
    payload = b'{"value": 4.2, "time": %s, "quality": "%s"}' % (time, quality.encode())
    assert read(payload) == [Seen("V", 4.2, us(1), "uncertain")]


def test_missing_time_is_when_it_was_stored_and_missing_quality_good() -> None:
    assert read(b'{"value": 4}') == [Seen("V", 4.0, us(0))]
    assert read(b'{"value": 4, "time": null, "quality": null, "note": [{}]}') == [Seen("V", 4.0, us(0))]


def test_booleans_are_one_and_zero() -> None:
    assert read(b'{"value": [true, false, 2], "time": [%d, %d, %d]}' % (ms(1), ms(2), ms(3))) == [
        Seen("V", 1.0, us(1)),
        Seen("V", 0.0, us(2)),
        Seen("V", 2.0, us(3)),
    ]
    assert read(b'{"values": {"oil": true}}') == [Seen("O", 1.0, us(0))]


def test_a_stale_reading_has_no_value() -> None:
    assert read(b'{"value": 4, "quality": "stale"}') == [Seen("V", None, us(0), "stale")]


def test_an_array_and_columns() -> None:
    two = [Seen("V", 1.0, us(1)), Seen("V", 2.0, us(2))]
    assert read(b'[{"value":1,"time":%d},{"value":2,"time":%d}]' % (ms(1), ms(2))) == two
    assert read(b'{"value":[1,2],"time":[%d,%d]}' % (ms(1), ms(2))) == two
    assert read(b'{"value":[1,2],"time":[%d,"2024-05-01T06:00:02Z"]}' % ms(1)) == two
    mixed = b'{"value":[1,null],"time":[%d,%d],"quality":["good","bad"]}' % (ms(1), ms(2))
    assert read(mixed) == [two[0], Seen("V", None, us(2), "bad")]
    assert read(b"[]", b'{"value":[],"time":[]}', b'{"values":{}}') == []


def test_several_metrics_at_one_time() -> None:
    bad = [Seen("P", 4.2, us(1), "bad"), Seen("O", 61.0, us(1), "bad")]
    assert read(b'{"time":%d,"values":{"pressure":4.2,"oil":61},"quality":"BAD"}' % ms(1)) == bad


def test_a_gateway_names_the_metric() -> None:
    assert read(b'{"metric":"oil","value":3}') == [Seen("O", 3.0, us(0))]
    both = [Seen("O", 3.0, us(1)), Seen("P", 4.0, us(1))]
    assert read(b'{"metric":["oil","pressure"],"time":%d,"value":[3,4]}' % ms(1)) == both
    assert read(b'{"metric":["oil","pressure"],"time":[%d,%d],"value":[3,4]}' % (ms(1), ms(1))) == both
    items = b'[{"metric":"oil","value":3,"time":%d},{"metric":"pressure","value":4,"time":%d}]'
    assert read(items % (ms(1), ms(1))) == both
    assert read(b'{"metric":"oil","time":[%d],"value":[3]}' % ms(1)) == both[:1]
    graded = b'{"metric":["oil","pressure"],"value":[3,4],"quality":["bad",null]}'
    assert [reading.quality for reading in read(graded)] == ["bad", "good"]


def test_members_without_a_tag_are_told_once_and_harm_no_other() -> None:
    host = decoder(TAGS)
    for expected in ([(0, "t", "mode")], []):
        decoded = host.decode(batch_of([raw("t", b'{"values": {"oil": 1, "mode": "AUTO"}}')] * 2))
        assert len(decoded.readings) == 2
        assert decoded.unknown == expected
        assert decoded.counters.unknown == 2
        assert decoded.faults == []


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b'{"value": NaN}', "value is not a finite number"),
        (b'{"value": -Infinity}', "value is not a finite number"),
        (b'{"value": 1e999}', "value is not a finite number"),
        (b'{"value": 1' + b"0" * 400 + b"}", "value is not a finite number"),
        (b'{"values": {"oil": 1' + b"0" * 400 + b"}}", "values.oil is not a finite number"),
        (b'{"values": {"oil": 1' + b"0" * 400 + b'}, "quality": "bad"}', "values.oil is not a finite number"),
        (b'{"value": null}', "value is null"),
        (b'{"value": "4.2"}', "value is a string"),
        (b'{"value": {"a": 1}}', "value is an object"),
        (b'{"values": {"oil": [1]}}', "values.oil is an array"),
        (b'{"values": [1]}', "values is an array"),
        (b'{"time": 1}', "neither value nor values"),
        (b'{"value": 1, "values": {"a": 2}}', "both value and values"),
        (b'{"values": {"oil": 2}, "metric": "oil"}', "metric is there beside values"),
        (b'{"value": 1, "metric": 7}', "metric is a number"),
        (b'{"value": 1, "time": "yesterday"}', "time is no RFC 3339 time"),
        (b'{"value": 1, "time": "2024-05-01T06:00:00"}', "time has no offset"),
        (b'{"value": 1, "time": 1714543200}', "time is before the year 2000"),
        (b'{"value": 1, "time": 1e30}', "time is out of range"),
        (b'{"value": 1, "time": 1e17}', "time is out of range"),
        (b'{"value": 1, "time": "9999-12-31T23:59:59-14:00"}', "time is out of range"),
        (b'{"value": 1, "time": true}', "time is a boolean"),
        (b'{"value": 1, "time": "1714543200000"}', "time is no RFC 3339 time"),
        (b'{"value": 1, "quality": "excellent"}', "quality is unknown"),
        (b'{"value": 1, "quality": 192}', "quality is unknown"),
        (b'{"value": [1, 2], "time": [1]}', "time is no array as long as value"),
        (b'{"value": [1, 2]}', "time is no array as long as value"),
        (b'{"value": [1], "time": [1], "quality": []}', "quality is not as long as value"),
        (b'{"value": [1], "metric": []}', "metric is not as long as value"),
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
    decoded = decode(payload, b'{"value": 1}')
    assert [reading.message for reading in seen(decoded, TAGS)] == [1]
    ((index, fault),) = decoded.faults
    assert index == 0
    assert says in fault.cause


def test_good_readings_beside_bad_ones_are_kept_in_order() -> None:
    decoded = decode(
        b'{"value": 0}',
        b'[{"value": 1}, {"value": NaN}, {"value": "x"}, {"metric": "oil", "value": 2}]',
        b'{"value": 3}',
    )
    assert [(reading.tag, reading.value, reading.message) for reading in seen(decoded, TAGS)] == [
        ("V", 0, 0),
        ("V", 1, 1),
        ("O", 2, 1),
        ("V", 3, 2),
    ]
    assert [(index, fault.cause.split(";")[0]) for index, fault in decoded.faults] == [
        (1, "[*].value is not a finite number"),
        (1, "[*].value is a string"),
    ]


def test_a_member_with_a_tag_that_is_no_number() -> None:
    decoded = decode(b'{"values": {"oil": 1, "pressure": "high", "mode": "AUTO"}}')
    assert [reading.tag for reading in seen(decoded, TAGS)] == ["O"]
    assert [fault.metric for _, fault in decoded.faults] == ["pressure"]
    assert decoded.unknown == [(0, "t", "mode")]


def test_causes_are_fit_for_a_database() -> None:
    for fault in walk(b'{"values": {"a\\u0000b": "x", "\\ud800": "x"}}', 0)[1]:
        assert fault.cause.isprintable()
    assert shown("x" * 500) == "x" * 200


names = st.sampled_from(["value", "pressure", "oil", "mode"])
times = st.sampled_from([None, ms(1), ms(1) + 0.25, 5, "2024-05-01T06:00:03.5+01:00", "x", True, 1e17, -1])
qualities = st.sampled_from([None, "good", "Bad", "stale", "none", 7])
numbers = st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=3)
anything = st.recursive(
    numbers | times,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["value", "values", "time", "quality", "x"]), inner, max_size=4)
        | st.fixed_dictionaries(
            {"value": numbers | st.lists(numbers, max_size=3)},
            optional={
                "time": times | st.lists(times, max_size=3),
                "quality": qualities | st.lists(qualities, max_size=3),
                "metric": names | st.lists(names | st.none(), max_size=3) | st.integers(),
            },
        )
        | st.fixed_dictionaries(
            {"values": st.dictionaries(names, numbers)},
            optional={"time": times, "quality": qualities, "metric": names},
        )
    ),
    max_leaves=12,
) | st.lists(
    st.fixed_dictionaries({"value": st.floats(0, 9)}, optional={"time": times, "quality": qualities})
)


def walked(payload: bytes, message: int) -> list[Seen]:
    return [
        Seen(
            TAG_OF[sample.metric],
            None if sample.value != sample.value or sample.quality == STALE else sample.value,
            sample.time,
            str(QUALITIES[sample.quality]),
            False,
            message,
        )
        for sample in walk(payload, us(0))[0]
        if sample.metric in TAG_OF
    ]


@settings(max_examples=examples(100))
@given(st.lists(anything, max_size=5))
def test_in_bulk_as_element_by_element(documents: list[object]) -> None:
    payloads = [json.dumps(document).encode() for document in documents]
    decoded = decode(*payloads)
    expected = [reading for index, payload in enumerate(payloads) for reading in walked(payload, index)]
    assert seen(decoded, TAGS) == expected
    for reading in seen(decoded, TAGS):
        assert reading.value is not None or reading.quality != "good"
        assert EARLIEST_US <= reading.time <= LATEST_US
    faulty = {index for index, _ in decoded.faults}
    for index, payload in enumerate(payloads):
        tagged = [fault for fault in walk(payload, us(0))[1] if fault.metric in ("", *TAG_OF)]
        assert bool(tagged) == (index in faulty)


def test_arrays_that_turn_into_something_else() -> None:
    plain = b'[{"value": 1, "time": %d}, {"value": 2}]' % ms(1)
    others = [
        b'[{"value": true}]',
        b'{"value": 3}',
        b'[{"value": 4, "quality": "bad"}, {"metric": "oil", "value": 5}]',
        b'[{"value": 6, "note": "x"}, {"values": {"oil": 7}}]',
        b"[]",
        b'[{"value": 8, "time": [1]}]',
        b"[",
    ]
    payloads = [payload for other in others for payload in (plain, plain, other, plain)]
    expected = [reading for index, payload in enumerate(payloads) for reading in walked(payload, index)]
    decoded = decode(*payloads)
    assert seen(decoded, TAGS) == expected
    assert [index for index, _ in decoded.faults] == [22, 26]


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_raise(payloads: list[bytes]) -> None:
    decode(*payloads)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes(min_value=at(0).replace(tzinfo=None), timezones=st.just(T0.tzinfo)),
)
def test_every_way_to_say_a_reading_says_the_same(value: float, time: datetime) -> None:
    stamp = time.isoformat()
    single = read(json.dumps({"value": value, "time": stamp}).encode())
    assert [(reading.value, reading.time) for reading in single] == [(value, walked_time(stamp))]
    for other in (
        [{"value": value, "time": stamp}],
        {"value": [value], "time": [stamp]},
        {"values": {"value": value}, "time": stamp},
        {"metric": ["value"], "value": [value], "time": stamp},
    ):
        assert read(json.dumps(other).encode()) == single


def walked_time(stamp: str) -> int:
    ((sample,), _) = walk(json.dumps({"value": 1, "time": stamp}).encode(), 0)
    return sample.time


def test_a_large_batch_keeps_order() -> None:
    messages: list[RawReading] = []
    for number in range(300):
        values = json.dumps({"value": [number] * 100, "time": [ms(number)] * 100}).encode()
        messages += [raw("t", values), raw("t", b'{"value": %d, "quality": "bad"}' % number), raw("u", b"?")]
    whole = seen(decoder(TAGS).decode(batch_of(messages)), TAGS)
    assert [reading.message for reading in whole] == sorted(reading.message for reading in whole)
    host, apart, first = decoder(TAGS), [], 0
    for batch in pieces(messages, (1, 77, 300, 500)):
        apart += seen(host.decode(batch), TAGS, first)
        first += len(batch)
    assert whole == apart
    assert len(whole) == 300 * 101


def test_nothing_is_read_by_no_columns() -> None:
    assert len(decoder(TAGS).decode(batch_of([])).readings) == 0
    readings, faults = Columns().readings(batch_of([]), decoder(TAGS)._bindings)
    assert (len(readings), faults) == (0, [])
