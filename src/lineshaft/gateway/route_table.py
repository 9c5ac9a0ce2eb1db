"""Which route a path belongs to: whole paths by one look-up, templates by a tree of their segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar
from urllib.parse import unquote

__all__ = ["RouteTable", "Unreadable"]

T = TypeVar("T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Unreadable(ValueError):
    """The path is no UTF-8, or has a control character in it."""


class _Node(Generic[T]):
    """literal: next segments by name; one: where any segment goes; rests: by what follows the slashes"""

    __slots__ = ("leaf", "literal", "one", "rests")

    def __init__(self) -> None:
        self.leaf: dict[str, tuple[T, list[str]]] = {}
        self.literal: dict[str, _Node[T]] = {}
        self.one: _Node[T] | None = None
        self.rests: dict[tuple[str, ...], dict[str, tuple[T, list[str]]]] = {}


class RouteTable(Generic[T]):
    """A literal segment goes before a parameter, that before one with slashes, and the longest end first.

    raises  ValueError where two routes have the same method and path, or one cannot be told apart
    """

    def __init__(self, routes: Iterable[tuple[str, str, T]]) -> None:
        """routes: (method, path as ApiRoute has it, what is found)"""
        self._whole: dict[str, dict[str, tuple[T, list[str]]]] = {}
        self._root: _Node[T] = _Node()
        for method, path, route in routes:
            leaf, names = self._place(path)
            if method in leaf:
                raise ValueError(f"{method} {path} is declared twice")
            leaf[method] = route, names
            if "{" not in path:
                self._whole[path] = leaf

    def _place(self, path: str) -> tuple[dict[str, tuple[T, list[str]]], list[str]]:
        node, names = self._root, []
        segments = path.split("/")
        for number, segment in enumerate(segments):
            if not segment.startswith("{"):
                node = node.literal.setdefault(segment, _Node())
                continue
            name, _, kind = segment[1:-1].partition(":")
            names.append(name)
            if kind == "path":
                end = tuple(segments[number + 1 :])
                if any("{" in each for each in end):
                    raise ValueError(f"{path}: a parameter follows one that takes slashes")
                leaf = node.rests.setdefault(end, {})
                node.rests = dict(sorted(node.rests.items(), key=lambda each: -len(each[0])))
                return leaf, names
            if node.one is None:
                node.one = _Node()
            node = node.one
        return node.leaf, names

    def find(self, path: str, raw_path: bytes) -> tuple[Mapping[str, tuple[T, list[str]]], list[str]] | None:
        """By method the routes at a path with the names of their parameters; and the parameters' values.

        path      as the server decoded it
        raw_path  as it was sent: an encoded slash belongs to its segment
        raises    Unreadable
        """
        whole = self._whole.get(path)
        if whole is not None:
            return whole, []
        try:
            sent = raw_path.split(b"?", 1)[0].decode("ascii") if raw_path else path
            segments = [unquote(part, errors="strict") if "%" in part else part for part in sent.split("/")]
        except UnicodeDecodeError as error:
            raise Unreadable(f"the path is no UTF-8: {error}") from error
        if any(not part.isprintable() and _CONTROL.search(part) for part in segments):
            raise Unreadable("the path has a control character in it")
        return _descend(self._root, segments, 0, [])


def _descend(
    node: _Node[T], segments: list[str], at: int, values: list[str]
) -> tuple[Mapping[str, tuple[T, list[str]]], list[str]] | None:
    if at == len(segments):
        return (node.leaf, values) if node.leaf else None
    segment = segments[at]
    following = node.literal.get(segment)
    if following is not None:
        found = _descend(following, segments, at + 1, values)
        if found is not None:
            return found
    if node.one is not None and segment:
        found = _descend(node.one, segments, at + 1, [*values, segment])
        if found is not None:
            return found
    for end, leaf in node.rests.items():
        stop = len(segments) - len(end)
        if stop > at and tuple(segments[stop:]) == end and (rest := "/".join(segments[at:stop])):
            return leaf, [*values, rest]
    return None
