"""The streams, declared as often as you like: one per event class, dead letters, advisories; and of device
values: `$MQTT_msgs` and `LS_RAW` from our MQTT listener, `LS_SOURCES` from sources and redrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.topics import raw_subjects
from lineshaft.core.errors import ConfigError
from lineshaft.core.values import EventClass

__all__ = [
    "ADVISORIES",
    "DEAD",
    "MQTT_MESSAGES",
    "RAW",
    "SOURCES",
    "SOURCES_PREFIX",
    "StreamSpec",
    "declare",
    "stream_of",
    "streams",
]

_log = structlog.get_logger(__name__)

RAW = "LS_RAW"
SOURCES = "LS_SOURCES"
SOURCES_PREFIX = "ls.raw."
DEAD = "LS_DEAD"
ADVISORIES = "LS_ADVISORIES"
MQTT_MESSAGES = "$MQTT_msgs"

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_NOT_FOUND = 10059
_ADVISORY = "$JS.EVENT.ADVISORY.CONSUMER"


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What we decide about a stream; the rest is the server's default.

    share             part of the storage budget that it may take at most
    max_age_s         0: no limit by age
    discard           new: a full stream refuses (back-pressure); old: it forgets the oldest
    persist           async: not flushed to disk per message; only for what may be lost anyway
    """

    name: str
    subjects: list[str]
    share: float
    max_age_s: int
    discard: str
    retention: str = "limits"
    persist: str = "default"
    atomic: bool = True
    duplicate_window_s: int = 120

    def config(self, storage_bytes: int, replicas: int) -> dict[str, Any]:
        """The fields of the JetStream API's StreamConfig."""
        config: dict[str, Any] = {
            "name": self.name,
            "subjects": self.subjects,
            "storage": "file",
            "retention": self.retention,
            "num_replicas": replicas,
            "max_bytes": int(storage_bytes * self.share),
            "max_age": self.max_age_s * 10**9,
            "discard": self.discard,
            "duplicate_window": self.duplicate_window_s * 10**9,
        }
        if self.atomic:
            config["allow_atomic"] = True
        if self.persist != "default":
            config["persist_mode"] = self.persist
        return config


def stream_of(eventclass: EventClass) -> str:
    return f"LS_{eventclass.value.upper()}"


def streams(topic_filters: Sequence[str] = (), *, with_sources: bool = False) -> list[StreamSpec]:
    """All streams; `LS_RAW` and the limits on `$MQTT_msgs` only where devices are listened to, `LS_SOURCES`
    there and with sources.

    raises  ConfigError for a topic filter that cannot be captured
    """

    def of_class(each: EventClass, share: float, days: int, discard: str) -> StreamSpec:
        return StreamSpec(
            name=stream_of(each),
            subjects=[f"ls.{each.value}.>"],
            share=share,
            max_age_s=days * _DAY_S,
            discard=discard,
        )

    specs = [
        of_class(EventClass.TELEMETRY, 0.20, 7, "old"),
        of_class(EventClass.OPERATIONAL, 0.12, 90, "new"),
        of_class(EventClass.TRANSACTIONAL, 0.18, 365, "new"),
        of_class(EventClass.ANALYTICAL, 0.05, 30, "old"),
        StreamSpec(name=DEAD, subjects=["ls.dead.>"], share=0.04, max_age_s=365 * _DAY_S, discard="new"),
        StreamSpec(
            name=ADVISORIES,
            subjects=[f"{_ADVISORY}.MAX_DELIVERIES.>", f"{_ADVISORY}.MSG_TERMINATED.>"],
            share=0.01,
            max_age_s=90 * _DAY_S,
            discard="old",
            atomic=False,
        ),
    ]
    if topic_filters:
        specs += [
            StreamSpec(
                name=RAW,
                subjects=raw_subjects(list(topic_filters)),
                share=0.10,
                max_age_s=6 * _HOUR_S,
                discard="old",
                persist="async",  # QoS 0 may be lost by its own definition; 4 times the rate of synced writes
                atomic=False,
            ),
            # The server makes this stream at a device's first connection, without limits. Made by us before
            # that, it has them: full, it closes the device's connection instead of acknowledging.
            StreamSpec(
                name=MQTT_MESSAGES,
                subjects=["$MQTT.msgs.>"],
                share=0.15,
                max_age_s=0,
                discard="new",
                retention="interest",
                atomic=False,
            ),
        ]
    if topic_filters or with_sources:
        # No device may publish under `ls.`, so only we write here. A source forgets a value once it is put:
        # each is on disk before that, and stays until telemetry is done with it.
        specs.append(
            StreamSpec(
                name=SOURCES,
                subjects=[f"{SOURCES_PREFIX}>"],
                share=0.10,
                max_age_s=0,
                discard="new",
            )
        )
    return specs


async def declare(
    connection: Connection, specs: Sequence[StreamSpec], *, storage_bytes: int, replicas: int = 1
) -> None:
    """Create what is missing, update what differs.

    raises  ConfigError when the server refuses a declaration, TransientFault when it does not answer
    """
    for spec in specs:
        wanted = spec.config(storage_bytes, replicas)
        try:
            present = (await connection.api(f"STREAM.INFO.{spec.name}"))["config"]
        except ApiRefused as refused:
            if refused.err_code != _NOT_FOUND:
                raise _impossible(spec, refused) from refused
            present = None
        try:
            if present is None:
                await connection.api(f"STREAM.CREATE.{spec.name}", wanted, timeout_s=15)
            elif any(present.get(field) != value for field, value in wanted.items()):
                _log.info("stream changes", stream=spec.name)
                await connection.api(f"STREAM.UPDATE.{spec.name}", {**present, **wanted}, timeout_s=15)
        except ApiRefused as refused:
            raise _impossible(spec, refused) from refused


def _impossible(spec: StreamSpec, refused: ApiRefused) -> ConfigError:
    return ConfigError(
        f"stream {spec.name} on {', '.join(spec.subjects)} cannot be declared: {refused}",
        hint="another stream may hold these subjects, or storage_gib is more than the server has",
    )
