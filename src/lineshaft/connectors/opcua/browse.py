"""What a server has to offer, as rows from which a tag list can be made.

source  OPC 10000-4 §5.8 (Browse, BrowseNext), OPC 10000-8 §5.6.4.3 (EUInformation)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from lineshaft.connectors.opcua.link import Link, connected, fault_of, well_known
from lineshaft.connectors.opcua.node_ids import node_text, parse_node
from lineshaft.connectors.opcua.options import OpcUaOptions
from lineshaft.connectors.opcua.source import certificates_of
from lineshaft.core.errors import ConfigError

__all__ = ["BrowsedValue", "browse"]

_SERVER = well_known(ObjectIds.Server)
_HAS_PROPERTY = well_known(ObjectIds.HasProperty)
_LONGEST_METRIC = 200
_MOST_REFERENCES = 1_000


class BrowsedValue(msgspec.Struct, frozen=True, kw_only=True):
    """One variable.

    node_id    as a metric in the tag list, with the namespace's URI where that is not too long
    path       browse names from the start, `/` between them
    data_type  e.g. Double, `Int32[]` for an array; empty where there is no value
    unit       UNECE Rec 20 code, else as the server writes it; empty where it tells none
    value      as text, what it holds now
    """

    node_id: str
    path: str
    data_type: str
    unit: str
    value: str


class _Found(NamedTuple):
    node: ua.NodeId
    path: str
    is_variable: bool = False


async def browse(
    name: str, options: OpcUaOptions, *, folder: Path, start: str
) -> AsyncIterator[BrowsedValue]:
    """Every variable below `start`, level by level; the server's own diagnostics only when it starts there.

    raises  ConfigError, PermanentFault, TransientFault
    """
    options.check(name)
    certificates = certificates_of(options, folder)
    try:
        begin = parse_node(start)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    try:
        uri = options.application_uri or f"urn:lineshaft:{name}"
        async with connected(options, uri, folder, certificates) as link:
            node = begin.at(link.namespaces)
            if node is None:
                raise ConfigError(f"{options.url} has no namespace {begin.namespace}")
            async for row in _below(link, node):
                yield row
    except Exception as error:
        raise fault_of(error, options, certificates) from error


async def _below(link: Link, start: ua.NodeId) -> AsyncIterator[BrowsedValue]:
    level = [_Found(start, "")]
    seen = {start, _SERVER}
    while level:
        deeper: list[_Found] = []
        units: dict[ua.NodeId, ua.NodeId] = {}
        for parent, references in zip(level, await _children(link, level), strict=True):
            for reference in references:
                child, name = reference.NodeId, str(reference.BrowseName.Name or "")
                if reference.ReferenceTypeId == _HAS_PROPERTY:
                    if name == "EngineeringUnits":
                        units[parent.node] = child
                elif child not in seen and not (isinstance(child, ua.ExpandedNodeId) and child.ServerIndex):
                    seen.add(child)
                    path = f"{parent.path}/{name}" if parent.path else name
                    deeper.append(_Found(child, path, reference.NodeClass == ua.NodeClass.Variable))
        for row in await _rows(link, [found for found in level if found.is_variable], units):
            yield row
        level = deeper


async def _children(link: Link, level: list[_Found]) -> list[list[ua.ReferenceDescription]]:
    found: list[list[ua.ReferenceDescription]] = []
    for start in range(0, len(level), link.limits.browses):
        part = level[start : start + link.limits.browses]
        parameters = ua.BrowseParameters()
        parameters.RequestedMaxReferencesPerNode = ua.UInt32(_MOST_REFERENCES)
        parameters.NodesToBrowse = [_forward(each.node) for each in part]
        for result in await link.client.uaclient.browse(parameters):
            references = list(result.References or [])
            while result.ContinuationPoint:
                more = ua.BrowseNextParameters()
                more.ContinuationPoints = [result.ContinuationPoint]
                (result,) = await link.client.uaclient.browse_next(more)  # noqa: PLW2901 - the same, further on
                references += result.References or []
            found.append(references)
    return found


def _forward(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=well_known(ObjectIds.HierarchicalReferences),
        IncludeSubtypes=True,
        NodeClassMask=ua.UInt32(ua.NodeClass.Object | ua.NodeClass.Variable),
        ResultMask=ua.UInt32(ua.BrowseResultMask.All),
    )


def _unit(told: object) -> str:
    """unit_id holds the characters of the Rec 20 code, the first one highest."""
    if not isinstance(told, ua.EUInformation):
        return ""
    code: bytes = max(told.UnitId, 0).to_bytes(8, "big").lstrip(b"\0")
    if (told.NamespaceUri or "").endswith("/un/cefact") and code.isalnum():
        return code.decode()
    text: str | None = told.DisplayName.Text
    return text or ""


async def _rows(link: Link, variables: list[_Found], units: dict[ua.NodeId, ua.NodeId]) -> list[BrowsedValue]:
    values = await link.read([found.node for found in variables], AttributeIds.Value)
    told = await link.read(list(units.values()), AttributeIds.Value)
    unit_of = {node: _unit(data.Value.Value) for node, data in zip(units, told, strict=True) if data.Value}
    rows = []
    for found, data in zip(variables, values, strict=True):
        variant = data.Value or ua.Variant()
        has_value = variant.VariantType != ua.VariantType.Null
        kind = variant.VariantType.name if has_value else ""
        text = node_text(found.node, link.namespaces)
        rows.append(
            BrowsedValue(
                node_id=text if len(text) <= _LONGEST_METRIC else node_text(found.node),
                path=found.path,
                data_type=f"{kind}[]" if isinstance(variant.Value, list) else kind,
                unit=unit_of.get(found.node, ""),
                value=str(variant.Value) if has_value else "",
            )
        )
    return rows
