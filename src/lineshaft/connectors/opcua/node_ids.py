"""Node ids as text: `ns=2;s=Line1.Pressure`, or with the namespace's URI, which outlives a server's restart:
`nsu=http://example.org/line1;s=Line1.Pressure`.

source  OPC 10000-6 §5.3.1.10 (string form), §5.1.12 (`;` and `%` in a URI are written %3B and %25)
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Sequence

import msgspec
from asyncua import ua

__all__ = ["NodeName", "node_text", "parse_node"]

_FORM = re.compile(
    r"(?:ns=(?P<index>\d{1,5});|nsu=(?P<uri>[^;]+);)?(?P<kind>[isgb])=(?P<identifier>.+)", re.DOTALL
)


class NodeName(msgspec.Struct, frozen=True):
    """namespace: its index, or its URI, of which the index is known when connected."""

    namespace: int | str
    kind: str
    identifier: int | str | bytes | uuid.UUID

    def at(self, namespaces: Sequence[str]) -> ua.NodeId | None:
        """None where the server does not have the namespace."""
        index = self.namespace
        if isinstance(index, str):
            if index not in namespaces:
                return None
            index = namespaces.index(index)
        kinds = {"i": "Numeric", "s": "String", "g": "Guid", "b": "ByteString"}
        return ua.NodeId(self.identifier, ua.UInt16(index), ua.NodeIdType[kinds[self.kind]])  # type: ignore[arg-type]


def parse_node(text: str) -> NodeName:
    """raises  ValueError that says what is wrong"""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no node id; write e.g. ns=2;s=Line1.Pressure or nsu=http://…;i=1001")
    kind, written = found["kind"], found["identifier"]
    identifier: int | str | bytes | uuid.UUID = written
    try:
        if kind == "i":
            identifier = int(written)
            if not 0 <= identifier < 2**32:
                raise ValueError(f"{written} is beyond 32 bits")
        elif kind == "g":
            identifier = uuid.UUID(written)
        elif kind == "b":
            identifier = base64.b64decode(written, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{text!r} is no node id: {error}") from error
    if found["uri"]:
        return NodeName(found["uri"].replace("%3B", ";").replace("%25", "%"), kind, identifier)
    index = int(found["index"] or 0)
    if index > 0xFFFF:
        raise ValueError(f"{text!r} is no node id: namespace {index} is beyond 65535")
    return NodeName(index, kind, identifier)


def node_text(node: ua.NodeId, namespaces: Sequence[str] = ()) -> str:
    """With the namespace's URI where `namespaces` has it, with its index otherwise."""
    kind = {
        ua.NodeIdType.String: "s",
        ua.NodeIdType.Guid: "g",
        ua.NodeIdType.ByteString: "b",
    }.get(node.NodeIdType, "i")
    told: object = node.Identifier
    identifier = base64.b64encode(told).decode() if isinstance(told, bytes) else str(told)
    index = node.NamespaceIndex
    if not index:
        return f"{kind}={identifier}"
    if index < len(namespaces):
        uri = namespaces[index].replace("%", "%25").replace(";", "%3B")
        return f"nsu={uri};{kind}={identifier}"
    return f"ns={index};{kind}={identifier}"
