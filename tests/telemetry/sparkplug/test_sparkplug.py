"""Messages made by pysparkplug, an implementation not ours, or by raw protobuf where that is too tidy."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pysparkplug as psp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import ExceptionKind, RawReading
from lineshaft.telemetry.decoder import Decoded, Decoder
from lineshaft.telemetry.sparkplug.metric import number
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Payload
from lineshaft.telemetry.state import BIRTHS, CURSOR
from tests.examples import examples
from tests.telemetry.edge_node import PRESSURE, EdgeNode
from tests.telemetry.messages import Seen, batch_of, pieces, seen, us
from tests.telemetry.plant import FakeClock, ms, raw, tag_list

DEVICE = "north/line1/p09"
TAG = "P09.PRESSURE"


@pytest.fixture
def node() -> EdgeNode:
    return EdgeNode()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def host(clock: FakeClock) -> Decoder:
    return Decoder(tag_list(), None, clock)


def read(host: Decoder, *messages: RawReading) -> Decoded:
    return host.decode(batch_of(messages))


def born(host: Decoder, node: EdgeNode) -> None:
    assert read(host, node.nbirth(), node.dbirth()).faults == []


def qualities(decoded: Decoded) -> list[str]:
    return [reading.quality for reading in seen(decoded)]


def stale(decoded: Decoded) -> list[str]:
    return [reading.tag for reading in seen(decoded) if reading.quality == "stale"]


def test_births_declare_and_carry_values(host: Decoder, node: EdgeNode) -> None:
    decoded = read(host, node.nbirth(), node.dbirth())
    assert seen(decoded) == [
        Seen("L1.SPEED", -7.0, us(0)),
        Seen(TAG, 100.0, us(0), message=1),
        Seen("P09.OIL", -3.0, us(0), message=1),
    ]


def test_data_by_alias_and_by_name(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    decoded = read(host, node.ddata(1, 101), node.ddata(2, 102, alias=None))
    assert seen(decoded) == [Seen(TAG, 101.0, us(1)), Seen(TAG, 102.0, us(2), message=1)]
    assert decoded.rebirths == []


def test_historical_and_null(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    decoded = read(host, node.ddata(1, 101, is_historical=True), node.ddata(2, 101, is_null=True))
    assert seen(decoded) == [
        Seen(TAG, 101.0, us(1), historical=True),
        Seen(TAG, None, us(2), "bad", message=1),
    ]


def test_seq_runs_around_from_255_to_0(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    decoded = read(host, *(node.ddata(count, 100 + count) for count in range(600)))
    assert [reading.value for reading in seen(decoded)] == [100 + count for count in range(600)]
    assert set(qualities(decoded)) == {"good"}
    assert decoded.rebirths == []


def test_a_message_that_overtook_others_waits_for_them(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    first, second, third, fourth = (node.ddata(1 + count, count) for count in range(4))
    decoded = read(host, first, fourth, third, second)
    assert [(one.value, one.quality, one.message) for one in seen(decoded)] == [
        (0, "good", 0),
        (1, "good", 3),
        (2, "good", 3),
        (3, "good", 3),
    ]
    assert (decoded.rebirths, decoded.counters.gaps) == ([], 0)


def test_a_gap_asks_for_rebirth_and_doubts_aliases_until_then(
    host: Decoder, node: EdgeNode, clock: FakeClock
) -> None:
    born(host, node)
    node.ddata(1, 101)  # lost
    decoded = read(host, node.ddata(2, 102), node.ddata(3, 103), raw("plant/p08", b"{}", 3.9))
    assert seen(decoded) == []
    decoded = read(host, raw("plant/p07/pressure", b'{"value": 1}', 4), node.ddata(5, 105))
    assert [(reading.value, reading.quality, reading.message) for reading in seen(decoded)] == [
        (1, "good", 0),
        (102, "uncertain", 0),
        (103, "uncertain", 0),
        (105, "uncertain", 1),
    ]
    ((_, fault),) = decoded.faults
    assert fault.kind is ExceptionKind.UNPOSTABLE_READING
    assert "north/line1" in fault.cause
    assert decoded.counters.gaps == 1
    ((topic, payload),) = decoded.rebirths
    assert topic == "spBv1.0/north/NCMD/line1"
    command = psp.NCmd.decode(payload)
    assert (command.metrics[0].name, command.metrics[0].value) == ("Node Control/Rebirth", True)
    decoded = read(host, node.ddata(6, 106, alias=None))
    assert (qualities(decoded), decoded.rebirths) == (["good"], [])  # asked a moment ago
    clock.seconds = 11
    assert len(read(host, node.ddata(7, 107)).rebirths) == 1  # still no birth
    births = [node.nbirth(8), node.dbirth(8, aliases=(1, 0))]
    *_, reading = seen(read(host, *births, node.ddata(9, 109, alias=1)))
    assert (reading.tag, reading.value, reading.quality) == (TAG, 109, "good")


def test_only_so_many_messages_wait(node: EdgeNode) -> None:
    host = Decoder(tag_list(), None, FakeClock())
    born(host, node)
    node.ddata(1, 101)  # lost
    messages = [node.ddata(1 + count / 1000, count) for count in range(80)]
    decoded = read(host, *messages)
    assert [reading.value for reading in seen(decoded)] == list(range(80))
    assert {reading.message for reading in seen(decoded)} == set(range(64, 80))
    assert len(decoded.rebirths) == 1


def test_no_reordering(node: EdgeNode) -> None:
    host = Decoder(tag_list(), None, FakeClock(), reorder_s=0)
    born(host, node)
    node.ddata(1, 101)  # lost
    decoded = read(host, node.ddata(2, 102))
    assert qualities(decoded) == ["uncertain"]
    assert len(decoded.rebirths) == 1


def test_a_birth_of_the_device_alone_ends_the_doubt_of_its_aliases(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    node.ddata(1, 101)  # lost
    read(host, node.ddata(2, 102))
    decoded = read(host, node.dbirth(5), node.ddata(6, 106))
    assert seen(decoded)[-1] == Seen(TAG, 106, us(6), message=1)


@pytest.mark.parametrize("births", [0, 1])
def test_data_without_birth_asks_for_it(host: Decoder, node: EdgeNode, births: int) -> None:
    first = [node.nbirth(), node.dbirth()]
    read(host, *first[:births])
    node.seq = births - 1
    decoded = read(host, node.ddata(1, 101))
    assert seen(decoded) == []
    assert decoded.faults[0][1].kind is ExceptionKind.UNPOSTABLE_READING
    assert len(decoded.rebirths) == 1


def test_an_alias_that_no_birth_declares(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    decoded = read(host, node.ddata(1, 101, alias=77))
    assert seen(decoded) == []
    assert any("alias 77" in fault.cause for _, fault in decoded.faults)
    assert len(decoded.rebirths) == 1


def test_deaths_make_all_tags_stale(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    (pressure, oil) = seen(read(host, node.ddeath(1)))
    assert pressure == Seen(TAG, None, us(1), "stale")
    assert oil.tag == "P09.OIL"
    assert len(read(host, node.ddata(2, 1)).rebirths) == 1
    read(host, node.dbirth(3))
    decoded = read(host, node.ndeath(4, bd_seq=5))  # of another connection
    assert (seen(decoded), decoded.counters.repeated) == ([], 1)
    assert qualities(read(host, node.ddata(5, 1))) == ["good"]
    assert stale(read(host, node.ndeath(6))) == ["L1.SPEED", TAG, "P09.OIL"]
    assert seen(read(host, node.ddata(7, 1))) == []
    assert stale(read(host, node.nbirth(8))) == []  # they are already


def test_a_birth_without_a_death_before_it(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    assert stale(read(host, node.nbirth(8))) == [TAG, "P09.OIL"]


def test_a_birth_that_comes_twice_changes_nothing(host: Decoder, node: EdgeNode) -> None:
    birth = node.nbirth()
    born(host, node)
    read(host, node.ddata(1, 101))
    decoded = read(host, birth, node.ddata(2, 102))
    assert (seen(decoded), decoded.counters.repeated) == ([Seen(TAG, 102, us(2), message=1)], 1)


def test_a_device_that_sends_twice_makes_no_gap(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    message = node.ddata(1, 101)
    decoded = read(host, message, message, node.ddata(2, 102))
    assert [reading.value for reading in seen(decoded)] == [101, 101, 102]  # the tag's own order drops it
    assert decoded.rebirths == []


def test_a_session_goes_on_after_a_restart(host: Decoder, node: EdgeNode, clock: FakeClock) -> None:
    born(host, node)
    saved = host.saved()
    assert {CURSOR + "north/line1", BIRTHS + "north/line1"} <= set(saved)
    read(host, node.ddata(1, 101))
    moved = host.saved()
    assert moved[BIRTHS + "north/line1"] is saved[BIRTHS + "north/line1"]
    after = Decoder(tag_list(), None, clock)
    after.restore(moved)
    decoded = read(after, node.ddata(2, 102))
    assert (seen(decoded), decoded.rebirths) == ([Seen(TAG, 102.0, us(2))], [])
    with pytest.raises(PermanentFault, match="sparkplug/cursor/north/line1"):
        after.restore({CURSOR + "north/line1": b"\xc1"})


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/STATE/scada", "spBv1.0/north/NCMD/line1", "spBv1.0/north/DCMD/line1/p09"],
)
def test_what_is_not_for_a_host_is_passed_over(host: Decoder, topic: str) -> None:
    decoded = read(host, raw(topic, b'{"online":true}'))
    assert (seen(decoded), decoded.faults, decoded.unknown) == ([], [], [])


@pytest.mark.parametrize(
    ("topic", "payload", "says"),
    [
        ("spBv1.0/", b"", "the topic"),
        ("spBv1.0/north/DDATA/line1", b"", "the topic"),
        ("spBv1.0/north/NDATA/line1/p09", b"", "the topic"),
        ("spBv1.0/north/XDATA/line1/p09", b"", "the topic"),
        ("spBv1.0/north/NDATA/line1", b"garbage", "no Sparkplug B payload"),
        ("spBv1.0/north/NDATA/line1", b"\0" * ((1 << 20) + 1), "larger than 1 MiB"),
        ("spBv1.0/north/NDATA/line1", Payload(uuid="SPBV1.0_COMPRESSED").SerializeToString(), "compressed"),
    ],
)
def test_what_is_malformed(host: Decoder, topic: str, payload: bytes, says: str) -> None:
    ((_, fault),) = read(host, raw(topic, payload)).faults
    assert says in fault.cause


TAGGED = {"m": PRESSURE, "good": "hydraulics/oil"}


def device_birth(host: Decoder, node: EdgeNode, *metrics: dict[str, object]) -> Decoded:
    payload = Payload(timestamp=ms(1), seq=1)
    for metric in metrics:
        payload.metrics.add(**{**metric, "name": TAGGED[str(metric["name"])]})  # type: ignore[arg-type]
    birth, node.seq = node.nbirth(), 1
    return read(host, birth, node.send(psp.MessageType.DBIRTH, payload.SerializeToString(), 1))


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ({"datatype": 19, "template_value": b"\x0a\x01a"}, "is a Template"),
        ({"datatype": 16, "dataset_value": b"\x08\x02"}, "is a DataSet"),
        ({"datatype": 12, "string_value": "ready"}, "is String"),
        ({"datatype": 13, "long_value": 1}, "is DateTime"),
        ({"datatype": 30, "bytes_value": b"\0\0\0\0"}, "is FloatArray"),
        ({"datatype": 99, "int_value": 1}, "of datatype 99"),
        ({"datatype": 10, "double_value": math.nan}, "not a finite number"),
        ({"datatype": 9, "float_value": math.inf}, "not a finite number"),
        ({"datatype": 1, "int_value": 200 + 256}, "out of the range of Int8"),
        ({"datatype": 5, "int_value": 256}, "out of the range of UInt8"),
        ({"datatype": 10, "string_value": "1"}, "declared Double but sent as string_value"),
        ({"datatype": 0, "int_value": 1}, "has no datatype"),
        ({"datatype": 10, "double_value": 1, "timestamp": 2**64 - 1}, "timestamp that is out of range"),
        ({"datatype": 10, "double_value": 1, "timestamp": 1000}, "timestamp that is before the year 2000"),
    ],
)
def test_metrics_that_are_no_numbers(
    host: Decoder, node: EdgeNode, metric: dict[str, object], says: str
) -> None:
    good = {"name": "good", "datatype": 10, "double_value": 2}
    decoded = device_birth(host, node, {"name": "m", **metric}, good)
    ((index, fault),) = decoded.faults
    assert (index, fault.metric) == (1, PRESSURE)
    assert says in fault.cause
    assert seen(decoded)[1:] == [Seen("P09.OIL", 2.0, us(1), message=1)]


def test_metrics_without_a_tag_are_told_once_whatever_they_are(host: Decoder, node: EdgeNode) -> None:
    born(host, node)
    payload = Payload(timestamp=ms(1), metrics=[{"name": "mode", "datatype": 12, "string_value": "AUTO"}])
    message = node.send(psp.MessageType.DDATA, payload.SerializeToString(), 1)
    decoded = read(host, message, message)
    assert decoded.faults == []
    assert decoded.unknown == [(0, DEVICE, "mode")]
    assert decoded.counters.unknown == 2


def test_metrics_without_a_readable_name(host: Decoder, node: EdgeNode) -> None:
    payload = Payload(seq=1).SerializeToString() + b"\x12\x04\x0a\x02\xff\xfe" + b"\x12\x00"
    decoded = read(host, node.nbirth(), node.send(psp.MessageType.DBIRTH, payload, 1))
    ((_, fault),) = decoded.faults  # equal ones are told once
    assert "neither a readable name nor an alias" in fault.cause


@pytest.mark.parametrize(("code", "expected"), [(192, "good"), (0, "bad"), (500, "stale"), (64, "uncertain")])
def test_the_quality_property(host: Decoder, node: EdgeNode, code: int, expected: str) -> None:
    properties = {
        "keys": ["engUnit", "Quality"],
        "values": [{"string_value": "bar"}, {"type": 3, "int_value": code}],
    }
    decoded = device_birth(
        host, node, {"name": "m", "datatype": 10, "double_value": 2, "properties": properties}
    )
    assert qualities(decoded)[-1] == expected


def integers() -> Iterator[st.SearchStrategy[tuple[psp.DataType, int]]]:
    for bits in (8, 16, 32, 64):
        signed = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        yield st.tuples(st.just(psp.DataType[f"INT{bits}"]), signed)
        yield st.tuples(st.just(psp.DataType[f"UINT{bits}"]), st.integers(0, 2**bits - 1))


@given(st.one_of(*integers()))
def test_integers_as_pysparkplug_encodes_them(typed: tuple[psp.DataType, int]) -> None:
    datatype, value = typed
    birth = psp.DBirth(
        timestamp=1, seq=0, metrics=(psp.Metric(timestamp=1, name="m", datatype=datatype, value=value),)
    )
    (metric,) = Payload.FromString(birth.encode()).metrics
    assert number(metric, metric.datatype) == float(value)


@given(st.sampled_from([1, 2, 3]), st.data())
def test_negative_integers_in_the_width_of_the_field(datatype: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(-(2 ** (8 << (datatype - 1))) // 2, -1))
    (as_int,) = Payload(metrics=[{"int_value": value % 2**32}]).metrics
    (as_long,) = Payload(metrics=[{"long_value": value % 2**64}]).metrics
    assert number(as_int, datatype) == number(as_long, datatype) == value


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        (psp.DataType.BOOLEAN, True, 1.0),
        (psp.DataType.BOOLEAN, False, 0.0),
        (psp.DataType.FLOAT, 0.5, 0.5),
        (psp.DataType.DOUBLE, -1e300, -1e300),
    ],
)
def test_other_numbers_need_no_datatype(datatype: psp.DataType, value: float, expected: float) -> None:
    metrics = (psp.Metric(timestamp=1, name="m", datatype=datatype, value=value),)
    (metric,) = Payload.FromString(psp.DData(timestamp=1, seq=0, metrics=metrics).encode()).metrics
    assert metric.datatype == 0
    assert number(metric, 0) == number(metric, datatype) == expected


def test_uint32_in_the_long_field() -> None:
    (metric,) = Payload(metrics=[{"long_value": 4_000_000_000}]).metrics
    assert number(metric, 7) == 4e9


@given(
    st.binary(max_size=80), st.sampled_from(["NBIRTH/n", "NDATA/n", "NDEATH/n", "DBIRTH/n/d", "DDATA/n/d"])
)
def test_no_bytes_raise(payload: bytes, kind: str) -> None:
    host = Decoder(tag_list(), None, FakeClock())
    read(host, raw("spBv1.0/g/NBIRTH/n", Payload(timestamp=ms(0), seq=0).SerializeToString()))
    read(host, raw(f"spBv1.0/g/{kind}", payload), raw("spBv1.0/g/NDATA/n", payload, 5))
    host.saved()


class Traffic:
    """An edge node and its line, which loses, doubles and reorders."""

    def __init__(self, steps: list[tuple[str, int]]) -> None:
        node = EdgeNode()
        self.messages = [node.nbirth(), node.dbirth()]
        for count, (step, far) in enumerate(steps):
            seconds = 1 + count / 4
            if step == "dbirth":
                message = node.dbirth(seconds, aliases=(far % 2, 1 - far % 2))
            elif step == "json":
                message = raw("plant/p07/pressure", b'{"value": %d}' % count, seconds)
            elif step in ("nbirth", "ndeath", "ddeath"):
                message = getattr(node, step)(seconds)
            else:
                message = node.ddata(seconds, count, alias=None if step == "named" else 0)
            if step == "early":
                self.messages.insert(max(0, len(self.messages) - far), message)
            elif step != "lost":
                self.messages += [message] * (2 if step == "twice" else 1)
        stored = sorted(message.received_at for message in self.messages)
        self.messages = [
            RawReading(topic=message.topic, payload=message.payload, received_at=when)
            for message, when in zip(self.messages, stored, strict=True)
        ]


steps = st.tuples(
    st.sampled_from(
        ["data"] * 6 + ["named", "json", "early", "lost", "twice", "dbirth", "nbirth", "ndeath", "ddeath"]
    ),
    st.integers(0, 4),
)


@settings(max_examples=examples(50))
@given(st.lists(steps, max_size=30), st.lists(st.integers(0, 40), max_size=6))
def test_batches_and_restarts_change_nothing(traffic: list[tuple[str, int]], cuts: list[int]) -> None:
    messages = Traffic(traffic).messages
    whole = Decoder(tag_list(), None, FakeClock())
    expected = seen(read(whole, *messages))
    told: list[Seen] = []
    host, first = Decoder(tag_list(), None, FakeClock()), 0
    for batch in pieces(messages, cuts):
        saved = host.saved()
        host = Decoder(tag_list(), None, FakeClock())
        host.restore(saved)
        told += seen(host.decode(batch), first=first)
        first += len(batch)
    assert told == expected
    assert host.saved() == whole.saved()
    assert all(math.isfinite(reading.value or 0) for reading in told)
