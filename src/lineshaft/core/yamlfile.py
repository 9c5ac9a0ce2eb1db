"""YAML files that know the line of every value, checked against a type with all findings at once."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import jsonschema_rs
import msgspec
import yaml

from lineshaft.core.errors import ConfigError

__all__ = ["YamlFile"]

T = TypeVar("T")
_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
_DATE, _NUMBERS = "tag:yaml.org,2002:timestamp", {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_SECRETS = ("password", "secret", "key", "token", "bearer")  # such values are never printed
Place = Sequence[str | int]


class YamlFile:
    """path: of the file; data: plain dicts, lists and scalars, dates and times of day as text, secret
    references resolved.

    raises  ConfigError with file and line: unreadable, not YAML, a key twice, a reference to nothing
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[tuple[str | int, ...], int] = {}
        self._findings: list[str] = []
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            problem = getattr(error, "problem", None) or str(error)
            raise ConfigError(f"{path} is not YAML", findings=[f"{path}:{line}: {problem}"]) from error
        self.data: Any = self._plain(root, ()) if root is not None else {}
        if self._findings:
            raise ConfigError(f"{path} cannot be used", findings=self._findings)

    def line(self, place: Place) -> int | None:
        """Line of a value, counted from 1; None for a place that is not in the file."""
        return self._lines.get(tuple(place))

    def where(self, place: Place) -> str:
        """`file:line` of a value, or of the nearest thing around it."""
        around = tuple(place)
        while around and around not in self._lines:
            around = around[:-1]
        return f"{self.path}:{self._lines.get(around, 1)}"

    def read(self, type: type[T], place: Place = ()) -> T:
        """The part of the file at `place` as a value of `type`.

        raises  ConfigError with every finding
        """
        part = self.data
        for key in place:
            part = part[key]
        schema = _schema(type)  # type: ignore[arg-type]  # a class can be hashed
        findings = [
            f"{self.where([*place, *inner])}: {_dotted(inner)}{said}"
            for found in jsonschema_rs.Draft202012Validator(schema).iter_errors(part)
            for inner, said in _said(found, schema)
        ]
        value: T | None = None
        if not findings:
            try:
                value = msgspec.convert(part, type)
            except msgspec.ValidationError as error:
                findings = [f"{self.where(place)}: {error}"]
        if findings or value is None:
            raise ConfigError(f"{self.path} has {len(findings)} error(s)", findings=findings)
        return value

    def _plain(self, node: yaml.Node, place: tuple[str | int, ...]) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            plain: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = key_node.value
                inner = (*place, key)
                if key in plain:
                    self._findings.append(f"{self.path}:{key_node.start_mark.line + 1}: {key} is given twice")
                self._lines[inner] = key_node.start_mark.line + 1
                plain[key] = self._plain(value_node, inner)
            return plain
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*place, index)) for index, item in enumerate(node.value)]
        if node.tag == _DATE or (node.tag in _NUMBERS and ":" in node.value):
            return node.value  # YAML 1.1 takes 14:00 for 840
        value = yaml.SafeLoader("").construct_object(node, deep=True)
        return self._resolved(value, place) if isinstance(value, str) else value

    def _resolved(self, text: str, place: tuple[str | int, ...]) -> str:
        def lookup(found: re.Match[str]) -> str:
            kind, name = found.groups()
            if kind == "env":
                if name in os.environ:
                    return os.environ[name]
                self._findings.append(f"{self.where(place)}: the environment has no variable {name}")
                return ""
            try:
                return (self.path.parent / name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self._findings.append(f"{self.where(place)}: {name} cannot be read: {error}")
                return ""

        return _REFERENCE.sub(lookup, text)


@cache
def _schema(type: Any) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([type], ref_template="#/$defs/{name}")
    return {**reference, "$defs": components}


def _dotted(place: Sequence[str | int]) -> str:
    return ".".join(map(str, place)) + ": " if place else ""


def _said(found: Any, schema: Any) -> Iterator[tuple[list[str | int], str]]:
    """A finding as (place, words); an unknown name stands at its own place, with the nearest known one.

    Of an optional section its own findings are told, not that it is neither absent nor valid.
    """
    for branch in getattr(found.kind, "context", ()):
        if not any(inner.kind.name == "type" and "null" in inner.message for inner in branch):
            for inner in branch:
                yield from _said(inner, schema)
            return
    place = list(found.instance_path)
    unexpected = getattr(found.kind, "unexpected", None)
    if not unexpected:
        secret = bool(place) and any(word in str(place[-1]) for word in _SECRETS)
        yield place, "is no text; put it in quotes" if secret else found.message
        return
    for step in found.schema_path[:-1]:
        schema = schema[step]
    known = list(schema.get("properties", {}))
    for name in unexpected:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        yield [*place, name], f"is unknown; {hint}"
