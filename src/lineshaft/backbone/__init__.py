"""NATS JetStream: server child, streams, publish, consume, dead letters, device traffic by MQTT."""

from lineshaft.backbone.backbone import Backbone
from lineshaft.backbone.connection import Connection
from lineshaft.backbone.consumer import Consumer, Redelivery
from lineshaft.backbone.dead_letters import DeadLetter
from lineshaft.backbone.device_commands import DeviceCommands
from lineshaft.backbone.devices import Device, read_devices
from lineshaft.backbone.events import event_subject, from_message, to_message
from lineshaft.backbone.incidents import Incident, IncidentKind
from lineshaft.backbone.ingest import MqttIngest
from lineshaft.backbone.publisher import Publisher
from lineshaft.backbone.pull import Delivery
from lineshaft.backbone.raw_again import RawAgain
from lineshaft.backbone.raw_sink import RawSink
from lineshaft.backbone.server import NatsServer
from lineshaft.backbone.server_config import MqttUser
from lineshaft.backbone.server_state import credentials
from lineshaft.backbone.stream_states import StreamState
from lineshaft.backbone.streams import ADVISORIES, DEAD, MQTT_MESSAGES, RAW, SOURCES, stream_of
from lineshaft.core.mqtt_packets import Will
from lineshaft.core.mqtt_tls import MqttTls

__all__ = [
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
