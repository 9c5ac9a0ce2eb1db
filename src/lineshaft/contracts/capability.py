"""Operations: methods on a capability, declared once and typed.

From one declaration come the client that processes use, the port that connectors implement, the JSON Schemas
and the shape of the ledger row.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache, cached_property
from typing import Any, ClassVar, ParamSpec, TypeVar, cast, get_type_hints

import msgspec

from lineshaft.contracts.event import EventContract
from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ConfigError
from lineshaft.core.ids import business_key, fingerprint
from lineshaft.core.ports import Connector
from lineshaft.core.values import Value
from lineshaft.model.entities import ENTITIES

__all__ = ["Capability", "Operation", "bind", "client", "command", "query"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="Capability")


class Operation:
    """One declared operation.

    name      `<capability>.<method>`
    key       fields of the request that make its idempotency key; empty for a query
    emits     event that tells the outcome; its data is the operation's reply
    order     fields of the request within whose values calls take effect in the order of asking; empty: none
    document  field of the reply with the target's document number
    entity    canonical entity that it changes or reads, e.g. `maintenance_request`
    system_kind  of the systems that serve it, as its capability says
    """

    def __init__(
        self,
        method: Callable[..., Awaitable[Any]],
        *,
        key: tuple[str, ...],
        order: tuple[str, ...],
        owner: str,
        entity: str,
        emits: EventContract[Any] | None,
        document: str,
    ) -> None:
        self.method = method.__name__
        self.name = self.method
        self.is_command = bool(key)
        self.key = key
        self.order = order
        self.owner = owner
        self.entity = entity
        self.emits = emits
        self.document = document
        self.system_kind = ""
        self.summary = inspect.getdoc(method) or ""
        self._function = method

    @cached_property
    def _types(self) -> tuple[type[Value], type[Value]]:
        hints = get_type_hints(self._function)
        reply = hints.pop("return")
        (request,) = hints.values()
        return request, reply

    def check(self) -> None:
        """raises  ValueError for a key, order or document that names no field"""
        for value, fields in ((self.request, self.key + self.order), (self.reply, (self.document,))):
            for field in fields:
                if field and field not in value.__struct_fields__:
                    raise ValueError(f"{self.name}: {value.__name__} has no field {field!r}")

    @property
    def request(self) -> type[Value]:
        return self._types[0]

    @property
    def reply(self) -> type[Value]:
        return self._types[1]

    @cached_property
    def request_schema(self) -> PayloadSchema[Value]:
        facets: dict[str, Any] = {"x-key": list(self.key)}
        if self.order:
            facets["x-order-by"] = list(self.order)
        return PayloadSchema(self.name, self.request, facets | self._facets)

    @cached_property
    def reply_schema(self) -> PayloadSchema[Value]:
        return PayloadSchema(f"{self.name} reply", self.reply, self._facets)

    @property
    def system_of_record(self) -> str:
        """Kind of system that masters the entity; empty for an entity that is not canonical."""
        entity = ENTITIES.get(self.entity)
        return str(entity.system_of_record) if entity else ""

    @property
    def _facets(self) -> dict[str, Any]:
        facets = {"x-owner": self.owner, "x-entity": self.entity, "x-system-kind": self.system_kind}
        return facets | ({"x-system-of-record": self.system_of_record} if self.system_of_record else {})

    def idempotency_key(self, request: Value, target: str) -> str:
        """UUIDv5 over the business tuple of model-and-events: what the fact is, never when it was sent."""
        return business_key(self.name, target, *(_text(getattr(request, field)) for field in self.key))

    def order_key(self, request: Value, target: str) -> tuple[str, ...] | None:
        """Calls of one entity with the same are kept in order; None where any order will do."""
        if not self.order:
            return None
        return (target, self.entity, *[_text(getattr(request, field)) for field in self.order])

    @staticmethod
    def fingerprint(request: Value) -> str:
        return fingerprint(msgspec.json.encode(request, order="deterministic"))

    def document_number(self, reply: Value) -> str:
        return str(getattr(reply, self.document) or "") if self.document else ""

    def __repr__(self) -> str:
        return f"Operation({self.name})"


def _text(part: Any) -> str:
    """One moment has one text, whatever offset it came with; None is told from the text "None"."""
    if part is None:
        return "\0"
    if isinstance(part, datetime):
        return rfc3339(part)
    return part.isoformat() if isinstance(part, date) else str(part)


class Capability:
    """Base of what a kind of system can do: `class Maintenance(Capability, name="maintenance")`."""

    capability: ClassVar[str]
    system_kind: ClassVar[str]
    operations: ClassVar[Mapping[str, Operation]]

    def __init_subclass__(cls, *, name: str = "", system_kind: str = "") -> None:
        if not name:
            return
        cls.capability, cls.system_kind = name, system_kind
        operations = {}
        for method, member in vars(cls).items():
            operation = getattr(member, "__operation__", None)
            if operation is not None:
                operation.name = f"{name}.{method}"
                operation.system_kind = system_kind
                operation.check()
                operations[method] = operation
        cls.operations = operations


def command(
    *,
    key: Sequence[str],
    order: Sequence[str] = (),
    owner: str,
    entity: str,
    emits: EventContract[Any] | None = None,
    document: str = "",
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Declare an operation that changes its system. Its one argument is a Value."""
    if not key:
        raise ValueError("a command needs a key: the fields that make a repeat recognisable")
    return _declare(
        key=tuple(key), order=tuple(order), owner=owner, entity=entity, emits=emits, document=document
    )


def query(*, owner: str, entity: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Declare an operation that only reads."""
    return _declare(key=(), order=(), owner=owner, entity=entity, emits=None, document="")


def _declare(**facets: Any) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    def mark(method: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        method.__operation__ = Operation(method, **facets)  # type: ignore[attr-defined]
        return method

    return mark


def client(capability: type[C], call: Callable[[Operation, Value], Awaitable[Any]]) -> C:
    """A typed client: each method of the capability hands its operation and request to `call`."""

    made = _client_type(capability)()  # type: ignore[arg-type]
    made.__dict__["call"] = call
    return cast("C", made)


@cache
def _client_type(capability: type[Capability]) -> type[Capability]:
    def caller(operation: Operation) -> Callable[[Any, Value], Awaitable[Any]]:
        async def method(self: Any, request: Value) -> Any:
            return await self.__dict__["call"](operation, request)

        return method

    methods = {name: caller(operation) for name, operation in capability.operations.items()}
    return type(f"{capability.__name__}Client", (capability,), methods)


def bind(connector: Connector, capabilities: Mapping[str, type[Capability]]) -> dict[str, Operation]:
    """The operations that a connector serves, by name, after checking that it has each of their methods.

    raises  ConfigError naming every missing method
    """
    manifest, missing, operations = connector.manifest, [], {}
    for name in manifest.capabilities:
        if name not in capabilities:
            missing.append(f"capability {name!r} is not declared; known: {', '.join(capabilities)}")
            continue
        for method, operation in capabilities[name].operations.items():
            if not callable(getattr(connector, method, None)):
                missing.append(f"method {method} of capability {name}")
            if operation.name in manifest.reads_back and not callable(
                getattr(connector, f"find_{method}", None)
            ):
                missing.append(f"method find_{method}, promised in reads_back")
            operations[operation.name] = operation
    if missing:
        raise ConfigError(f"connector {manifest.name!r} does not keep its manifest", findings=missing)
    return operations
