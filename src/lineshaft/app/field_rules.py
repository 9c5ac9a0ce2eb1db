"""Whether the field rules of an access file name what there is: a rule for anything else hides nothing."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lineshaft.core.yamlfile import YamlFile
from lineshaft.gateway.identity import AccessFile
from lineshaft.gateway.policies import AccountPolicy, FieldRules
from lineshaft.gateway.route import ApiRoute

__all__ = ["field_rule_doubts"]

_EVERY_ROUTE = "*"
_BESIDE = ("allOf", "anyOf", "oneOf")


def field_rule_doubts(access: AccessFile, path: Path, routes: Sequence[ApiRoute]) -> list[str]:
    """path: of the access file; routes: of a node with these settings. With file and line."""
    by_name, file = {route.name: route for route in routes}, YamlFile(path)
    limits: list[tuple[str, str | int, AccountPolicy]] = [
        *(("accounts", name, entry.limits) for name, entry in access.accounts.items()),
        *(("oidc", index, entry.limits) for index, entry in enumerate(access.oidc)),
    ]
    return [
        f"{file.where([part, name, 'limits', 'fields', route])}: {part}.{name}.limits.fields.{said}"
        for part, name, policy in limits
        for route, rules in policy.fields.items()
        if route != _EVERY_ROUTE
        for said in _doubts(route, rules, by_name)
    ]


def _doubts(name: str, rules: FieldRules, routes: Mapping[str, ApiRoute]) -> Iterator[str]:
    route = routes.get(name)
    if route is None:
        yield f"{name}: no route has this name; {_near(name, routes)}"
        return
    good = [schema for status, schema in route.answers.items() if status < 300 and schema is not None]
    if route.answer_media != "application/json" or not good:
        return
    for path in (*rules.allow, *rules.deny, *rules.mask):
        known: set[str] = set()
        if not any(_has(schema, schema, path.split("."), known) for schema in good):
            yield f"{name}: its answers have no field {path!r}; {_near(path.rpartition('.')[2], known)}"


def _has(schema: Any, root: Mapping[str, Any], path: Sequence[str], known: set[str]) -> bool:
    """Also where the schema leaves open what is there. known: collects the names beside a missing one."""
    if not path or not isinstance(schema, Mapping):
        return schema is not False
    if "$ref" in schema:
        return _has(root["$defs"][schema["$ref"].rpartition("/")[2]], root, path, known)
    if "items" in schema:
        return _has(schema["items"], root, path, known)
    branches = [branch for word in _BESIDE for branch in schema.get(word, ())]
    members = schema.get("properties", {})
    known.update(members)
    if path[0] in members:
        return _has(members[path[0]], root, path[1:], known)
    if branches:
        return any(_has(branch, root, path, known) for branch in branches)
    return not members and schema.get("type", "object") == "object"


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
