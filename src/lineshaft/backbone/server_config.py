"""What the embedded server is told. Its defaults are not safe: each line here was found by experiment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec

from lineshaft.backbone.topics import filter_to_subjects
from lineshaft.core.errors import ConfigError
from lineshaft.core.mqtt_tls import MqttTls

__all__ = ["INTERNAL_USER", "MqttUser", "ServerPlan", "is_loopback", "render"]

INTERNAL_USER = "lineshaft"
_ANONYMOUS = "anonymous-device"
_PROTECTED = ["$JS.>", "$SYS.>", "$KV.>", "$O.>", "$SRV.>", "$JSC.>", "$NRG.>", "_INBOX.>", "_R_.>"]
_OURS = ["ls", "ls.>"]


class MqttUser(msgspec.Struct, frozen=True, kw_only=True):
    """Who may connect by MQTT, and the topic filters it may publish and subscribe to.

    `ls/…` and `$…` stay closed whatever the filters say. A denied publish is still acknowledged to the device
    (the listener knows no other way); the server's log and `NatsServer.violations` tell of it.

    username   where clients show a certificate: its subject such as `CN=edge-07,O=Acme`, or a DNS name or
               mail address in it
    password   plain, or its bcrypt hash; none where clients show a certificate
    """

    username: str
    password: str = ""
    publish: tuple[str, ...] = ("#",)
    subscribe: tuple[str, ...] = ("#",)


class ServerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the configuration depends on. mqtt_port None: the listener stays shut."""

    data_dir: Path
    host: str
    port: int
    monitor_port: int
    password: str
    storage_bytes: int
    mqtt_host: str
    mqtt_port: int | None
    mqtt_users: tuple[MqttUser, ...] | None
    mqtt_tls: MqttTls | None = None


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def render(plan: ServerPlan) -> str:
    """The configuration file; nats-server reads JSON.

    raises  ConfigError when devices could connect from elsewhere without a password
    """
    config: dict[str, Any] = {
        "server_name": f"lineshaft-{plan.port}",
        "host": plan.host,
        "port": plan.port,
        "http": f"127.0.0.1:{plan.monitor_port}",
        "pid_file": str(plan.data_dir / "nats.pid"),
        "log_file": str(plan.data_dir / "nats.log"),
        "logfile_size_limit": 64 * 2**20,
        "logfile_max_num": 3,
        "logtime_utc": True,
        "max_payload": 8 * 2**20,
        "max_pending": 256 * 2**20,
        "write_deadline": "30s",
        "ping_interval": "20s",
        "jetstream": {
            "store_dir": str(plan.data_dir / "store"),
            "max_file_store": plan.storage_bytes,
            "sync_interval": "always",  # the default loses minutes of acknowledged data at power loss
            "max_buffered_size": 2 * 2**30,  # the defaults drop acknowledged MQTT QoS 1 under load
            "max_buffered_msgs": 2_000_000,
        },
    }
    users: list[dict[str, Any]] = [{"user": INTERNAL_USER, "password": plan.password}]
    if plan.mqtt_port is not None:
        config["mqtt"] = {
            "host": plan.mqtt_host,
            "port": plan.mqtt_port,
            "ack_wait": "30s",
            "max_ack_pending": 1000,
            # A session that stayed away for a week no longer holds back what others have taken.
            "consumer_inactive_threshold": "168h",
        }
        if plan.mqtt_tls is not None:
            config["mqtt"]["tls"] = plan.mqtt_tls.for_server()
        users += _device_users(plan, config["mqtt"])
    config["authorization"] = {"users": users}
    return json.dumps(config, indent=2, ensure_ascii=False)


def _device_users(plan: ServerPlan, mqtt: dict[str, Any]) -> list[dict[str, Any]]:
    if plan.mqtt_users is None:
        if not is_loopback(plan.mqtt_host):
            raise ConfigError(
                f"MQTT on {plan.mqtt_host}:{plan.mqtt_port} would be open to everyone on the network",
                hint="declare mqtt_users, or keep mqtt_host at 127.0.0.1",
            )
        mqtt["no_auth_user"] = _ANONYMOUS
        return [_device_user(MqttUser(username=_ANONYMOUS, password=plan.password))]
    tls = plan.mqtt_tls
    by_certificate = tls is not None and tls.clients == "certificate"
    own_name = tls.own_name if tls is not None and by_certificate else ""
    own = [{"user": own_name, "allowed_connection_types": ["MQTT"]}] if own_name else []
    taken = {INTERNAL_USER, own_name}
    for user in plan.mqtt_users:
        if user.username in taken or not user.username or bool(user.password) is by_certificate:
            raise ConfigError(
                f"MQTT user {user.username!r} cannot be declared",
                hint=f"names are unique, not {INTERNAL_USER!r}; a password, or none where certificates count",
            )
        taken.add(user.username)
    return [*own, *(_device_user(user) for user in plan.mqtt_users)]


def _device_user(user: MqttUser) -> dict[str, Any]:
    secret = {"password": user.password} if user.password else {}
    publish = _subjects(user.publish) or ["ls.nothing"]  # an empty list would allow everything
    return {
        "user": user.username,
        **secret,
        "allowed_connection_types": ["MQTT"],
        "permissions": {
            "publish": {
                "allow": publish,
                "deny": [*_PROTECTED, *_OURS, "$MQTT.>"],
            },
            "subscribe": {
                "allow": [*_subjects(user.subscribe), "$MQTT.sub.>"],  # the listener's own deliveries
                "deny": [*_PROTECTED, *_OURS, "$MQTT.msgs.>"],
            },
        },
    }


def _subjects(topic_filters: Sequence[str]) -> list[str]:
    return [subject for each in topic_filters for subject in filter_to_subjects(each)]
