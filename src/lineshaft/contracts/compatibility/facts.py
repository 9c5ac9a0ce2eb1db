"""What a schema says of one value, taken apart: facts of a kind that one module per type can weigh."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from lineshaft.contracts.compatibility.nodes import Literal
from lineshaft.contracts.compatibility.values import EVERY, frozen

__all__ = [
    "Bound", "Case", "Contains", "Fact", "Format", "Items", "Members", "Multiple", "Names", "Pattern",
    "Required",
    "Size", "SomeItem", "SomeMember", "Undecided", "Unique",
]  # fmt: skip


class Bound(NamedTuple):
    """A number is at least (is_least) or at most value, or beyond it."""

    is_least: bool
    value: Fraction
    exclusive: bool


class Multiple(NamedTuple):
    of: Fraction
    sign: bool


class Size(NamedTuple):
    """type: `string`, `array` or `object`; characters, items or members."""

    type: str
    least: int
    most: int | None


class Pattern(NamedTuple):
    text: str
    sign: bool


class Format(NamedTuple):
    name: str
    sign: bool


class Items(NamedTuple):
    """rest: of the items after the first ones."""

    first: tuple[Literal, ...]
    rest: Literal | None


class SomeItem(NamedTuple):
    """There is such an item at a place from start, before stop."""

    start: int
    stop: int | None
    item: Literal


class Contains(NamedTuple):
    item: Literal
    least: int
    most: int | None


class Unique(NamedTuple):
    sign: bool


class Members(NamedTuple):
    """rest: of the members that no name and no pattern is for."""

    names: dict[str, Literal]
    patterns: tuple[tuple[str, Literal], ...] = ()
    rest: Literal | None = None


class Required(NamedTuple):
    name: str


class Names(NamedTuple):
    name: Literal


class SomeMember(NamedTuple):
    """There is a member whose name matches `like`, is none of `names` and matches none of `unlike`.

    name, member  what holds of its name and its value, where anything does
    """

    like: str | None
    names: frozenset[str]
    unlike: frozenset[str]
    member: Literal | None
    name: Literal | None = None


class Undecided(NamedTuple):
    """Something is said of these types that is not followed further."""

    types: frozenset[str]
    rule: str


Fact = (
    Bound | Multiple | Size | Pattern | Format | Items | SomeItem | Contains | Unique
    | Members | Required | Names | SomeMember | Undecided
)  # fmt: skip


class Case(NamedTuple):
    """One way to satisfy a schema: all of this at once.

    types      the value's type is one of these
    values     and the value one of these, where they are listed
    excluded   and none of these
    pending    schemas that still have to be taken apart
    members_named, all_members, names, patterns
               which members parts of the schema speak of, for `unevaluatedProperties` and the writers' view
    maybe      members that another alternative may speak of, with what it says where that is clear
    """

    types: frozenset[str] = EVERY
    values: tuple[Any, ...] | None = None
    excluded: tuple[Any, ...] = ()
    facts: tuple[Fact, ...] = ()
    pending: tuple[Literal, ...] = ()
    members_named: bool = False
    all_members: bool = False
    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    maybe: tuple[tuple[str, Literal], ...] = ()

    def both(self, other: Case) -> Case:
        values = self.values
        if values is None:
            values = other.values
        elif other.values is not None:
            listed = {frozen(value) for value in other.values}
            values = tuple(value for value in values if frozen(value) in listed)
        return Case(
            self.types & other.types,
            values,
            self.excluded + other.excluded,
            self.facts + other.facts,
            self.pending + other.pending,
            self.members_named or other.members_named,
            self.all_members or other.all_members,
            self.names | other.names,
            self.patterns | other.patterns,
            self.maybe + other.maybe,
        )

    @property
    def is_empty(self) -> bool:
        return not self.types or self.values == ()
