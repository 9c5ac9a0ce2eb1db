from __future__ import annotations

import inspect

import lineshaft.backbone as room
from lineshaft.backbone import Backbone, MqttIngest, Publisher, RawAgain
from lineshaft.core.ports import EventPublisher, RawDestination, RawSource


def test_the_public_names_are_these() -> None:
    assert room.__all__ == [
        "ADVISORIES",
        "DEAD",
        "MQTT_MESSAGES",
        "RAW",
        "Backbone",
        "Connection",
        "Consumer",
        "DeadLetter",
        "Delivery",
        "DeviceCommands",
        "MqttIngest",
        "MqttUser",
        "NatsServer",
        "Publisher",
        "RawAgain",
        "Redelivery",
        "Will",
        "credentials",
        "event_subject",
        "from_message",
        "stream_of",
        "to_message",
    ]
    assert all(hasattr(room, name) for name in room.__all__)


def test_the_ports_are_implemented_to_the_letter() -> None:
    for port, ours in ((EventPublisher, Publisher), (RawSource, MqttIngest), (RawDestination, RawAgain)):
        for name, declared in inspect.getmembers(port, inspect.isfunction):
            if not name.startswith("_"):
                wanted, given = inspect.signature(declared), inspect.signature(getattr(ours, name))
                assert list(given.parameters) == list(wanted.parameters)


async def test_the_facade_carries_the_ports(backbone: Backbone) -> None:
    publisher: EventPublisher = backbone.publisher
    source: RawSource = backbone.raw_source()
    assert publisher
    assert source
