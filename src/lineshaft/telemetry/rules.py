"""Limit rules as a plant declares them in YAML, and what they come to on each tag.

rules:
  - id: hydraulic-pressure-high
    version: "1"
    property: hydraulic_pressure            # or `tag: P07.PRESSURE` and no applies_to
    applies_to: {asset_class: press}        # or {tags: [P07.PRESSURE, P08.PRESSURE]}
    kind: high                              # or low
    limit: 210
    unit: BAR                               # of limit and hysteresis
    hysteresis: 5                           # default 0
    debounce_s: 30                          # default 0
    severity: 800                           # 1 to 1000, as in OPC UA
    overrides:                              # by physical asset
      PRESS-07: {limit: 200}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

from lineshaft.core.errors import ContractViolation
from lineshaft.core.quantity import UNITS, Quantity, convert
from lineshaft.core.values import Value
from lineshaft.model.condition import LimitKind
from lineshaft.telemetry.declaration import Findings, LineOf, Section
from lineshaft.telemetry.limits import Limit
from lineshaft.telemetry.tags import Tag, TagList, nearest

__all__ = ["LimitRule", "Override", "RuleSet", "read_rules"]

_LONGEST_DEBOUNCE_S = 31 * 86400
_FIELDS = (
    "id",
    "version",
    "property",
    "tag",
    "applies_to",
    "kind",
    "limit",
    "unit",
    "hysteresis",
    "debounce_s",
    "severity",
    "overrides",
)


class Override(Value, frozen=True, kw_only=True):
    """What one asset has other than its class; None where it has not. Units as in the rule."""

    limit: float | None = None
    hysteresis: float | None = None
    debounce_s: float | None = None
    severity: int | None = None


class LimitRule(Value, frozen=True, kw_only=True):
    """One declared rule. tags: the names of all tags it applies to; overrides by physical asset."""

    id: str
    version: str
    tags: list[str]
    kind: LimitKind
    limit: float
    unit: str
    hysteresis: float
    debounce_s: float
    severity: int
    overrides: dict[str, Override]

    def on(self, tag: Tag) -> Limit:
        """The limit in the tag's target unit. raises ContractViolation for a unit of another dimension"""
        own = self.overrides.get(tag.physical_asset_id, Override())
        limit = self.limit if own.limit is None else own.limit
        hysteresis = self.hysteresis if own.hysteresis is None else own.hysteresis
        debounce_s = self.debounce_s if own.debounce_s is None else own.debounce_s
        towards = -hysteresis if self.kind is LimitKind.HIGH else hysteresis
        return Limit(
            rule=self.id,
            rule_version=self.version,
            kind=self.kind,
            limit=_converted(Decimal(repr(limit)), self.unit, tag.target_unit),
            release=_converted(Decimal(repr(limit)) + Decimal(repr(towards)), self.unit, tag.target_unit),
            unit=tag.target_unit,
            debounce=timedelta(seconds=debounce_s),
            severity=self.severity if own.severity is None else own.severity,
        )


class RuleSet:
    """All rules of a plant, and the limits they come to, by tag."""

    def __init__(self, rules: list[LimitRule], tags: TagList) -> None:
        self.rules = rules
        self._limits: dict[str, list[Limit]] = {}
        for rule in rules:
            for name in rule.tags:
                if tag := tags.get(name):
                    self._limits.setdefault(name, []).append(rule.on(tag))

    def limits(self, tag: str) -> list[Limit]:
        return self._limits.get(tag, [])


def read_rules(
    document: object,
    tags: TagList,
    *,
    file: str,
    line_of: LineOf | Mapping[tuple[str | int, ...], int] | None = None,
) -> RuleSet:
    """The rules of a parsed YAML document `{"rules": [...]}`.

    line_of  line of a path in the document, e.g. ("rules", 0, "limit"); a path it does not know is looked up
             by its parents
    raises   ConfigError with every finding of the whole document, each `file:line: place: what`
    """
    lines: LineOf | None = line_of.get if isinstance(line_of, Mapping) else line_of
    findings = Findings(file, lines)
    root = Section(findings, (), document, ("rules",))
    rules: list[LimitRule] = []
    first: dict[str, int] = {}
    for index, section in enumerate(root.sections("rules", _FIELDS)):
        rule = _rule(section, tags)
        name = section.mapping.get("id")
        if isinstance(name, str) and name in first:
            section.refuse("id", f"{name!r} is already rule {first[name]}; give each rule its own id")
        elif isinstance(name, str):
            first[name] = index
        if rule is not None:
            rules.append(rule)
    findings.raise_if_any(f"rules in {file}")
    return RuleSet(rules, tags)


def _rule(section: Section, tags: TagList) -> LimitRule | None:
    before = section.findings.count
    applied = _applied(section, tags)
    unit = section.text("unit")
    if unit and unit not in UNITS:
        section.refuse("unit", f"{unit!r} is no known UNECE Rec 20 code{nearest(unit.upper(), UNITS)}")
    rule = LimitRule(
        id=section.text("id"),
        version=section.text("version", whole_number_too=True),
        tags=[tag.tag for tag in applied],
        kind=LimitKind(section.choice("kind", [str(kind) for kind in LimitKind])),
        limit=section.number("limit"),
        unit=unit,
        hysteresis=section.number("hysteresis", default=0.0, at_least=0.0),
        debounce_s=section.number("debounce_s", default=0.0, at_least=0.0, at_most=_LONGEST_DEBOUNCE_S),
        severity=section.whole("severity", 1, 1000),
        overrides=_overrides(section, applied),
    )
    if section.findings.count > before:
        return None
    for tag in applied:
        try:
            rule.on(tag)
        except ContractViolation as error:
            section.refuse("unit", f"on tag {tag.tag!r}: {error.message}; give the limit in another unit")
    return rule if section.findings.count == before else None


def _applied(section: Section, tags: TagList) -> list[Tag]:
    """The tags that the rule names, by `tag` or by `property` and `applies_to`."""
    given = section.mapping
    if ("tag" in given) == ("property" in given):
        section.refuse("tag", "give either tag, or property with applies_to")
        return []
    if "tag" in given:
        if "applies_to" in given:
            section.refuse("applies_to", "is for rules on a property; a rule on a tag applies to that tag")
        return list(_named(section, "tag", [section.text("tag")], tags))
    wanted = section.text("property")
    properties = dict.fromkeys(tag.property for tag in tags)
    scope = section.section("applies_to", ("asset_class", "tags"))
    if wanted and wanted not in properties:
        section.refuse("property", f"{wanted!r} is no property of any tag{nearest(wanted, properties)}")
    elif scope is not None and ("asset_class" in scope.mapping) == ("tags" in scope.mapping):
        section.refuse("applies_to", "give either asset_class or tags")
    elif scope is not None and "tags" in scope.mapping:
        return [tag for tag in _named(scope, "tags", scope.texts("tags"), tags) if _has(scope, tag, wanted)]
    elif scope is not None:
        return _of_class(scope, wanted, tags)
    return []


def _of_class(scope: Section, wanted: str, tags: TagList) -> list[Tag]:
    name = scope.text("asset_class")
    classes = dict.fromkeys(tag.asset_class for tag in tags if tag.asset_class)
    if name and name not in classes:
        scope.refuse("asset_class", f"no tag has asset class {name!r}{nearest(name, classes)}")
        return []
    found = [tag for tag in tags if tag.asset_class == name and tag.property == wanted]
    if name and not found:
        scope.refuse(
            "asset_class", f"no tag of asset class {name!r} has property {wanted!r}; add one or drop the rule"
        )
    return found


def _named(section: Section, field: str, names: list[str], tags: TagList) -> Iterator[Tag]:
    for name in dict.fromkeys(names):
        if tag := tags.get(name):
            yield tag
        elif name:
            section.refuse(field, f"{name!r} is no tag of the tag list{nearest(name, tags.names)}")


def _has(scope: Section, tag: Tag, wanted: str) -> bool:
    if tag.property == wanted:
        return True
    scope.refuse("tags", f"{tag.tag!r} has property {tag.property!r}, not {wanted!r}; take it off the list")
    return False


def _overrides(section: Section, applied: list[Tag]) -> dict[str, Override]:
    if "overrides" not in section.mapping:
        return {}
    assets = list(dict.fromkeys(tag.physical_asset_id for tag in applied))
    by_asset = section.section("overrides", None)
    found: dict[str, Override] = {}
    if by_asset is None:
        return found
    for asset in by_asset.mapping:
        if asset not in assets and applied:
            by_asset.refuse(asset, f"the rule applies to no tag of asset {asset!r}{nearest(asset, assets)}")
        own = by_asset.section(asset, ("limit", "hysteresis", "debounce_s", "severity"))
        if own is not None:
            found[asset] = Override(
                limit=own.number("limit") if "limit" in own.mapping else None,
                hysteresis=own.number("hysteresis", at_least=0.0) if "hysteresis" in own.mapping else None,
                debounce_s=own.number("debounce_s", at_least=0.0, at_most=_LONGEST_DEBOUNCE_S)
                if "debounce_s" in own.mapping
                else None,
                severity=own.whole("severity", 1, 1000) if "severity" in own.mapping else None,
            )
    return found


def _converted(value: Decimal, source: str, target: str) -> float:
    return float(convert(Quantity(value=value, unit=source), target).value)
