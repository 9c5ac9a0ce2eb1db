"""Messages made by pysparkplug, an implementation not ours, or by raw protobuf where that is too tidy."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pysparkplug as psp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import ExceptionKind, Quality
from lineshaft.telemetry.sample import Decoded, Sample
from lineshaft.telemetry.sparkplug import SparkplugHost, rebirth_request
from lineshaft.telemetry.sparkplug_b_pb2 import Payload
from lineshaft.telemetry.sparkplug_metric import number
from lineshaft.telemetry.state import BIRTHS, CURSOR

from .edge_node import OIL, PRESSURE, EdgeNode
from .plant import FakeClock, at, ms, raw

DEVICE = "north/line1/p09"


@pytest.fixture
def node() -> EdgeNode:
    return EdgeNode()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def host(clock: FakeClock) -> SparkplugHost:
    return SparkplugHost(clock)


def born(host: SparkplugHost, node: EdgeNode) -> None:
    for message in (node.nbirth(), node.dbirth()):
        assert host.decode(message).faults == []


def values(decoded: Decoded) -> dict[str, float]:
    return {sample.metric: sample.value for sample in decoded.samples}


def test_births_declare_and_carry_values(host: SparkplugHost, node: EdgeNode) -> None:
    at_node = host.decode(node.nbirth())
    assert (at_node.address, values(at_node)) == ("north/line1", {"speed": -7.0})
    at_device = host.decode(node.dbirth())
    assert (at_device.address, values(at_device)) == (DEVICE, {PRESSURE: 100.0, OIL: -3.0})


def test_data_by_alias_and_by_name(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    assert host.decode(node.ddata(1, 101)).samples == [Sample(PRESSURE, 101.0, at(1), Quality.GOOD)]
    assert host.decode(node.ddata(2, 102, alias=None)).samples == [
        Sample(PRESSURE, 102.0, at(2), Quality.GOOD)
    ]
    assert host.requests() == []


def test_historical_and_null(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    assert host.decode(node.ddata(1, 101, is_historical=True)).samples[0].historical
    (sample,) = host.decode(node.ddata(2, 101, is_null=True)).samples
    assert math.isnan(sample.value)
    assert sample.quality is Quality.BAD


def test_seq_runs_around_from_255_to_0(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    for count in range(600):
        (sample,) = host.decode(node.ddata(count, 100 + count)).samples
        assert sample.quality is Quality.GOOD
    assert host.requests() == []


def test_a_gap_asks_for_rebirth_and_doubts_aliases_until_then(
    host: SparkplugHost, node: EdgeNode, clock: FakeClock
) -> None:
    born(host, node)
    node.ddata(1, 101)  # lost
    decoded = host.decode(node.ddata(2, 102))
    assert decoded.samples[0].quality is Quality.UNCERTAIN
    assert decoded.faults[0].kind is ExceptionKind.UNPOSTABLE_READING
    assert "north/line1" in decoded.faults[0].cause
    ((topic, payload),) = host.requests()
    assert topic == "spBv1.0/north/NCMD/line1"
    command = psp.NCmd.decode(payload)
    assert (command.metrics[0].name, command.metrics[0].value) == ("Node Control/Rebirth", True)
    assert host.decode(node.ddata(3, 103, alias=None)).samples[0].quality is Quality.GOOD
    assert host.requests() == []  # asked a moment ago
    clock.seconds = 11
    host.decode(node.ddata(4, 104))
    assert len(host.requests()) == 1  # still no birth
    host.decode(node.nbirth(5))
    host.decode(node.dbirth(5, aliases=(1, 0)))
    (sample,) = host.decode(node.ddata(6, 106, alias=1)).samples
    assert (sample.metric, sample.quality) == (PRESSURE, Quality.GOOD)


def test_a_birth_of_the_device_alone_ends_the_doubt_of_its_aliases(
    host: SparkplugHost, node: EdgeNode
) -> None:
    born(host, node)
    node.ddata(1, 101)  # lost
    host.decode(node.ddata(2, 102))
    host.decode(node.dbirth(3))
    assert host.decode(node.ddata(4, 104)).samples[0].quality is Quality.GOOD


@pytest.mark.parametrize("births", [0, 1])
def test_data_without_birth_asks_for_it(host: SparkplugHost, node: EdgeNode, births: int) -> None:
    first = [node.nbirth(), node.dbirth()]
    for message in first[:births]:
        host.decode(message)
    decoded = host.decode(node.ddata(1, 101))
    assert decoded.samples == []
    assert decoded.faults[0].kind is ExceptionKind.UNPOSTABLE_READING
    assert len(host.requests()) == 1


def test_an_alias_that_no_birth_declares(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    decoded = host.decode(node.ddata(1, 101, alias=77))
    assert decoded.samples == []
    assert "alias 77" in decoded.faults[0].cause
    assert len(host.requests()) == 1


def test_deaths_name_what_went_stale(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    assert host.decode(node.ddeath(1)).stale == [DEVICE]
    assert host.decode(node.ddata(2, 1)).samples == []
    assert len(host.requests()) == 1
    host.decode(node.dbirth(3))
    assert host.decode(node.ndeath(4, bd_seq=5)).stale == []  # of another connection
    assert host.decode(node.ddata(5, 1)).samples != []
    assert set(host.decode(node.ndeath(6)).stale) == {"north/line1", DEVICE}
    assert host.decode(node.ddata(7, 1)).samples == []
    assert host.decode(node.nbirth(8)).stale == [DEVICE]


def test_messages_delivered_again_are_known(host: SparkplugHost, node: EdgeNode) -> None:
    messages = [node.nbirth(), node.dbirth(), *(node.ddata(second, second) for second in range(1, 5))]
    for message in messages:
        assert not host.decode(message).repeated
    for message in messages:
        assert host.decode(message).repeated
    assert not host.decode(node.ddata(9, 9)).repeated
    assert host.requests() == []


def test_a_device_that_sends_twice_makes_no_gap(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    message = node.ddata(1, 101)
    host.decode(message)
    node.position += 1
    again = raw(message.topic, message.payload, 1.5, f"RAW:{node.position}")
    assert host.decode(again).samples == [Sample(PRESSURE, 101.0, at(1))]  # the tag's own order drops it
    assert host.decode(node.ddata(2, 102)).samples[0].quality is Quality.GOOD
    assert host.requests() == []


def test_a_stream_made_anew_is_no_repeat(host: SparkplugHost, node: EdgeNode) -> None:
    born(host, node)
    node.position = 0
    assert not host.decode(node.ddata(1, 101)).repeated


def test_a_session_goes_on_after_a_restart(host: SparkplugHost, node: EdgeNode, clock: FakeClock) -> None:
    born(host, node)
    saved = host.changed()
    assert set(saved) == {CURSOR + "north/line1", BIRTHS + "north/line1"}
    message = node.ddata(1, 101)
    host.decode(message)
    moved = host.changed()
    assert set(moved) == {CURSOR + "north/line1"}
    after = SparkplugHost(clock)
    after.restore(saved | moved)
    assert after.decode(message).repeated
    assert after.decode(node.ddata(2, 102)).samples == [Sample(PRESSURE, 102.0, at(2))]
    assert after.requests() == []
    with pytest.raises(PermanentFault, match="sparkplug/cursor/north/line1"):
        after.restore({CURSOR + "north/line1": b"\xc1"})


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/STATE/scada", "spBv1.0/north/NCMD/line1", "spBv1.0/north/DCMD/line1/p09"],
)
def test_what_is_not_for_a_host_is_passed_over(host: SparkplugHost, topic: str) -> None:
    assert host.decode(raw(topic, b'{"online":true}')) == Decoded("")


@pytest.mark.parametrize(
    ("topic", "payload", "says"),
    [
        ("spBv1.0/", b"", "the topic"),
        ("spBv1.0/north/DDATA/line1", b"", "the topic"),
        ("spBv1.0/north/NDATA/line1/p09", b"", "the topic"),
        ("spBv1.0/north/XDATA/line1/p09", b"", "the topic"),
        ("spBv1.0/north/NDATA/line1", b"garbage", "no Sparkplug B payload"),
        ("spBv1.0/north/NDATA/line1", b"\0" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_malformed(host: SparkplugHost, topic: str, payload: bytes, says: str) -> None:
    (fault,) = host.decode(raw(topic, payload)).faults
    assert says in fault.cause


def device_birth(host: SparkplugHost, node: EdgeNode, *metrics: dict[str, object]) -> Decoded:
    host.decode(node.nbirth())
    payload = Payload(timestamp=ms(1), seq=node.next_seq())
    for metric in metrics:
        payload.metrics.add(**metric)  # type: ignore[arg-type]
    return host.decode(node.send(psp.MessageType.DBIRTH, payload.SerializeToString(), 1))


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
    host: SparkplugHost, node: EdgeNode, metric: dict[str, object], says: str
) -> None:
    decoded = device_birth(
        host, node, {"name": "m", **metric}, {"name": "good", "datatype": 10, "double_value": 2}
    )
    (fault,) = decoded.faults
    assert fault.metric == "m"
    assert says in fault.cause
    assert values(decoded) == {"good": 2.0}


def test_metrics_without_a_readable_name(host: SparkplugHost, node: EdgeNode) -> None:
    host.decode(node.nbirth())
    payload = Payload(seq=node.next_seq()).SerializeToString() + b"\x12\x04\x0a\x02\xff\xfe" + b"\x12\x00"
    decoded = host.decode(node.send(psp.MessageType.DBIRTH, payload, 1))
    assert len(decoded.faults) == 2


@pytest.mark.parametrize(
    ("code", "expected"),
    [(192, Quality.GOOD), (0, Quality.BAD), (500, Quality.STALE), (64, Quality.UNCERTAIN)],
)
def test_the_quality_property(host: SparkplugHost, node: EdgeNode, code: int, expected: Quality) -> None:
    properties = {
        "keys": ["engUnit", "Quality"],
        "values": [{"string_value": "bar"}, {"type": 3, "int_value": code}],
    }
    decoded = device_birth(
        host, node, {"name": "m", "datatype": 10, "double_value": 2, "properties": properties}
    )
    assert decoded.samples[0].quality is expected


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
    host = SparkplugHost(FakeClock())
    host.decode(raw("spBv1.0/g/NBIRTH/n", Payload(timestamp=ms(0), seq=0).SerializeToString()))
    host.decode(raw(f"spBv1.0/g/{kind}", payload))
    host.changed()


def test_rebirth_request_is_what_an_edge_node_reads() -> None:
    topic, payload = rebirth_request("north", "line1", at=at(1))
    assert str(psp.Topic.from_str(topic)) == topic
    command = psp.NCmd.decode(payload)
    assert command.timestamp == ms(1)
    assert command.metrics[0].datatype is psp.DataType.BOOLEAN
