"""Values that no device sends: expressions over the readings of one physical asset, as tags of their own.

derived:
  - id: filler-hydraulic-power
    property: hydraulic_power               # of the virtual tag, named <physical asset>.<property>
    applies_to: {asset_class: filler}       # or {assets: [FIL-01, FIL-02]}
    expression: pressure * flow / 600       # over properties of the asset's tags, in their target units
    units: {pressure: BAR}                  # optional: the unit in which the expression takes an input
    unit: KWT                               # of the result
    max_age_s: 60                           # default; 0: only of inputs that have the same time
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lineshaft.core.errors import ContractViolation
from lineshaft.core.quantity import UNITS
from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.rules.expressions import Expression, ExpressionRefused, compile_expression
from lineshaft.telemetry.rules.watch import WatchFault
from lineshaft.telemetry.state import read_state
from lineshaft.telemetry.tags import Tag, TagList, nearest, scaling

__all__ = ["DERIVED_FIELDS", "DerivedSpec", "DerivedValue", "read_derived"]

DERIVED_FIELDS = ("id", "property", "applies_to", "expression", "units", "unit", "max_age_s")

_LONGEST_S = 86400


class DerivedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One expression on one physical asset.

    tag      the virtual one
    inputs   name of a tag: its property, the name in the expression
    scales   by property: (factor, offset) from the tag's target unit to the unit that the expression takes
    """

    id: str
    tag: Tag
    inputs: dict[str, str]
    scales: dict[str, tuple[float, float]]
    expression: Expression
    max_age_us: int


def read_derived(root: Section, tags: TagList) -> list[DerivedSpec]:
    """Of the top-level list `derived`, if there is one. What is wrong goes to the findings of `root`."""
    specs: list[DerivedSpec] = []
    names: dict[str, str] = {}
    ids: set[str] = set()
    for section in root.sections("derived", DERIVED_FIELDS) if "derived" in root.mapping else ():
        read = _read(section, tags)
        one = section.mapping.get("id")
        if isinstance(one, str) and one in ids:
            section.refuse("id", f"{one!r} is there already; give each expression its own id")
        elif isinstance(one, str):
            ids.add(one)
        for spec in read:
            if spec.tag.tag in names:
                section.refuse("property", f"tag {spec.tag.tag!r} comes of {names[spec.tag.tag]!r} already")
            names.setdefault(spec.tag.tag, spec.id)
        specs += read
    return specs


def _read(section: Section, tags: TagList) -> list[DerivedSpec]:
    before = section.findings.count
    by_asset = _assets(section, tags)
    known = dict.fromkeys(tag.property for own in by_asset.values() for tag in own)
    id, wanted, unit = section.text("id"), section.text("property"), _unit(section, "unit")
    max_age_s = section.number("max_age_s", default=60, at_least=0, at_most=_LONGEST_S)
    expression = _expression(section, known) if by_asset else None
    units = _units(section, expression)
    if expression is None or section.findings.count > before:
        return []
    specs = []
    for asset, own in by_asset.items():
        inputs = {name: _input(section, asset, own, name) for name in expression.names}
        found = {name: tag for name, tag in inputs.items() if tag is not None}
        virtual = _virtual(section, asset, own[0], wanted, unit, tags)
        if virtual is not None and len(found) == len(inputs):
            spec = DerivedSpec(
                id=id,
                tag=virtual,
                inputs={tag.tag: name for name, tag in found.items()},
                scales=_scales(section, found, units),
                expression=expression,
                max_age_us=round(max_age_s * 1_000_000),
            )
            specs.append(spec)
    _same_units(section, specs, tags, units)
    return specs if section.findings.count == before else []


def _assets(section: Section, tags: TagList) -> dict[str, list[Tag]]:
    """The tags of each physical asset that it applies to."""
    scope = section.section("applies_to", ("asset_class", "assets"))
    if scope is None:
        return {}
    if ("asset_class" in scope.mapping) == ("assets" in scope.mapping):
        section.refuse("applies_to", "give either asset_class or assets")
        return {}
    by_asset: dict[str, list[Tag]] = {}
    for tag in tags:
        by_asset.setdefault(tag.physical_asset_id, []).append(tag)
    if "assets" in scope.mapping:
        wanted = dict.fromkeys(scope.texts("assets"))
        for asset in wanted:
            if asset not in by_asset:
                scope.refuse("assets", f"no tag is of physical asset {asset!r}{nearest(asset, by_asset)}")
        return {asset: by_asset[asset] for asset in wanted if asset in by_asset}
    name = scope.text("asset_class")
    classes = dict.fromkeys(tag.asset_class for tag in tags if tag.asset_class)
    if name and name not in classes:
        scope.refuse("asset_class", f"no tag has asset class {name!r}{nearest(name, classes)}")
    of_class = {asset: [tag for tag in own if tag.asset_class == name] for asset, own in by_asset.items()}
    return {asset: own for asset, own in of_class.items() if own and name}


def _unit(section: Section, field: str) -> str:
    unit = section.text(field)
    if unit and unit not in UNITS:
        section.refuse(field, f"{unit!r} is no known UNECE Rec 20 code{nearest(unit.upper(), UNITS)}")
    return unit


def _expression(section: Section, known: Mapping[str, None]) -> Expression | None:
    text = section.text("expression")
    try:
        return compile_expression(text, known) if text else None
    except ExpressionRefused as refused:
        for finding in refused.findings:
            section.refuse("expression", finding)
        return None


def _units(section: Section, expression: Expression | None) -> dict[str, str]:
    if "units" not in section.mapping:
        return {}
    given = section.section("units", None if expression is None else expression.names)
    return {} if given is None else {name: _unit(given, name) for name in given.mapping}


def _input(section: Section, asset: str, own: Sequence[Tag], name: str) -> Tag | None:
    found = [tag for tag in own if tag.property == name]
    if len(found) == 1:
        return found[0]
    if found:
        what = f"is the property of several tags of {asset!r}: {', '.join(tag.tag for tag in found)}"
        section.refuse("expression", f"{name!r} {what}; give each its own property")
    else:
        what = f"is no property of a tag of {asset!r}"
        section.refuse("expression", f"{name!r} {what}; add the tag, or name the assets that have it")
    return None


def _virtual(section: Section, asset: str, like: Tag, wanted: str, unit: str, tags: TagList) -> Tag | None:
    name = f"{asset}.{wanted}"
    taken = [
        tag.tag for tag in tags if tag.tag == name or (tag.physical_asset_id, tag.property) == (asset, wanted)
    ]
    if taken:
        section.refuse(
            "property", f"{wanted!r} of {asset!r} is tag {taken[0]!r} already; choose another name"
        )
        return None
    return Tag(
        tag=name,
        topic="",
        metric="",
        property=wanted,
        equipment_id=like.equipment_id,
        physical_asset_id=asset,
        unit=unit,
        target_unit=unit,
        asset_class=like.asset_class,
    )


def _scales(
    section: Section, inputs: Mapping[str, Tag], units: Mapping[str, str]
) -> dict[str, tuple[float, float]]:
    scales = {}
    for name, unit in units.items():
        tag = inputs[name]
        try:
            scales[name] = scaling(msgspec.structs.replace(tag, unit=tag.target_unit, target_unit=unit))
        except ContractViolation as error:
            section.refuse("units", f"{name}: on tag {tag.tag!r}: {error.message}; give another unit")
    return scales


def _same_units(
    section: Section, specs: Sequence[DerivedSpec], tags: TagList, units: Mapping[str, str]
) -> None:
    """An expression has its units in its constants: it can mean one unit for each input only."""
    first: dict[str, Tag] = {}
    told: set[str] = set()
    for name, property in (item for spec in specs for item in spec.inputs.items()):
        tag = tags.get(name)
        if tag is None or property in units or property in told:
            continue
        other = first.setdefault(property, tag)
        if other.target_unit != tag.target_unit:
            told.add(property)
            section.refuse(
                "expression",
                f"{property!r} is in {other.target_unit} on {other.tag!r} and in {tag.target_unit} on "
                f"{tag.tag!r}; say which one is meant, as in units: {{{property}: {tag.target_unit}}}",
            )


class _State(msgspec.Struct):
    """values: by property, (time, value) of the newest reading

    last     time of the last result, if it came to one or not
    failing  it came to none
    """

    values: dict[str, tuple[int, float]] = {}
    last: int | None = None
    failing: bool = False


class DerivedValue:
    """The virtual tag of one asset. A message and device time with new inputs gives a result, if every input
    has a good value that is at most `max_age_s` older than the newest, and the newest is newer than at the
    result before. The time of a result is that of its newest input."""

    def __init__(self, spec: DerivedSpec) -> None:
        self.spec = spec
        self.key = f"derived/{spec.id}/{spec.tag.physical_asset_id}"
        self.tag = spec.tag
        self.inputs: Mapping[str, str] = spec.inputs
        self._state = _State()

    def take(self, time: int, values: Mapping[str, float]) -> tuple[int, float] | WatchFault | None:
        state, spec = self._state, self.spec
        for name, value in values.items():
            state.values[name] = (time, value)
        if len(state.values) < len(spec.inputs):
            return None
        times = [at for at, _ in state.values.values()]
        newest = max(times)
        if newest - min(times) > spec.max_age_us or (state.last is not None and newest <= state.last):
            return None
        state.last = newest
        scaled = {name: value for name, (_, value) in state.values.items()}
        for name, (factor, offset) in spec.scales.items():
            scaled[name] = scaled[name] * factor + offset
        result = spec.expression.value(scaled)
        failed_before, state.failing = state.failing, result is None
        if result is not None:
            return newest, result
        if failed_before:
            return None
        return WatchFault(
            f"derived {spec.id!r} of {spec.tag.physical_asset_id!r}: the expression has no finite value for "
            "these readings; guard it, as in `a / b if b > 0 else 0`"
        )

    def lost(self, role: str, at: int) -> None:
        self._state.values.pop(role, None)

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def restore(self, data: bytes) -> None:
        state = read_state(self.key, data, _State)
        names = set(self.inputs.values())
        state.values = {name: held for name, held in state.values.items() if name in names}
        self._state = state
