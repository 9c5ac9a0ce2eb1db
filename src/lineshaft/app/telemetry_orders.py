"""What a node tells the processes that take in readings for it."""

from __future__ import annotations

import msgspec

from lineshaft.core.mqtt_tls import MqttTls

__all__ = ["TelemetryOrders"]


class TelemetryOrders(msgspec.Struct, frozen=True, kw_only=True):
    """settings: path of the file; nats_url, user, password, mqtt_url: of the backbone that the node uses"""

    settings: str
    nats_url: str
    user: str
    password: str
    mqtt_url: str
    mqtt_tls: MqttTls | None
    topic_filters: list[str]
