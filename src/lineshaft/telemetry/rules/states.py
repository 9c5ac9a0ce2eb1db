"""Rules that tell what state equipment is in, and the stops that come of it.

rules:
  - id: line-state
    version: "1"
    property: state
    applies_to: {asset_class: filler}
    kind: state
    states: {0: Stopped, 5: Execute, 7: Held}   # what the device sends: PackML state; or `packml: true`
    mode: unit_mode                         # optional: property of the same equipment
    modes: {1: Production, 2: Maintenance}  # default: the numbers of PackML
    reason: stop_reason                     # optional: property of the same equipment
    reasons: {12: JAM-01}                   # 0 is no reason, if it is not mapped
    minor_stop_s: 300                       # default; a shorter stop is not told
    split_run_s: 10                         # default; a shorter run does not end a stop
    upstream: {CAP-01: [FIL-01]}            # by equipment or physical asset: what feeds it, nearest first
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

import msgspec

from lineshaft.model.equipment_state import PackMLState, UnitMode
from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.rules.declared import Declared
from lineshaft.telemetry.rules.state_watch import Board, StateSpec, StateWatch
from lineshaft.telemetry.rules.stops import StopLimits
from lineshaft.telemetry.rules.watch import Watch
from lineshaft.telemetry.tags import Tag, TagList, nearest

__all__ = ["STATES", "StateKind", "companion", "one_per_equipment"]

_LONGEST_S = 86400
_WHOLE = re.compile(r"-?[0-9]{1,15}")


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    states: dict[int, int]
    mode: str
    modes: dict[int, int]
    reason: str
    reasons: dict[int, str]
    limits: StopLimits
    upstream: dict[str, list[str]]


class StateKind:
    fields: Sequence[str] = (
        "states",
        "packml",
        "mode",
        "modes",
        "reason",
        "reasons",
        "minor_stop_s",
        "split_run_s",
        "upstream",
    )
    overridable: Sequence[str] = ("states", "modes", "reasons", "minor_stop_s", "split_run_s")

    def read(self, declared: Declared) -> Sequence[StateSpec]:
        one_per_equipment(declared)
        _check_upstream(declared)
        specs = []
        for tag, own in declared.by_tag(_own):
            upstream = own.upstream.get(tag.equipment_id) or own.upstream.get(tag.physical_asset_id) or []
            spec = StateSpec(
                rule=declared.id,
                rule_version=declared.version,
                tag=tag,
                mode_tag=companion(declared, tag, "mode", own.mode),
                reason_tag=companion(declared, tag, "reason", own.reason),
                states=own.states,
                modes=own.modes,
                reasons=own.reasons,
                limits=own.limits,
                upstream=tuple(upstream),
            )
            specs.append(spec)
        return specs

    def watches(self, specs: Sequence[StateSpec]) -> Sequence[Watch]:
        board = Board()
        return [StateWatch(spec, board) for spec in specs]


STATES = StateKind()


def one_per_equipment(declared: Declared) -> None:
    """Refuse what would tell two stories of one equipment."""
    first: dict[str, Tag] = {}
    for tag in declared.tags:
        other = first.setdefault(tag.equipment_id, tag)
        if other is not tag:
            declared.section.refuse(
                "id",
                f"tags {other.tag!r} and {tag.tag!r} are both of equipment {tag.equipment_id!r}; "
                "write a rule for each",
            )


def companion(declared: Declared, tag: Tag, field: str, wanted: str) -> str:
    """The tag with this property on the equipment of `tag`; empty if none is wanted, or it is refused."""
    if not wanted:
        return ""
    found = [
        other.tag
        for other in declared.plant
        if other.equipment_id == tag.equipment_id and other.property == wanted and other.tag != tag.tag
    ]
    if len(found) == 1:
        return found[0]
    of = f"of equipment {tag.equipment_id!r}"
    if found:
        what = f"{wanted!r} is the property of several tags {of}: {', '.join(found)}; give each its own"
    else:
        known = [other.property for other in declared.plant if other.equipment_id == tag.equipment_id]
        what = f"{wanted!r} is no property of another tag {of}{nearest(wanted, known) or '; add the tag'}"
    declared.section.refuse(field, what)
    return ""


def _own(section: Section) -> _Fields:
    return _Fields(
        states=_states(section),
        mode=section.text("mode") if "mode" in section.mapping else "",
        modes=_named(section, "modes", UnitMode) if _given(section, "modes", "mode") else {},
        reason=section.text("reason") if "reason" in section.mapping else "",
        reasons=_reasons(section) if _given(section, "reasons", "reason") else {},
        limits=StopLimits(
            minor_us=_microseconds(section, "minor_stop_s", 300),
            split_us=_microseconds(section, "split_run_s", 10),
        ),
        upstream=_upstream(section),
    )


def _microseconds(section: Section, field: str, default: float) -> int:
    return round(section.number(field, default=default, at_least=0, at_most=_LONGEST_S) * 1_000_000)


def _given(section: Section, table: str, field: str) -> bool:
    if table in section.mapping and field not in section.mapping:
        section.refuse(table, f"says what the numbers of `{field}` mean; name that property in `{field}`")
    return table in section.mapping


def _states(section: Section) -> dict[int, int]:
    packml = section.mapping.get("packml", False)
    if not isinstance(packml, bool):
        section.refuse("packml", f"is {packml!r:.60}; expected true or false")
    if packml is True and "states" in section.mapping:
        section.refuse("states", "and packml: true contradict each other; drop one")
    elif packml is True:
        return {int(state): int(state) for state in PackMLState}
    return _named(section, "states", PackMLState)


def _named(section: Section, field: str, names: type[IntEnum]) -> dict[int, int]:
    known = {name.capitalize(): int(number) for name, number in names.__members__.items()}
    found = {}
    for raw, name in _table(section, field).items():
        if name.capitalize() in known:
            found[raw] = known[name.capitalize()]
        else:
            hint = nearest(name.capitalize(), known) or f"; known: {', '.join(known)}"
            section.refuse(field, f"{raw}: {name!r} is unknown{hint}")
    return found


def _reasons(section: Section) -> dict[int, str]:
    return {0: "", **_table(section, "reasons")}


def _table(section: Section, field: str) -> dict[int, str]:
    """Whole numbers, as the device sends them, to text."""
    value = section.mapping.get(field)
    if not isinstance(value, Mapping) or not value:
        found = f"is {value!r:.60}" if field in section.mapping else "is missing"
        section.refuse(field, f"{found}; expected a mapping from the device's numbers to names")
        return {}
    table = {}
    for raw, name in value.items():
        if _WHOLE.fullmatch(str(raw)) and isinstance(name, str) and name.strip():
            table[int(raw)] = name.strip()  # a YamlFile has keys as text
        else:
            section.refuse(
                field, f"{raw!r:.40}: {name!r:.40} is no whole number with a name, as in `5: Execute`"
            )
    return table


def _upstream(section: Section) -> dict[str, list[str]]:
    if "upstream" not in section.mapping:
        return {}
    by_name = section.section("upstream", None)
    return {} if by_name is None else {name: by_name.texts(name) for name in by_name.mapping}


def _check_upstream(declared: Declared) -> None:
    section = declared.section
    own = [*(tag.equipment_id for tag in declared.tags), *(tag.physical_asset_id for tag in declared.tags)]
    plant = _equipment(declared.plant)
    value = section.mapping.get("upstream")
    for name, feeders in value.items() if isinstance(value, Mapping) and declared.tags else ():
        if name not in own:
            section.refuse("upstream", f"the rule applies to no tag of {name!r}{nearest(str(name), own)}")
        for feeder in feeders if isinstance(feeders, list) else ():
            if feeder not in plant:
                hint = nearest(str(feeder), plant)
                section.refuse("upstream", f"{name}: {feeder!r} is no equipment of the tag list{hint}")
            elif feeder == name:
                section.refuse("upstream", f"{name}: equipment cannot feed itself; take it off its list")


def _equipment(plant: TagList) -> list[str]:
    return list(dict.fromkeys(tag.equipment_id for tag in plant))
