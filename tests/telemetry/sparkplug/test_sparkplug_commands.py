from __future__ import annotations

import json

import pysparkplug as psp
import pytest

from lineshaft.telemetry.sparkplug.commands import contradicts, rebirth_request, state_message
from tests.telemetry.messages import batch_of, decoder
from tests.telemetry.plant import at, ms, raw


def test_rebirth_request_is_what_an_edge_node_reads() -> None:
    topic, payload = rebirth_request("north", "line1", at=at(1))
    assert str(psp.Topic.from_str(topic)) == topic
    command = psp.NCmd.decode(payload)
    assert command.timestamp == ms(1)
    assert command.metrics[0].datatype is psp.DataType.BOOLEAN


@pytest.mark.parametrize("online", [True, False])
def test_state_is_what_an_edge_node_reads(online: bool) -> None:
    topic, payload = state_message("lineshaft", online=online, at=at(1))
    assert topic == "spBv1.0/STATE/lineshaft"
    assert json.loads(payload) == {"online": online, "timestamp": ms(1)}


@pytest.mark.parametrize(
    ("topic", "payload", "against_us"),
    [
        ("spBv1.0/STATE/lineshaft", b'{"online":false,"timestamp":1}', True),
        ("spBv1.0/STATE/lineshaft", b'{"online":true,"timestamp":1}', False),
        ("spBv1.0/STATE/lineshaft", b"OFFLINE", True),
        ("spBv1.0/STATE/scada", b'{"online":false,"timestamp":1}', False),
    ],
)
def test_a_host_hears_that_it_is_said_to_be_offline(topic: str, payload: bytes, against_us: bool) -> None:
    assert contradicts(topic, payload, "lineshaft") is against_us
    decoded = decoder(host="lineshaft").decode(batch_of([raw(topic, payload)]))
    assert decoded.contradicted is against_us
    assert not decoder().decode(batch_of([raw(topic, payload)])).contradicted
