"""What can be said of an expression before it ever runs: names, functions, maps, and the shape it gives.

A field is checked as far as its type is known: our requests and replies are, a system's answers are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from msgspec import inspect

from lineshaft.connectors.rest.expression import Functions, ValueMap
from lineshaft.connectors.rest.marked_yaml import nearest

__all__ = ["Scope", "check_names", "check_shape", "type_of"]

Tree = dict[str, Any]
Type: TypeAlias = "inspect.Type | Scope | None"
Report = Callable[[str, str], None]
"""(finding, name that it is about, to look up its line)"""


@dataclass(frozen=True)
class Scope:
    """An object with known members, some of them of unknown type (None)."""

    name: str
    members: Mapping[str, Type]


def type_of(value: Any) -> Type:
    """Of a type or annotation."""
    return _plain(inspect.type_info(value))


def _plain(found: inspect.Type) -> Type:
    """Without metadata and without `| None`; other unions are unknown."""
    while isinstance(found, inspect.Metadata):
        found = found.type
    if isinstance(found, inspect.UnionType):
        some = [member for member in found.types if not isinstance(member, inspect.NoneType)]
        return _plain(some[0]) if len(some) == 1 else None
    return found


def _members(found: Type) -> tuple[str, Mapping[str, Type]] | None:
    if isinstance(found, Scope):
        return found.name, found.members
    if isinstance(found, inspect.StructType):
        return found.cls.__name__, {field.encode_name: _plain(field.type) for field in found.fields}
    return None


def _element(found: Type) -> Type:
    return _plain(found.item_type) if isinstance(found, inspect.ListType) else None


def check_names(tree: Tree, scope: Type, maps: Mapping[str, ValueMap], report: Report) -> Type:
    """Report every name that cannot be; the type of the expression's value where it is known."""
    kind, children = tree["type"], tree["children"]
    if kind == "field":
        return _field(tree["value"], scope, report)
    if kind in {"current", "identity"}:
        return scope
    if kind == "function_expression":
        _function(tree, maps, report)
    if kind in _CHAINS:
        return _chain(tree, scope, maps, report)
    within = None if kind == "expref" else scope
    for child in children:
        check_names(child, within, maps, report)
    return None


_CHAINS = frozenset(
    {
        "subexpression",
        "pipe",
        "index_expression",
        "projection",
        "filter_projection",
        "value_projection",
        "flatten",
    }
)


def _chain(tree: Tree, scope: Type, maps: Mapping[str, ValueMap], report: Report) -> Type:
    """Kinds in which a later part sees the value of an earlier one."""
    kind, (first, *rest) = tree["type"], tree["children"]
    value = check_names(first, scope, maps, report)
    match kind:
        case "flatten":
            return value
        case "index_expression":
            return _element(value) if rest[0]["type"] == "index" else value
        case "subexpression" | "pipe":
            for child in rest:
                value = check_names(child, value, maps, report)
            return value
    for child in rest:
        check_names(child, _element(value), maps, report)
    return None


def _field(name: str, scope: Type, report: Report) -> Type:
    known = _members(scope)
    if known is None:
        return None
    title, members = known
    if name not in members:
        report(f"{name!r} is not in {title}{nearest(name, members)}", name)
        return None
    return members[name]


def _function(tree: Tree, maps: Mapping[str, ValueMap], report: Report) -> None:
    name, arguments = tree["value"], tree["children"]
    table = Functions.FUNCTION_TABLE
    if name not in table:
        report(f"function {name}() is unknown{nearest(name, table)}", name)
        return
    signature = table[name]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if len(arguments) < len(signature) or (len(arguments) > len(signature) and not variadic):
        report(f"{name}() takes {len(signature)} arguments, not {len(arguments)}", name)
    elif name in {"map_value", "map_back"}:
        which = arguments[0]
        if which["type"] != "literal":
            report(f"{name}() needs the name of its map as text, e.g. {name}('priority', …)", name)
        elif which["value"] not in maps:
            report(f"there is no map {which['value']!r}{nearest(str(which['value']), maps)}", which["value"])


def check_shape(tree: Tree, expected: Type, maps: Mapping[str, ValueMap], report: Report) -> None:
    """Report where the value that the expression gives cannot become `expected`."""
    kind, children = tree["type"], tree["children"]
    if kind == "multi_select_dict":
        members = {pair["value"]: pair["children"][0] for pair in children}
        _object(members, True, expected, maps, report)
    elif kind in {"and_expression", "pipe", "subexpression"}:
        check_shape(children[-1], expected, maps, report)
    elif kind == "or_expression":
        for child in children:
            check_shape(child, expected, maps, report)
    elif kind in {"projection", "filter_projection"}:
        if isinstance(expected, inspect.StructType):
            report(f"a list is given where {expected.cls.__name__} is expected; take one with [0]", "")
        check_shape(children[1], _element(expected), maps, report)
    elif kind == "multi_select_list":
        for child in children:
            check_shape(child, _element(expected), maps, report)
    elif kind == "function_expression":
        _result(tree, expected, maps, report)
    elif kind == "literal":
        _enumerated(tree["value"], expected, report)


def _result(tree: Tree, expected: Type, maps: Mapping[str, ValueMap], report: Report) -> None:
    arguments = tree["children"]
    if tree["value"] == "merge":
        _merged(arguments, expected, maps, report)
    elif tree["value"] == "map_back" and arguments and arguments[0].get("value") in maps:
        for ours in maps[arguments[0]["value"]].ours:
            _enumerated(ours, expected, report)


def _merged(parts: list[Tree], expected: Type, maps: Mapping[str, ValueMap], report: Report) -> None:
    members: dict[str, Tree] = {}
    for part in parts:
        if part["type"] == "multi_select_dict":
            members |= {pair["value"]: pair["children"][0] for pair in part["children"]}
    complete = all(part["type"] == "multi_select_dict" for part in parts)
    _object(members, complete, expected, maps, report)


def _object(
    given: Mapping[str, Tree], complete: bool, expected: Type, maps: Mapping[str, ValueMap], report: Report
) -> None:
    if not isinstance(expected, inspect.StructType):
        if expected is not None:
            report(f"an object is given where {type(expected).__name__} is expected", next(iter(given), ""))
        return
    title = expected.cls.__name__
    fields = {field.encode_name: field for field in expected.fields}
    for name, value in given.items():
        if name in fields:
            check_shape(value, _plain(fields[name].type), maps, report)
        else:
            report(f"{name!r} is no field of {title}{nearest(name, fields)}", name)
    if complete:
        for name, field in fields.items():
            if field.required and name not in given:
                report(f"field {name!r} of {title} is missing", "")


def _enumerated(value: Any, expected: Type, report: Report) -> None:
    if isinstance(expected, inspect.EnumType) and value is not None:
        known = [member.value for member in expected.cls if isinstance(member, Enum)]
        if value not in known:
            title = expected.cls.__name__
            report(f"{value!r} is no {title}{nearest(str(value), map(str, known))}", str(value))
