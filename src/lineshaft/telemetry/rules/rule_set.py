"""Rules as a plant declares them in YAML, and what they come to on each tag.

rules:
  - id: hydraulic-pressure-high             # unique
    version: "1"
    property: hydraulic_pressure            # or `tag: P07.PRESSURE` and no applies_to
    applies_to: {asset_class: press}        # or {tags: [P07.PRESSURE, P08.PRESSURE]}
    kind: high                              # one of KINDS; its module says what else there is
    ...
    overrides:                              # by physical asset, what is other there
      PRESS-07: {limit: 200}
derived:                                    # virtual tags, see `derived.py`; rules apply to them too
  - ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lineshaft.model.condition import LimitKind
from lineshaft.model.equipment_state import PackMLState
from lineshaft.telemetry.declaration import Findings, LineOf, Section
from lineshaft.telemetry.rules.counters import COUNTERS
from lineshaft.telemetry.rules.declared import SHARED, Kind, Spec, declared
from lineshaft.telemetry.rules.derived import DerivedSpec, DerivedValue, read_derived
from lineshaft.telemetry.rules.limits import Limit, Limits
from lineshaft.telemetry.rules.missing import MISSING
from lineshaft.telemetry.rules.rates import Rates
from lineshaft.telemetry.rules.state_watch import StateSpec
from lineshaft.telemetry.rules.states import STATES
from lineshaft.telemetry.rules.watch import Derivation, Watch
from lineshaft.telemetry.rules.windows import StateOf, Window, Windows
from lineshaft.telemetry.tags import TagList

__all__ = ["KINDS", "RuleSet", "read_rules"]

KINDS: dict[str, Kind[Any]] = {
    "high": Limits(LimitKind.HIGH),
    "low": Limits(LimitKind.LOW),
    "rise": Rates(LimitKind.RISE),
    "fall": Rates(LimitKind.FALL),
    "window": Windows(),
    "state": STATES,
    "counter": COUNTERS,
    "missing": MISSING,
}


class RuleSet:
    """All rules of a plant.

    tags   the tag list, then the virtual tags
    specs  of every kind, in the order of the document
    """

    def __init__(
        self, tags: TagList, specs: Mapping[str, Sequence[Spec]], derived: Sequence[DerivedSpec] = ()
    ) -> None:
        self.tags = tags
        self.specs = specs
        self._derived = derived
        self._levels: dict[str, list[Limit]] = {}
        for limit in self.levels():
            self._levels.setdefault(limit.tag.tag, []).append(limit)

    def limits(self, tag: str) -> list[Limit]:
        """High and low ones."""
        return self._levels.get(tag, [])

    def levels(self) -> list[Limit]:
        """Limits on values."""
        return [*self._of("high"), *self._of("low")]

    def rates(self) -> list[Limit]:
        """Limits on the speed of their change."""
        return [*self._of("rise"), *self._of("fall")]

    def windows(self) -> list[Window]:
        """Of a tag that a state rule reads, with what its values mean."""
        specs: Sequence[StateSpec] = self._of("state")
        states = {spec.tag.tag: _state_of(spec.states) for spec in specs}
        return [
            msgspec.structs.replace(window, state_of=states.get(window.tag.tag))
            for window in self._of("window")
        ]

    def watches(self) -> list[Watch]:
        """New ones, for all other kinds."""
        return [
            watch
            for name, kind in KINDS.items()
            if not isinstance(kind, Limits | Windows)
            for watch in kind.watches(self._of(name))
        ]

    def derivations(self) -> list[Derivation]:
        """New ones, in the order of the virtual tags."""
        return [DerivedValue(spec) for spec in self._derived]

    def _of(self, kind: str) -> Sequence[Any]:
        return self.specs.get(kind, ())


def _state_of(states: Mapping[int, int]) -> StateOf:
    names = {raw: PackMLState(state).name.capitalize() for raw, state in states.items()}
    return lambda value: names.get(int(value)) if value == int(value) else None


def read_rules(
    document: object,
    tags: TagList,
    *,
    file: str,
    line_of: LineOf | Mapping[tuple[str | int, ...], int] | None = None,
) -> RuleSet:
    """The rules of a parsed YAML document.

    line_of  line of a path in the document, e.g. ("rules", 0, "limit"); a path it does not know is looked up
             by its parents
    raises   ConfigError with every finding of the whole document, each `file:line: place: what`
    """
    lines: LineOf | None = line_of.get if isinstance(line_of, Mapping) else line_of
    findings = Findings(file, lines)
    root = Section(findings, (), document, ("rules", "derived"))
    derived = read_derived(root, tags)
    tags = TagList([*tags, *(spec.tag for spec in derived)])
    specs: dict[str, list[Spec]] = {}
    first: dict[str, int] = {}
    for index, any_kind in enumerate(root.sections("rules", None)):
        name = any_kind.choice("kind", list(KINDS))
        section = any_kind.only((*SHARED, *KINDS[name].fields))
        rule = declared(section, KINDS[name], tags)
        if rule.id in first:
            section.refuse("id", f"{rule.id!r} is already rule {first[rule.id]}; give each rule its own id")
        elif rule.id:
            first[rule.id] = index
        specs.setdefault(name, []).extend(KINDS[name].read(rule))
    findings.raise_if_any(f"rules in {file}")
    return RuleSet(tags, specs, derived)
