"""The parts of a mapping file that stand in many places: texts, flags, value maps and expressions."""

from __future__ import annotations

import re

import jmespath
from jmespath.exceptions import JMESPathError, ParseError
from yaml.nodes import Node

from lineshaft.connectors.rest.expression import Expression, Functions, ValueMap, parse, tree_of
from lineshaft.connectors.rest.expression_check import Type, check_names, check_shape
from lineshaft.connectors.rest.marked_yaml import MarkedYaml

__all__ = ["PartReader"]


class PartReader:
    """Reads parts; what is wrong with them goes to the document's findings."""

    def __init__(self, document: MarkedYaml) -> None:
        self._document = document
        self._maps: dict[str, ValueMap] = {}
        self._options = jmespath.Options(custom_functions=Functions({}))

    def read_maps(self, node: Node) -> None:
        """The maps that the expressions read after this may use."""
        for name, _, pairs in self._document.members(node, "maps"):
            read = []
            for _, ours, theirs in self._document.members(pairs, f"map {name}"):
                many = self._document.value(theirs)
                many = many if isinstance(many, list) else [many]
                if not many or any(isinstance(value, list | dict) or value is None for value in many):
                    self._document.find(theirs, f"map {name}: a value is no plain value or list of them")
                    continue
                read.append((self._document.value(ours), many))
            self._maps[name] = ValueMap(name, read)
        self._options = jmespath.Options(custom_functions=Functions(self._maps))

    def expression(
        self, node: Node | None, what: str, scope: Type, expected: Type = None
    ) -> Expression | None:
        """Compiled and checked; None where there is none, or none that can be."""
        if node is None:
            return None
        text = self._document.text(node, what)
        if text is None:
            return None
        try:
            parsed = parse(text)
        except JMESPathError as error:
            offset = error.lex_position if isinstance(error, ParseError) else 0
            reason = str(error).splitlines()[0].removesuffix(", for expression:")
            self._document.find(node, f"{what}: {reason}", offset)
            return None

        def report(finding: str, name: str) -> None:
            place = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
            self._document.find(node, f"{what}: {finding}", place.start() if place else 0)

        tree = tree_of(parsed)
        check_names(tree, scope, self._maps, report)
        if expected is not None:
            check_shape(tree, expected, self._maps, report)
        return Expression(parsed, self._options, self._document.place(node), what)

    def text(self, node: Node | None, what: str) -> str:
        """Empty where there is none; what is missing was reported by `section`."""
        return (self._document.text(node, what) or "").strip() if node is not None else ""

    def flag(self, node: Node | None, what: str) -> bool:
        value = False if node is None else self._document.value(node)
        if node is not None and not isinstance(value, bool):
            self._document.find(node, f"{what} is {value!r}; expected true or false")
        return value is True
