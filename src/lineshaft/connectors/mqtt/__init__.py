"""An MQTT broker that is not ours as a source of device values."""

from lineshaft.connectors.mqtt.settings import MqttOptions
from lineshaft.connectors.mqtt.source import MqttSource

__all__ = ["MqttOptions", "MqttSource"]
