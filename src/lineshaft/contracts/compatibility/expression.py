"""The regular part of ECMA 262 expressions, as the validator reads them.

Without look-around, word borders, back-references, flags and Unicode properties: `UnknownExpression`.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ANY", "LAST", "Part", "Ranges", "UnknownExpression", "complement", "parse"]

LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
ANY: Ranges = ((0, LAST),)
_DIGITS: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = (
    (9, 13), (32, 32), (160, 160), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_MOST_REPEATS = 1000


class UnknownExpression(Exception):
    """Not regular, or not known here to be."""


class Part(NamedTuple):
    """kind: `set` (ranges), `all` (one after the other), `any` (one of), `repeat`, `start`, `end`.

    most  None: without end
    """

    kind: str
    ranges: Ranges = ()
    parts: tuple[Part, ...] = ()
    least: int = 1
    most: int | None = 1


def complement(ranges: Ranges) -> Ranges:
    found, after = [], 0
    for first, last in sorted(ranges):
        if first > after:
            found.append((after, first - 1))
        after = max(after, last + 1)
    return (*found, (after, LAST)) if after <= LAST else tuple(found)


def parse(text: str) -> Part:
    """raises  UnknownExpression"""
    reader = _Reader(text)
    part = reader.alternatives()
    if reader.at < len(text):
        raise UnknownExpression(text)
    return part


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def _next(self, *expected: str) -> bool:
        for one in expected:
            if self.text.startswith(one, self.at):
                self.at += len(one)
                return True
        return False

    def _take(self) -> str:
        if self.at >= len(self.text):
            raise UnknownExpression(self.text)
        self.at += 1
        return self.text[self.at - 1]

    def alternatives(self) -> Part:
        parts = [self._sequence()]
        while self._next("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Part("any", parts=tuple(parts))

    def _sequence(self) -> Part:
        parts: list[Part] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self._repeated(self._atom()))
        return Part("all", parts=tuple(parts))

    def _repeated(self, part: Part) -> Part:
        least, most = 1, 1
        if self._next("*"):
            bounds: tuple[int, int | None] = (0, None)
        elif self._next("+"):
            bounds = (1, None)
        elif self._next("?"):
            bounds = (0, 1)
        elif self._next("{"):
            bounds = self._counted()
        else:
            return part
        least, upper = bounds
        most = least if upper is None else upper
        if most > _MOST_REPEATS or part.kind in ("start", "end"):
            raise UnknownExpression(self.text)
        self._next("?")  # how greedy it is does not change what it takes
        if self.text[self.at : self.at + 1] in ("*", "+", "?", "{") and self.at < len(self.text):
            raise UnknownExpression(self.text)
        return Part("repeat", parts=(part,), least=least, most=upper)

    def _counted(self) -> tuple[int, int | None]:
        inner, closed, after = self.text[self.at :].partition("}")
        first, comma, last = inner.partition(",")
        digits = first.isascii() and first.isdigit() and (not last or (last.isascii() and last.isdigit()))
        if not closed or not digits:
            raise UnknownExpression(self.text)
        self.at = len(self.text) - len(after)
        return int(first), (int(last) if last else None) if comma else int(first)

    def _atom(self) -> Part:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            return Part("set", self._set())
        if char == ".":
            return Part("set", complement(((10, 10),)))
        if char in "^$":
            return Part("start" if char == "^" else "end")
        if char == "\\":
            return Part("set", self._escaped())
        if char in "*+?{}":
            raise UnknownExpression(self.text)
        return Part("set", ((ord(char), ord(char)),))

    def _group(self) -> Part:
        if self._next("?"):
            named = self._next("<") and self.text[self.at : self.at + 1] not in ("=", "!", "")
            if named:
                while self._take() != ">":
                    pass
            elif not self._next(":"):
                raise UnknownExpression(self.text)
        part = self.alternatives()
        if not self._next(")"):
            raise UnknownExpression(self.text)
        return part

    def _set(self) -> Ranges:
        negated = self._next("^")
        found: list[tuple[int, int]] = []
        while not self._next("]"):
            first = self._member()
            is_range = self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] != "]"
            if not is_range:
                found += first
                continue
            self.at += 1
            last = self._member()
            if any(len(end) != 1 or end[0][0] != end[0][1] for end in (first, last)):
                raise UnknownExpression(self.text)
            found.append((first[0][0], last[0][0]))
        return complement(tuple(found)) if negated else tuple(sorted(found))

    def _member(self) -> Ranges:
        char = self._take()
        if char == "[" or (char in "&-~" and self.text[self.at : self.at + 1] == char):
            raise UnknownExpression(self.text)  # set operations in some dialects
        return self._escaped() if char == "\\" else ((ord(char), ord(char)),)

    def _escaped(self) -> Ranges:
        char = self._take()
        if char in _CLASSES:
            return _CLASSES[char]
        if char.lower() in _CLASSES:
            return complement(_CLASSES[char.lower()])
        if char in _CONTROLS:
            return ((_CONTROLS[char],) * 2,)
        if char in "xu":
            size = 2 if char == "x" else 4
            digits = self.text[self.at : self.at + size]
            if len(digits) < size or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise UnknownExpression(self.text)
            self.at += size
            return ((int(digits, 16),) * 2,)
        if char.isalnum():
            raise UnknownExpression(self.text)
        return ((ord(char),) * 2,)
