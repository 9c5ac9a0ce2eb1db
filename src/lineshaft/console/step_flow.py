"""The steps of a process as they follow each other: lines, branches beside each other, undos.

A step's path tells its place: 3.1.0 is the first step in branch 1 of several lines that begin together at 3;
what begins with 2u undoes step 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

__all__ = ["Branches", "Flow", "flow_of"]

Line = tuple["str | Branches", ...]


class Branches(msgspec.Struct, frozen=True):
    """Lines that run beside each other; a line is of paths, and of branches in turn."""

    lines: tuple[Line, ...]


class Flow(msgspec.Struct, frozen=True):
    """undos: in the order in which they ran, the last step's first"""

    line: Line
    undos: tuple[Line, ...]

    def paths(self) -> list[str]:
        """Of all steps, those of undos last."""
        return [*_paths(self.line), *(path for undo in self.undos for path in _paths(undo))]


Parts = tuple[str, ...]


def flow_of(paths: Sequence[str]) -> Flow:
    """paths: in the order of the process"""
    line: list[Parts] = []
    undos: dict[Parts, list[Parts]] = {}
    for path in paths:
        parts = tuple(path.split("."))
        ends = next((end for end, part in enumerate(parts, 1) if part.endswith("u")), 0)
        (undos.setdefault(parts[:ends], []) if ends else line).append(parts)
    return Flow(_line(line, 0), tuple(_line(paths, len(head)) for head, paths in reversed(undos.items())))


def _paths(line: Line) -> Iterator[str]:
    for item in line:
        if isinstance(item, str):
            yield item
        else:
            for each in item.lines:
                yield from _paths(each)


def _line(paths: Sequence[Parts], depth: int) -> Line:
    """Of paths that are the same up to `depth`."""
    found: list[str | Branches] = []
    for same in _grouped(paths, depth):
        if len(same[0]) == depth + 1:
            found.append(".".join(same[0]))
        else:
            found.append(Branches(tuple(_line(each, depth + 2) for each in _grouped(same, depth + 1))))
    return tuple(found)


def _grouped(paths: Sequence[Parts], depth: int) -> list[list[Parts]]:
    groups: dict[str, list[Parts]] = {}
    for path in paths:
        groups.setdefault(path[depth], []).append(path)
    return list(groups.values())
