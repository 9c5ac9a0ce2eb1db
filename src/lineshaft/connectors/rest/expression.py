"""JMESPath expressions between our words and a system's, with three functions of our own.

    map_value('priority', x)   our value → theirs, by the mapping's `maps: {priority: …}`
    map_back('priority', x)    theirs → ours
    decimal(x)                 a number or its text as plain decimal text: 24.0 → "24"

Each gives null for null. A value that a map does not have cannot be mapped: that is a fault, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult, Parser

__all__ = ["Expression", "Functions", "Unmappable", "ValueMap", "parse", "tree_of"]


class Unmappable(Exception):
    """An expression that cannot be evaluated on what came; the text names place, value and reason."""


class ValueMap:
    """One enumeration in two vocabularies.

    pairs  (ours, [theirs, …]): ours becomes the first of theirs, each of theirs becomes ours; where two of
           ours share one of theirs, the first wins on the way back
    """

    def __init__(self, name: str, pairs: list[tuple[Any, list[Any]]]) -> None:
        self.name = name
        self.ours = [ours for ours, _ in pairs]
        self._out = {str(ours): theirs[0] for ours, theirs in pairs}
        self._back: dict[str, Any] = {}
        for ours, many in pairs:
            for theirs in many:
                self._back.setdefault(str(theirs), ours)

    def out(self, ours: Any) -> Any:
        return self._look_up(self._out, ours, "ours")

    def back(self, theirs: Any) -> Any:
        return self._look_up(self._back, theirs, "theirs")

    def _look_up(self, table: dict[str, Any], value: Any, whose: str) -> Any:
        if value is None:
            return None
        if str(value) not in table:
            raise Unmappable(
                f"map {self.name!r} does not have {value!r} ({whose}); known: {', '.join(table)}"
            )
        return table[str(value)]


class Functions(functions.Functions):
    """JMESPath's own functions and ours."""

    def __init__(self, maps: Mapping[str, ValueMap]) -> None:
        self._maps = maps

    @functions.signature({"types": ["string"]}, {"types": []})
    def _func_map_value(self, name: str, value: Any) -> Any:
        return self._map(name).out(value)

    @functions.signature({"types": ["string"]}, {"types": []})
    def _func_map_back(self, name: str, value: Any) -> Any:
        return self._map(name).back(value)

    @functions.signature({"types": ["number", "string", "null"]})
    def _func_decimal(self, value: float | str | None) -> str | None:
        if value is None:
            return None
        try:
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise Unmappable(f"{value!r} is no number") from error
        if not number.is_finite():
            raise Unmappable(f"{value!r} is no finite number")
        return f"{number.normalize():f}"

    def _map(self, name: str) -> ValueMap:
        if name not in self._maps:
            raise Unmappable(f"there is no map {name!r}; known: {', '.join(self._maps)}")
        return self._maps[name]


class Expression:
    """A compiled expression. place: file:line, for messages."""

    def __init__(self, parsed: ParsedResult, options: jmespath.Options, place: str, what: str) -> None:
        self._parsed = parsed
        self._options = options
        self.place = place
        self.what = what

    def __call__(self, document: Any) -> Any:
        """raises Unmappable"""
        try:
            return self._parsed.search(document, options=self._options)
        except Unmappable as error:
            raise Unmappable(f"{self.place}: {self.what}: {error}") from error
        except (JMESPathError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise Unmappable(f"{self.place}: {self.what}: {type(error).__name__}: {error}") from error


def tree_of(parsed: ParsedResult) -> dict[str, Any]:
    """Its syntax tree: {"type", "children", "value"} at every node."""
    return cast("dict[str, Any]", parsed.parsed)


def parse(text: str) -> ParsedResult:
    """raises JMESPathError; a ParseError has lex_position"""
    return Parser().parse(text)
