"""Messages read together say exactly what each says by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.core.values import RawReading
from lineshaft.telemetry.decoder import Decoded, Decoder
from lineshaft.telemetry.sparkplug import bulk as sparkplug_bulk
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Metric, Payload
from lineshaft.telemetry.sparkplug.template import template_of
from lineshaft.telemetry.sparkplug.values import ValueReader
from tests.examples import examples
from tests.telemetry.messages import batch_of, decoder, seen, tags_of, us
from tests.telemetry.plant import ms, raw

NAMES = ("a", "b", "c", "d", "e", "bdSeq", "no tag")
TAGS = tags_of(
    *((name, "g/n/d", name) for name in NAMES[:5]), *((f"other {name}", "g/n/other", name) for name in "ab")
)
DATATYPES = {"int_value": (1, 2, 3, 5, 6, 7), "long_value": (4, 7, 8, 3), "boolean_value": (11,)}
DATATYPES |= {"float_value": (9,), "double_value": (10,), "string_value": (12,), "": (10,)}
FIELDS = tuple(DATATYPES)


@contextmanager
def together(size: int) -> Iterator[None]:
    """Read by templates all that is alike and takes so many bytes, from the first message on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparkplug_bulk, "_ROWS", 1)
        patch.setattr(sparkplug_bulk, "_PATIENCE", 0)
        patch.setattr(sparkplug_bulk, "_BYTES", size)
        yield


def session(births: list[int], data: list[bytes]) -> list[RawReading]:
    """births: datatype of each name, whose place is its alias"""
    dbirth = Payload(timestamp=ms(0), seq=1)
    for alias, (name, datatype) in enumerate(zip(NAMES, births, strict=True)):
        dbirth.metrics.add(name=name, alias=alias, datatype=datatype, is_null=True)
    nbirth = Payload(timestamp=ms(0), seq=0)
    return [
        raw("spBv1.0/g/NBIRTH/n", nbirth.SerializeToString()),
        raw("spBv1.0/g/DBIRTH/n/d", dbirth.SerializeToString()),
        *(raw("spBv1.0/g/DDATA/n/d", payload, 1 + count / 8) for count, payload in enumerate(data)),
    ]


def both(messages: list[RawReading]) -> tuple[Decoded, Decoded]:
    with together(10**12):
        apart = decoder(TAGS, reorder_s=0).decode(batch_of(messages))
    with together(0):
        return apart, decoder(TAGS, reorder_s=0).decode(batch_of(messages))


def same(messages: list[RawReading]) -> None:
    apart, bulk = both(messages)
    assert seen(bulk, TAGS) == seen(apart, TAGS)
    assert sorted(bulk.faults, key=str) == sorted(apart.faults, key=str)
    assert {(address, metric) for _, address, metric in bulk.unknown} == {
        (address, metric) for _, address, metric in apart.unknown
    }
    assert bulk.counters == apart.counters
    assert [topic for topic, _ in bulk.rebirths] == [topic for topic, _ in apart.rebirths]


qualities = st.sampled_from([None, None, 192, 0, 500, 64])
makes = st.lists(
    st.tuples(
        st.sampled_from(FIELDS),
        st.sampled_from(["alias", "name", "both", "other alias"]),
        st.booleans(),  # a datatype in the metric
        st.sampled_from(["own", "own", "none", "zero"]),  # its time
        st.sampled_from([{}, {}, {}, {"is_historical": True}, {"is_null": True}, {"is_transient": False}]),
        qualities,
    ),
    min_size=1,
    max_size=7,
)
BORDERS = st.sampled_from([2**bits + more for bits in (7, 8, 15, 16, 31) for more in (-1, 0, 1)])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int_value": st.integers(0, 2**32 - 1) | st.integers(0, 300) | BORDERS,
    "long_value": st.integers(0, 2**64 - 1) | st.integers(0, 300) | BORDERS,
    "boolean_value": st.booleans(),
    "float_value": st.floats(width=32),
    "double_value": st.floats(),
    "string_value": st.sampled_from(["x", "y"]),
}


@st.composite
def alike(draw: st.DrawFn) -> list[RawReading]:
    """Messages of one make, some of them bent."""
    given_makes = draw(makes)
    births = [draw(st.sampled_from((*DATATYPES[make[0]], 0, 12))) for make in given_makes]
    births += [10] * (len(NAMES) - len(births))
    data = []
    lost = draw(st.integers(0, 12))
    for count in range(draw(st.integers(1, 8))):
        payload = Payload(timestamp=draw(st.sampled_from([0, ms(count), ms(count), 1000, 2**63])))
        payload.seq = count + 2 + (count >= lost)
        for place, (field, by, typed, timed, flags, quality) in enumerate(given_makes):
            metric = payload.metrics.add(**flags)
            if by != "name":
                metric.alias = place if by != "other alias" else 77
            if by in ("name", "both"):
                metric.name = NAMES[place]
            if typed:
                metric.datatype = DATATYPES[field][0]
            if timed != "none":
                metric.timestamp = ms(count + place) if timed == "own" else 0
            if field:
                setattr(metric, field, draw(VALUES[field]))
            if quality is not None:
                metric.properties.keys.append("Quality")
                metric.properties.values.add(type=3, int_value=quality)
        encoded = bytearray(payload.SerializeToString())
        if draw(st.sampled_from([False] * 6 + [True])):
            encoded[draw(st.integers(0, len(encoded) - 1))] = draw(st.integers(0, 255))
        data.append(bytes(encoded))
    return session(births, data)


@settings(max_examples=examples(120))
@given(alike())
def test_together_as_apart(messages: list[RawReading]) -> None:
    same(messages)


@given(
    st.lists(BORDERS | st.integers(0, 2**32 - 1), min_size=2, max_size=6),
    st.sampled_from([1, 2, 3, 5, 6, 7, 4, 8]),
)
def test_integers_of_each_width(values: list[int], datatype: int) -> None:
    data = [
        Payload(timestamp=ms(1), seq=2 + seq, metrics=[{"alias": 0, "int_value": value}]).SerializeToString()
        for seq, value in enumerate(values)
    ]
    same(session([datatype] + [10] * 6, data))


def test_an_integer_longer_than_its_field() -> None:
    metric = b"\x10\x00\x50\xff\xff\xff\xff\x7f"  # alias 0, int_value in 35 bits
    data = [b"\x12" + bytes([len(metric)]) + metric + b"\x18" + bytes([seq]) for seq in (2, 3)]
    same(session([7] + [10] * 6, data))


def doubles(count: int, seconds: float, seq: int) -> bytes:
    payload = Payload(timestamp=ms(seconds), seq=seq)
    for alias in range(5):
        payload.metrics.add(alias=alias, timestamp=ms(seconds), double_value=count + alias)
    return payload.SerializeToString()


def test_alike_messages_do_not_go_through_protobuf(monkeypatch: pytest.MonkeyPatch) -> None:
    host = decoder(TAGS)
    messages = session([10] * 7, [doubles(count, count, (count + 2) % 256) for count in range(300)])
    host.decode(batch_of(messages[:2]))
    monkeypatch.delattr(ValueReader, "read")
    decoded = host.decode(batch_of(messages[2:]))
    assert [(one.tag, one.value, one.time) for one in seen(decoded, TAGS)] == [
        (NAMES[alias], count + alias, us(count)) for count in range(300) for alias in range(5)
    ]


def test_devices_that_send_alike_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """With aliases and tags of their own, in batches that hold one message of each."""
    host, born = decoder(TAGS), Payload(timestamp=ms(0), seq=2)
    for alias, name in enumerate(("b", "a", "c", "d", "e")):
        born.metrics.add(name=name, alias=alias, datatype=10, is_null=True)
    births = [*session([10] * 7, []), raw("spBv1.0/g/DBIRTH/n/other", born.SerializeToString())]
    host.decode(batch_of(births))

    def pair(turn: int) -> list[RawReading]:
        devices = enumerate(("d", "other"), start=3 + 2 * turn)
        return [raw(f"spBv1.0/g/DDATA/n/{name}", doubles(seq, turn, seq), turn) for seq, name in devices]

    with together(0):
        host.decode(batch_of(pair(0)))
        monkeypatch.delattr(ValueReader, "read")
        decoded = host.decode(batch_of(pair(1)))
    assert [(one.tag, one.value, one.message) for one in seen(decoded, TAGS)] == [
        *((name, 5 + place, 0) for place, name in enumerate(NAMES[:5])),
        ("other b", 6, 1),
        ("other a", 7, 1),
    ]
    assert decoded.counters.unknown == 3


def test_a_birth_amid_them_changes_what_they_mean() -> None:
    messages = session([10] * 7, [doubles(count, count, count + 2) for count in range(20)])
    turned = Payload(timestamp=ms(9), seq=12)
    for alias, name in enumerate(reversed(NAMES[:5])):
        turned.metrics.add(name=name, alias=alias, datatype=10, is_null=True)
    later = [doubles(count, count, count + 3) for count in range(10, 20)]
    messages[12:] = [
        raw("spBv1.0/g/DBIRTH/n/d", turned.SerializeToString(), 9),
        *(raw("spBv1.0/g/DDATA/n/d", payload, 10 + count) for count, payload in enumerate(later)),
    ]
    apart, bulk = both(messages)
    assert seen(bulk, TAGS) == seen(apart, TAGS)
    assert [one.tag for one in seen(bulk, TAGS)][-5:] == ["e", "d", "c", "b", "a"]


@pytest.mark.parametrize(
    "payload",
    [
        b"\x08\x01\x08\x02",  # a field twice
        b"\x12\x04\x10\x01\x10\x02",
        b"\x12\x0b\x50\x01\x69" + bytes(8),  # two values
        b"\x22\x01u",  # a uuid
        b"\x12\x05\x10\x01",  # cut off
        b"\x0b\x0c",  # groups
        b"\x12\x02\xa0\x06",  # a field that is not known
    ],
)
def test_what_is_no_template(payload: bytes) -> None:
    assert template_of(payload) is None


def test_a_template_tells_what_may_differ() -> None:
    template = template_of(doubles(1, 1, 3))
    assert template is not None
    assert len(template.metrics) == 5
    assert isinstance(template.metrics[0], Metric)
    other = bytearray(doubles(7, 2, 200)[:-1] + b"\x00")[: len(template.mask)]
    rows = sparkplug_bulk.np.frombuffer(doubles(7, 2, 4) + bytes(other), sparkplug_bulk.np.uint8)
    same = (rows.reshape(2, -1) & template.mask) == template.pattern
    assert same.all(axis=1).tolist() == [True, False]


def test_edge_nodes_that_never_send_alike_cost_few_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(sparkplug_bulk, "template_of", lambda data: made.append(data) or template_of(data))
    host: Decoder = decoder(TAGS)
    messages = session([10] * 7, [])
    host.decode(batch_of(messages))
    for count in range(100):
        data = []
        for row in range(30):
            payload = Payload(timestamp=ms(count), seq=(2 + count * 30 + row) % 128 + 128)
            for alias in range(5):
                payload.metrics.add(alias=(alias + row) % 5, double_value=row)
            data.append(payload.SerializeToString())
        host.decode(batch_of(session([10] * 7, data)[2:]))
    assert 1 <= len(made) < 20
