"""Node ids as people write them."""

from __future__ import annotations

import uuid

import pytest
from asyncua import ua

from lineshaft.connectors.opcua.node_ids import node_text, parse_node

NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "http://example.org/a;b%c"]
GUID = uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("i=85", ua.NodeId(ua.Int32(85))),
        ("ns=2;s=Line1.Pressure", ua.NodeId("Line1.Pressure", 2)),
        ("ns=2;s=with;semicolon=x", ua.NodeId("with;semicolon=x", 2)),
        ("nsu=http://example.org/a%3Bb%25c;i=1001", ua.NodeId(1001, 2)),
        (f"ns=1;g={GUID}", ua.NodeId(GUID, 1)),
        ("ns=1;b=bGluZQ==", ua.NodeId(b"line", 1)),
    ],
)
def test_every_form_is_read_and_written(text: str, node: ua.NodeId) -> None:
    assert parse_node(text).at(NAMESPACES) == node
    written = node_text(node, NAMESPACES)
    assert parse_node(written).at(NAMESPACES) == node
    assert parse_node(node_text(node)).at([]) == node


def test_a_namespace_that_the_server_does_not_have() -> None:
    assert parse_node("nsu=http://example.org/other;s=a").at(NAMESPACES) is None


@pytest.mark.parametrize(
    "text",
    ["", "Pressure", "ns=2;Pressure", "ns=99999;s=a", "i=-1", "i=4294967296", "i=x", "g=12", "b=%%", "s="],
)
def test_what_is_none_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no node id"):
        parse_node(text)
