"""What a search for a value came to, and what the searches for parts need of the one for the whole."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from lineshaft.contracts.compatibility.evaluate import Evaluator
from lineshaft.contracts.compatibility.nodes import Goal, Nodes

__all__ = ["EMPTY", "Outcome", "Search", "Weighed"]


class Outcome(NamedTuple):
    """witness: one value in a tuple; rule: why it is undecided; neither: proved that there is no value."""

    witness: tuple[Any] | None = None
    rule: str = ""

    @property
    def is_empty(self) -> bool:
        return self.witness is None and not self.rule


EMPTY = Outcome()


class Weighed(NamedTuple):
    """values: to be tried, none is promised to do; rule: why it is undecided when none does."""

    values: list[Any]
    rule: str = "undecided"


class Search(Protocol):
    nodes: Nodes
    evaluator: Evaluator

    def find(self, goal: Goal) -> Outcome: ...
