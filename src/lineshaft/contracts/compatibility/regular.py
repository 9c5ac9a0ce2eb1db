"""Is there a text that matches these expressions, and not those, and is so long?

The automata run side by side over one text, made as they are needed, shortest texts first.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from functools import lru_cache

from lineshaft.contracts.compatibility.expression import ANY, LAST, Part, Ranges, UnknownExpression, parse

__all__ = ["TooLarge", "UnknownExpression", "find_text", "literal"]

_MOST_STATES = 4000
_MOST_STEPS = 4_000
_SURROGATES = (0xD800, 0xDFFF)
_START, _END = 1, 2
_States = frozenset[int]


class TooLarge(Exception):
    """Undecided: the search was stopped."""


def literal(text: str) -> str:
    """An expression for this text alone."""
    return (
        "^"
        + "".join(f"\\{char}" if re.match(r"[\\^$.|?*+(){}\[\]/-]", char) else char for char in text)
        + "$"
    )


class _Automaton:
    """States are numbers. free: steps without a character, (condition, state); read: (ranges, state)."""

    def __init__(self, expression: str) -> None:
        self.free: list[list[tuple[int, int]]] = []
        self.read: list[list[tuple[Ranges, int]]] = []
        before, self.accepting = self._new(), self._new()
        self.read[before].append((ANY, before))  # an expression is searched, not matched
        self.read[self.accepting].append((ANY, self.accepting))
        self._build(parse(expression), before, self.accepting)
        self.first = self.closure({before}, _START)
        self._after: dict[tuple[_States, int], _States] = {}

    def _new(self) -> int:
        if len(self.free) >= _MOST_STATES:
            raise TooLarge
        self.free.append([])
        self.read.append([])
        return len(self.free) - 1

    def _build(self, part: Part, begin: int, end: int) -> None:
        if part.kind == "set":
            self.read[begin].append((part.ranges, end))
        elif part.kind in ("start", "end"):
            self.free[begin].append((_START if part.kind == "start" else _END, end))
        elif part.kind == "any":
            for option in part.parts:
                self._build(option, begin, end)
        elif part.kind == "all":
            for each in part.parts:
                begin, previous = self._new(), begin
                self._build(each, previous, begin)
            self.free[begin].append((0, end))
        else:
            self._repeat(part, begin, end)

    def _repeat(self, part: Part, begin: int, end: int) -> None:
        for _ in range(part.least):
            begin, previous = self._new(), begin
            self._build(part.parts[0], previous, begin)
        if part.most is None:
            loop = self._new()
            self.free[begin].append((0, loop))
            back = self._new()
            self._build(part.parts[0], loop, back)
            self.free[back].append((0, loop))
            begin = loop
        else:
            for _ in range(part.most - part.least):
                self.free[begin].append((0, end))
                begin, previous = self._new(), begin
                self._build(part.parts[0], previous, begin)
        self.free[begin].append((0, end))

    def closure(self, states: Iterable[int], holds: int) -> _States:
        found = set(states)
        waiting = list(found)
        while waiting:
            for condition, state in self.free[waiting.pop()]:
                if condition & ~holds == 0 and state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)

    def after(self, states: _States, char: int) -> _States:
        known = self._after.get((states, char))
        if known is None:
            reached = {
                state
                for each in states
                for ranges, state in self.read[each]
                if any(first <= char <= last for first, last in ranges)
            }
            known = self._after[states, char] = self.closure(reached, 0)
        return known

    def takes(self, states: _States, is_start: bool) -> bool:
        return self.accepting in self.closure(states, _END | (_START if is_start else 0))

    def borders(self, states: _States) -> set[int]:
        return {
            border
            for each in states
            for ranges, _ in self.read[each]
            for first, last in ranges
            for border in (first, last + 1)
        }


@lru_cache(512)
def _automaton(expression: str) -> _Automaton:
    return _Automaton(expression)


def find_text(like: Iterable[str], unlike: Iterable[str], least: int, most: int | None) -> str | None:
    """The shortest text of least to most characters; None: there is none.

    raises  UnknownExpression, TooLarge
    """
    expressions = [(_automaton(each), True) for each in sorted(set(like))]
    expressions += [(_automaton(each), False) for each in sorted(set(unlike))]
    state = tuple(each.first for each, _ in expressions)
    waiting = deque([(state, "")])
    met = {(state, 0)}
    for _ in range(_MOST_STEPS):
        if not waiting:
            return None
        state, text = waiting.popleft()
        if len(text) >= least and all(
            each.takes(states, not text) == wanted
            for (each, wanted), states in zip(expressions, state, strict=True)
        ):
            return text
        if most is not None and len(text) >= most:
            continue
        borders: set[int] = {0, _SURROGATES[0], _SURROGATES[1] + 1}
        for (each, _), states in zip(expressions, state, strict=True):
            borders |= each.borders(states)
        for char in _characters(sorted(borders)):
            reached = tuple(
                each.after(states, char) for (each, _), states in zip(expressions, state, strict=True)
            )
            # `^` holds before the first character only: an empty text is never met again
            if (reached, min(len(text) + 1, least + 1)) not in met:
                met.add((reached, min(len(text) + 1, least + 1)))
                waiting.append((reached, text + chr(char)))
    raise TooLarge


def _characters(borders: list[int]) -> Iterable[int]:
    """One character for each stretch between two borders, a readable one where there is one."""
    for first, after in zip(borders, [*borders[1:], LAST + 1], strict=True):
        if first > LAST or first == _SURROGATES[0]:
            continue
        yield next((char for char in (97, 48, 65, 45, 32, 33) if first <= char < after), first)
