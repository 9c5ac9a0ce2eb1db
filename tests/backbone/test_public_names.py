from __future__ import annotations

import inspect

import lineshaft.backbone as room
from lineshaft.backbone import Backbone, MqttIngest, Publisher, RawAgain, RawSink
from lineshaft.core import ports
from lineshaft.core.ports import EventPublisher, RawDestination, RawSource


def test_the_public_names_are_these() -> None:
    assert room.__all__ == [
        "ADVISORIES",
        "DEAD",
        "MQTT_MESSAGES",
        "RAW",
        "SOURCES",
        "Backbone",
        "Connection",
        "Consumer",
        "DeadLetter",
        "Delivery",
        "Device",
        "DeviceCommands",
        "Incident",
        "IncidentKind",
        "MqttIngest",
        "MqttTls",
        "MqttUser",
        "NatsServer",
        "Publisher",
        "RawAgain",
        "RawSink",
        "Redelivery",
        "StreamState",
        "Will",
        "credentials",
        "event_subject",
        "from_message",
        "read_devices",
        "stream_of",
        "to_message",
    ]
    assert all(hasattr(room, name) for name in room.__all__)


def test_the_ports_are_implemented_to_the_letter() -> None:
    for port, ours in (
        (EventPublisher, Publisher),
        (RawSource, MqttIngest),
        (ports.RawSink, RawSink),
        (RawDestination, RawAgain),
    ):
        for name, declared in inspect.getmembers(port, inspect.isfunction):
            if not name.startswith("_"):
                wanted, given = inspect.signature(declared), inspect.signature(getattr(ours, name))
                assert list(given.parameters) == list(wanted.parameters)


async def test_the_facade_carries_the_ports(backbone: Backbone) -> None:
    publisher: EventPublisher = backbone.publisher
    source: RawSource = backbone.raw_source()
    sink: ports.RawSink = backbone.raw_sink()
    assert publisher
    assert source
    assert sink
