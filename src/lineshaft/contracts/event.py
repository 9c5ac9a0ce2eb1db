"""Events, declared once: type, data, class, owner, key, SLA."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.ids import business_key
from lineshaft.core.values import Event, EventClass, Value
from lineshaft.model.entities import ENTITIES
from lineshaft.model.systems import SystemKind

__all__ = ["EventContract", "Sla"]

T = TypeVar("T", bound=Value)


class Sla(StrEnum):
    REAL_TIME = "real time"
    NEAR_REAL_TIME = "near real time"
    BATCH = "batch"

    @classmethod
    def of(cls, seconds: float) -> Sla:
        """Real time up to 5 s, near real time up to 5 min."""
        return cls.REAL_TIME if seconds <= 5 else cls.NEAR_REAL_TIME if seconds <= 300 else cls.BATCH


_TYPE = re.compile(r"[a-z]+(\.[a-z_]+){2,3}\.v[1-9][0-9]*")


class EventContract(Generic[T]):
    """One event type.

    type              `<domain>.<entity>.<past-verb>.v<major>`
    data              the value type of its payload
    key               field of the data that names the entity (the CloudEvents subject). `a+b`: both;
                      `a|b`: the first that has a value; `a.b`: field b of field a
    order_by          the same, within which order is kept (the partition key); the key if not given
    sla_s             seconds from fact to consumer
    entity            canonical entity that it is about, if any
    system_of_record  kind of system that masters it; that of the entity if not given
    producers,
    consumers         kinds of systems that tell it, and that it is meant for
    """

    def __init__(
        self,
        type: str,
        data: type[T],
        *,
        eventclass: EventClass,
        owner: str,
        key: str,
        order_by: str = "",
        sla_s: float,
        summary: str,
        entity: str = "",
        system_of_record: SystemKind | None = None,
        producers: Sequence[SystemKind] = (),
        consumers: Sequence[SystemKind] = (),
    ) -> None:
        if not _TYPE.fullmatch(type):
            raise ValueError(f"{type!r} is no event type; expected <domain>.<entity>.<past-verb>.v<major>")
        self.type = type
        self.data = data
        self.eventclass = eventclass
        self.owner = owner
        self.key = key
        self.order_by = order_by or key
        self.sla_s = sla_s
        self.summary = summary
        self.producers, self.consumers = tuple(producers), tuple(consumers)
        if entity and entity not in ENTITIES:
            raise ValueError(f"{type}: {entity!r} is no canonical entity; known: {', '.join(ENTITIES)}")
        self.entity = entity
        self.system_of_record = system_of_record or (ENTITIES[entity].system_of_record if entity else None)
        for field in re.split(r"[+|]", f"{self.key}+{self.order_by}"):
            if field.split(".")[0] not in data.__struct_fields__:
                raise ValueError(f"{type}: {data.__name__} has no field {field!r}")
        self.subject: Callable[[T], str] = _reader(self.key)
        self.partition: Callable[[T], str] = _reader(self.order_by)

    @property
    def sla(self) -> Sla:
        return Sla.of(self.sla_s)

    @cached_property
    def schema(self) -> PayloadSchema[T]:
        facets: dict[str, Any] = {
            "x-key": self.key,
            "x-order-by": self.order_by,
            "x-class": str(self.eventclass),
            "x-owner": self.owner,
            "x-sla": self.sla_s,
            "x-sla-class": str(self.sla),
        }
        if self.entity:
            facets["x-entity"] = self.entity
        if self.system_of_record:
            facets["x-system-of-record"] = str(self.system_of_record)
        for name, kinds in (("x-producers", self.producers), ("x-consumers", self.consumers)):
            if kinds:
                facets[name] = [str(kind) for kind in kinds]
        return PayloadSchema(self.type, self.data, facets)

    def make(
        self,
        data: T,
        *,
        plant: str,
        source: str,
        identity: tuple[str, ...],
        time: datetime,
        correlation_id: str = "",
        causation_id: str = "",
        traceparent: str = "",
    ) -> Event:
        """The event of one fact. The id derives from `identity`: the same fact told twice is one event."""
        event_id = business_key(self.type, source, *identity)
        return Event(
            id=event_id,
            type=self.type,
            source=source,
            subject=self.subject(data),
            time=time,
            plant=plant,
            eventclass=self.eventclass,
            data=msgspec.json.encode(data),
            partitionkey=self.partition(data),
            correlationid=correlation_id or event_id,
            causationid=causation_id,
            traceparent=traceparent,
            dataschema=f"lineshaft:{self.type}",
            recordedtime=time,
        )

    def decode(self, event: Event) -> T:
        """raises ContractViolation with every finding"""
        return self.schema.decode(event.data)

    def describe(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "class": str(self.eventclass),
            "owner": self.owner,
            "key": self.key,
            "order_by": self.order_by,
            "sla_s": self.sla_s,
            "sla": str(self.sla),
            "entity": self.entity,
            "system_of_record": str(self.system_of_record or ""),
            "producers": [str(kind) for kind in self.producers],
            "consumers": [str(kind) for kind in self.consumers],
            "summary": self.summary,
            "schema": self.schema.document,
        }

    def __repr__(self) -> str:
        return f"EventContract({self.type})"


def _reader(expression: str) -> Callable[[Any], str]:
    """What takes the text of a key out of the data; `-` for a part that has no value."""
    if not re.search(r"[+|.]", expression):
        return lambda data: str(getattr(data, expression))
    parts = [part.split("|") for part in expression.split("+")]

    def read(data: Any) -> str:
        return "+".join(next(filter(None, (_text(data, path) for path in part)), "-") for part in parts)

    return read


def _text(data: Any, path: str) -> str:
    for name in path.split("."):
        data = getattr(data, name, None)
    return "" if data is None else str(data)
