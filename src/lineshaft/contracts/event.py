"""Events, declared once: type, data, class, owner, key, SLA."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.ids import business_key
from lineshaft.core.values import Event, EventClass, Value

__all__ = ["EventContract"]

T = TypeVar("T", bound=Value)
_TYPE = re.compile(r"[a-z]+(\.[a-z_]+){2,3}\.v[1-9][0-9]*")


class EventContract(Generic[T]):
    """One event type.

    type      `<domain>.<entity>.<past-verb>.v<major>`
    data      the value type of its payload
    key       field of the data that names the entity (the CloudEvents subject)
    order_by  field of the data within which order is kept (the partition key); the key if not given
    sla_s     seconds from fact to consumer
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
        for field in (self.key, self.order_by):
            if field not in data.__struct_fields__:
                raise ValueError(f"{type}: {data.__name__} has no field {field!r}")

    @cached_property
    def schema(self) -> PayloadSchema[T]:
        return PayloadSchema(
            self.type,
            self.data,
            {
                "x-key": self.key,
                "x-order-by": self.order_by,
                "x-class": self.eventclass,
                "x-owner": self.owner,
            },
        )

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
            subject=str(getattr(data, self.key)),
            time=time,
            plant=plant,
            eventclass=self.eventclass,
            data=msgspec.json.encode(data),
            partitionkey=str(getattr(data, self.order_by)),
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
            "summary": self.summary,
            "schema": self.schema.document,
        }

    def __repr__(self) -> str:
        return f"EventContract({self.type})"
