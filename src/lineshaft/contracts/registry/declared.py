"""The contracts that the product declares in code, as the registry sees them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineshaft.contracts.capability import Operation
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.registry.contract import Compatibility, Document, Kind

__all__ = ["DeclaredContract", "declared_contracts"]


class DeclaredContract(msgspec.Struct, frozen=True, kw_only=True):
    """major: of an event, it is in its type; of an operation None: whichever is the newest."""

    name: str
    kind: Kind
    owner: str
    major: int | None
    compatibility: Compatibility
    document: Document


def declared_contracts() -> Iterator[DeclaredContract]:
    """Costs a JSON Schema for each payload type."""
    for event in EVENTS.values():
        name, _, major = event.type.rpartition(".v")
        yield DeclaredContract(
            name=name,
            kind=Kind.EVENT,
            owner=event.owner,
            major=int(major),
            compatibility=Compatibility.FULL_TRANSITIVE,
            document=event.schema.document,
        )
    for capability in CAPABILITIES.values():
        for operation in capability.operations.values():
            yield DeclaredContract(
                name=operation.name,
                kind=Kind.OPERATION,
                owner=operation.owner,
                major=None,
                compatibility=_compatibility(operation, capability.system_kind),
                document={
                    "request": operation.request_schema.document,
                    "reply": operation.reply_schema.document,
                },
            )


def _compatibility(operation: Operation, system_kind: str) -> Compatibility:
    """ERP systems change on their own, so what is posted into them may come to ask for less."""
    if operation.is_command and system_kind == "erp":
        return Compatibility.BACKWARD_TRANSITIVE
    return Compatibility.FULL_TRANSITIVE
