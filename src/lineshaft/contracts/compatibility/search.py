"""Is there a value that satisfies these schemas and none of those?

A tableau: schemas are taken apart into cases, cases into facts, and the facts on members and items into
goals of their own. A goal that comes up again while it is looked into counts as empty there: the smallest
value that satisfies it would have to hold a smaller one. What was proved that way stands only once what it
needs is proved, too. Goals that lie too deep are put off and assumed to be empty until they are looked into.
"""

from __future__ import annotations

from typing import Any

from lineshaft.contracts.compatibility.document import Document
from lineshaft.contracts.compatibility.evaluate import Evaluator
from lineshaft.contracts.compatibility.expand import Expansion, TooManyCases
from lineshaft.contracts.compatibility.facts import (
    Bound,
    Case,
    Format,
    Multiple,
    Pattern,
    Size,
    Undecided,
)
from lineshaft.contracts.compatibility.nodes import Goal, Literal, Node, Nodes
from lineshaft.contracts.compatibility.outcome import EMPTY, Outcome, Weighed
from lineshaft.contracts.compatibility.values import EVERY, frozen
from lineshaft.contracts.compatibility.weigh_arrays import weigh_array
from lineshaft.contracts.compatibility.weigh_objects import weigh_object
from lineshaft.contracts.compatibility.weigh_scalars import weigh_number, weigh_text

__all__ = ["ValueSearch"]

_TOO_LARGE = Outcome(rule="undecided_size")
_MOST_DEPTH = 16


_TYPES = sorted(EVERY - {"null", "boolean"})
_SCALAR_FACTS = (Bound, Multiple, Size, Pattern, Format)


class _Exhausted(Exception):
    pass


class ValueSearch:
    """steps_left: how many cases are looked at before the search is given up."""

    def __init__(self, old: Document, new: Document) -> None:
        self.nodes = Nodes(old, new)
        self.evaluator = Evaluator(self.nodes)
        self._expansion = Expansion(self.nodes, self._are_apart)
        self._known: dict[Goal, Outcome] = {}
        self._open: set[Goal] = set()
        self._needs: set[Goal] = set()
        self._assumed: dict[Goal, set[Goal]] = {}
        self._scalars: dict[Any, Weighed | None] = {}
        self._put_off: dict[Goal, None] = {}
        self.steps_left = 0

    def _are_apart(self, goal: Goal) -> bool:
        """What is only assumed does not count: the answer is remembered for good."""
        self.find(goal)
        return _contradicts(goal) or self._known.get(goal) is EMPTY

    def find(self, goal: Goal) -> Outcome:
        return self._nested(goal) if self._open else self._settled(goal)

    def _settled(self, goal: Goal) -> Outcome:
        """Looks into every goal that was put off until all of them hold together, or one does not."""
        while goal not in self._known:
            has_failed = not self._nested(goal).is_empty
            has_failed = has_failed or self._put_off_fail()
            if not has_failed:
                self._known.update(dict.fromkeys((goal, *self._assumed, *self._put_off), EMPTY))
            self._assumed.clear()
            self._put_off.clear()
        return self._known[goal]

    def _put_off_fail(self) -> bool:
        looked_into: set[Goal] = set()
        has_failed = False
        while waiting := [each for each in self._put_off if each not in looked_into]:
            for goal in waiting:
                has_failed |= not self._nested(goal, again=True).is_empty
            looked_into.update(waiting)
        return has_failed

    def _nested(self, goal: Goal, *, again: bool = False) -> Outcome:
        known = self._known.get(goal)
        if known is not None:
            return known
        if goal in self._assumed and not again:
            self._needs |= self._assumed[goal]
            return EMPTY
        if goal in self._open or (goal in self._put_off and not again):
            self._needs.add(goal)
            return EMPTY
        if _contradicts(goal):
            self._known[goal] = EMPTY
            return EMPTY
        # of goals that refuse nothing nearly all have a value: to assume that they have none leads astray
        if len(self._open) >= (_MOST_DEPTH if any(not each.sign for each in goal) else 2 * _MOST_DEPTH):
            self._put_off[goal] = None
            self._needs.add(goal)
            return EMPTY
        return self._new(goal)

    def _new(self, goal: Goal) -> Outcome:
        outer, self._needs = self._needs, set()
        mark = len(self._assumed)
        self._open.add(goal)
        try:
            outcome = self._looked_into(goal)
        except (TooManyCases, _Exhausted, RecursionError):
            outcome = _TOO_LARGE
        finally:
            self._open.discard(goal)
            needs, self._needs = self._needs - {goal}, outer
        if not outcome.is_empty:
            self._known[goal] = outcome
            for proved in [each for each, needed in self._assumed.items() if goal in needed]:
                del self._assumed[proved]
            return outcome
        self._discharge(goal, needs, mark)
        self._needs |= needs
        return outcome

    def _discharge(self, goal: Goal, needs: set[Goal], mark: int) -> None:
        """The goal is proved as far as what it needs is: so is what needed the goal."""
        self._assumed[goal] = needs
        for proved in list(self._assumed)[mark:]:
            needed = self._assumed[proved]
            if goal in needed:
                needed = self._assumed[proved] = (needed - {goal}) | needs
            if not needed:
                self._known[proved] = EMPTY
                del self._assumed[proved]

    def _looked_into(self, goal: Goal) -> Outcome:
        for value in (None, True, False):
            if self.evaluator.satisfies(value, goal):
                return Outcome((value,))
        pending = tuple(sorted(goal, key=lambda literal: not literal.sign))
        found = EMPTY
        for type in _TYPES:
            outcome = self._case(Case(types=frozenset({type})), pending, goal, is_whole=True)
            if outcome.witness is not None:
                return outcome
            found = outcome if found.is_empty else found
        return found

    def _case(
        self, case: Case, pending: tuple[Literal, ...], goal: Goal, *, is_whole: bool = False
    ) -> Outcome:
        """is_whole: what is pending are the goal's own schemas, of which writers' ones close members."""
        if case.is_empty:
            return EMPTY
        if case.values is not None:
            return self._tried(case.values, goal, EMPTY)
        if not pending and case.pending:
            pending, case = case.pending, case._replace(pending=())
            is_whole = False
        if not pending:
            return self._weighed(case, goal)
        chosen = self._next(case, pending, goal, is_whole)
        if chosen is None:
            return self._case(case, (), goal)
        choices, rest = chosen
        found = EMPTY
        for both in choices:
            outcome = self._case(both, rest, goal, is_whole=is_whole)
            if outcome.witness is not None:
                return outcome
            found = outcome if found.is_empty else found
        return found

    def _next(
        self, case: Case, pending: tuple[Literal, ...], goal: Goal, is_whole: bool
    ) -> tuple[list[Case], tuple[Literal, ...]] | None:
        """The cases that remain with the schema that has the fewest, and the other schemas.

        A schema that already holds in all of them is left out, for it would only multiply cases.
        None: no schema is left.
        """
        best: tuple[Literal, list[Case]] | None = None
        needed = list(pending)
        for literal in pending:
            cases = self._cases(literal, is_whole)
            self._count(1 + len(cases) // 8)
            both = [each for choice in cases if not (each := case.both(choice)).is_empty]
            if not literal.sign and len(both) > 1 and len(pending) > 1:
                if self._holds_anyway(case, literal, goal):
                    needed.remove(literal)
                    continue
                both = [each for each in both if not self._weighed(each, goal).is_empty]
            if best is None or len(both) < len(best[1]):
                best = literal, both
            if len(both) <= 1:
                break
        return best and (best[1], tuple(literal for literal in needed if literal is not best[0]))

    def _cases(self, literal: Literal, is_whole: bool) -> list[Case]:
        if literal.sign and not is_whole:
            return self._expansion.in_place(literal.node, literal.view)
        return self._expansion.cases(literal)

    def _holds_anyway(self, case: Case, literal: Literal, goal: Goal) -> bool:
        against = self._expansion.in_place(literal.node, literal.view)
        return all(self._weighed(case.both(each), goal).is_empty for each in against)

    def _count(self, steps: int) -> None:
        self.steps_left -= steps
        if self.steps_left < 0:
            raise _Exhausted

    def _weighed(self, case: Case, goal: Goal) -> Outcome:
        self._count(1 + len(case.facts) // 8)
        if case.is_empty:
            return EMPTY
        if case.values is not None:
            return self._tried(case.values, goal, EMPTY)
        (type,) = case.types
        weighed = self._weighed_type(type, case)
        if weighed is None:
            return EMPTY
        undecided = (fact.rule for fact in case.facts if isinstance(fact, Undecided) and type in fact.types)
        return self._tried(weighed.values, goal, Outcome(rule=next(undecided, weighed.rule)))

    def _weighed_type(self, type: str, case: Case) -> Weighed | None:
        facts = [fact for fact in case.facts if not isinstance(fact, Size) or fact.type == type]
        if type == "array":
            return weigh_array(facts, self)
        if type == "object":
            return weigh_object(facts, self)
        # the same few facts come up in many cases
        known = frozenset(fact for fact in facts if isinstance(fact, _SCALAR_FACTS))
        key = type, known, frozenset(map(frozen, case.excluded))
        if key not in self._scalars:
            weigh = weigh_text if type == "string" else weigh_number
            self._scalars[key] = weigh(type, known, case.excluded)
        return self._scalars[key]

    def _tried(self, values: Any, goal: Goal, otherwise: Outcome) -> Outcome:
        return next(
            (Outcome((value,)) for value in values if self.evaluator.satisfies(value, goal)), otherwise
        )


def _contradicts(goal: Goal) -> bool:
    """Whatever a view takes is taken by the later ones."""
    taken: dict[Node, int] = {}
    for node, sign, view in goal:
        if sign:
            taken[node] = min(taken.get(node, view), view)
    return any(not sign and node in taken and taken[node] <= view for node, sign, view in goal)
