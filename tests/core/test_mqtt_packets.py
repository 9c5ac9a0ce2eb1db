from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.mqtt_packets import (
    Publish,
    connect_packet,
    packet_at,
    publish_packet,
    read_connack,
    read_publish,
    read_suback,
    subscribe_packet,
)

_MESSAGES = st.tuples(
    st.text(min_size=1, max_size=30), st.binary(max_size=400), st.sampled_from([0, 1]), st.integers(1, 0xFFFF)
)


@given(st.lists(_MESSAGES, max_size=6), st.sampled_from([4, 5]), st.data())
def test_packets_are_found_wherever_the_stream_is_cut(
    messages: list[tuple[str, bytes, int, int]], level: int, data: st.DataObject
) -> None:
    stream = b"".join(
        publish_packet(topic, payload, qos=qos, retain=False, packet_id=number, level=level)
        for topic, payload, qos, number in messages
    )
    cut = data.draw(st.integers(0, len(stream)))
    found, start, buffer = [], 0, bytearray()
    for part in (stream[:cut], stream[cut:]):
        buffer += part
        while (place := packet_at(buffer, start)) is not None:
            found.append(read_publish(buffer[start], bytes(buffer[place[0] : place[1]]), level))
            start = place[1]
    assert start == len(stream)
    assert found == [
        Publish(topic.encode(), number.to_bytes(2, "big") if qos else b"", payload, False)
        for topic, payload, qos, number in messages
    ]


def test_a_length_of_five_bytes_is_none() -> None:
    assert packet_at(b"\x30\xff\xff\xff", 0) is None
    with pytest.raises(ValueError, match="more than four"):
        packet_at(b"\x30\xff\xff\xff\xff\x01", 0)


def test_a_message_that_ends_before_its_payload_is_none() -> None:
    with pytest.raises(IndexError):
        read_publish(0x30, b"\x00\x09abc", 4)


def test_connect_says_what_each_version_can() -> None:
    """OASIS MQTT 3.1.1 figure 3.6; MQTT 5.0 §3.1.2.11."""
    old = connect_packet("a", "", "", 60, clean=False, session_expiry_s=9)
    assert old == b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x3c\x00\x01a"
    new = connect_packet("a", "u", "p", 60, level=5, session_expiry_s=9, receive_maximum=7, largest_packet=5)
    properties = b"\x11\x00\x00\x00\x09\x21\x00\x07\x27\x00\x00\x00\x05"
    assert new[2:] == b"\x00\x04MQTT\x05\xc2\x00\x3c\x0d" + properties + b"\x00\x01a\x00\x01u\x00\x01p"


def test_a_subscription_of_mqtt_5_leaves_out_our_own_messages() -> None:
    assert subscribe_packet(1, ["a/#"], 1) == b"\x82\x08\x00\x01\x00\x03a/#\x01"
    assert subscribe_packet(1, ["a/#"], 1, level=5) == b"\x82\x09\x00\x01\x00\x00\x03a/#\x15"
    assert read_suback(b"\x00\x01\x01\x80", 4) == b"\x01\x80"
    assert read_suback(b"\x00\x01\x04\x1f\x00\x01x\x87", 5) == b"\x87"


def test_what_a_server_decided_otherwise_is_read_from_among_its_properties() -> None:
    """Of MQTT 5.0 §3.2.2.3: assigned client id, a user property, keep alive, session expiry, maximum QoS."""
    properties = (
        b"\x12\x00\x02ab"
        + b"\x26\x00\x01k\x00\x01v"
        + b"\x13\x00\x0a"
        + b"\x11\x00\x00\x00\x3c"
        + b"\x24\x01"
    )
    answer = read_connack(b"\x01\x00" + bytes([len(properties)]) + properties, 5)
    assert (answer.session_present, answer.code) == (True, 0)
    assert (answer.keepalive_s, answer.session_expiry_s) == (10, 60)
    assert read_connack(b"\x00\x05", 4).code == 5
