"""YAML that remembers where everything stands, so that every finding is `file:line: what`."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lineshaft.core.errors import ConfigError

__all__ = ["MarkedYaml", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what there is, to end a finding with."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


class MarkedYaml:
    """One YAML document and the findings made in it. Readers return None where they made one."""

    def __init__(self, path: Path) -> None:
        """raises ConfigError when the file cannot be read or is no YAML mapping"""
        self.file = str(path)
        self.findings: list[str] = []
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise ConfigError(f"mapping {path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"mapping {path} is not UTF-8") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{path}:{mark.line + 1}" if mark else str(path)
            what = getattr(error, "problem", None) or str(error)
            raise ConfigError(f"mapping {path} is no YAML", findings=[f"{place}: {what}"]) from error
        if not isinstance(root, MappingNode):
            raise ConfigError(
                f"mapping {path} is empty or no mapping; expected title, capabilities, operations"
            )
        self.root = root

    def place(self, node: Node, offset: int = 0) -> str:
        """file:line of a position in a scalar; exact for `|` blocks, else the line where it starts."""
        line = node.start_mark.line + 1
        if isinstance(node, ScalarNode) and node.style == "|":
            line += 1 + node.value[:offset].count("\n")
        return f"{self.file}:{line}"

    def find(self, node: Node, what: str, offset: int = 0) -> None:
        self.findings.append(f"{self.place(node, offset)}: {what}")

    def members(self, node: Node, what: str) -> Iterator[tuple[str, ScalarNode, Node]]:
        """(name, key, value) of a mapping with names of the writer's choice."""
        if not isinstance(node, MappingNode):
            self.find(node, f"{what} is no mapping")
            return
        seen = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.find(key, f"{what} has a key that is no plain name")
            elif key.value in seen:
                self.find(key, f"{what}: {key.value!r} is there twice; keep one")
            else:
                seen.add(key.value)
                yield key.value, key, value

    def section(
        self, node: Node, what: str, required: Collection[str], optional: Collection[str] = ()
    ) -> dict[str, Node]:
        """The members of a mapping with fixed names; unknown and missing ones are findings."""
        found = {}
        for name, key, value in self.members(node, what):
            if name in required or name in optional:
                found[name] = value
            else:
                self.find(key, f"{what}: unknown {name!r}{nearest(name, [*required, *optional])}")
        if isinstance(node, MappingNode):
            for name in required:
                if name not in found:
                    self.find(node, f"{what}: {name!r} is missing")
        return found

    def text(self, node: Node, what: str) -> str | None:
        if isinstance(node, ScalarNode) and node.value.strip():
            return str(node.value)
        self.find(node, f"{what} is empty or no text")
        return None

    def items(self, node: Node, what: str) -> list[Node]:
        if isinstance(node, SequenceNode):
            return list(node.value)
        self.find(node, f"{what} is no list")
        return []

    def value(self, node: Node) -> Any:
        """The plain value: numbers and booleans as YAML reads them."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        finally:
            loader.dispose()
