"""The tags of a plant with the rules on them, each in one sentence for people."""

from __future__ import annotations

from collections import defaultdict
from functools import singledispatch

from lineshaft.contracts.plant_facts import RuleFacts, TagFacts
from lineshaft.model.condition import LimitKind
from lineshaft.telemetry.rules.counter_watch import CounterSpec
from lineshaft.telemetry.rules.limits import Limit
from lineshaft.telemetry.rules.missing import MissingSpec
from lineshaft.telemetry.rules.rule_set import RuleSet
from lineshaft.telemetry.rules.state_watch import StateSpec
from lineshaft.telemetry.rules.windows import Window

__all__ = ["tag_facts"]

_VERBS = {
    LimitKind.HIGH: "above",
    LimitKind.LOW: "below",
    LimitKind.RISE: "rises by more than",
    LimitKind.FALL: "falls by more than",
}


def tag_facts(rules: RuleSet) -> list[TagFacts]:
    """In the order of the tag list, then the virtual tags."""
    on_tag: dict[str, list[RuleFacts]] = defaultdict(list)
    for kind, specs in rules.specs.items():
        for spec in specs:
            fact = RuleFacts(
                id=spec.rule,
                version=spec.rule_version,
                kind=kind,
                said=_said(spec),
                severity=getattr(spec, "severity", 0),
                limit=spec.limit if kind in ("high", "low") and isinstance(spec, Limit) else None,
                release=spec.release if kind in ("high", "low") and isinstance(spec, Limit) else None,
            )
            on_tag[spec.tag.tag].append(fact)
    return [
        TagFacts(
            tag=tag.tag,
            equipment_id=tag.equipment_id,
            physical_asset_id=tag.physical_asset_id,
            property=tag.property,
            unit=tag.target_unit,
            topic=tag.topic,
            asset_class=tag.asset_class,
            rules=tuple(on_tag[tag.tag]),
        )
        for tag in rules.tags
    ]


@singledispatch
def _said(spec: object) -> str:
    return type(spec).__name__


@_said.register
def _(spec: Limit) -> str:
    per_s = " a second" if spec.kind in (LimitKind.RISE, LimitKind.FALL) else ""
    unit = f" {{unit}}{per_s}"
    said = f"{_VERBS[spec.kind]} {spec.limit:g}{unit}"
    if spec.over_us:
        said += f" over {_span(spec.over_us)}"
    if spec.debounce_us:
        said += f" for {_span(spec.debounce_us)}"
    if spec.release != spec.limit:
        said += f"; ends at {spec.release:g}{unit}"
    return said


@_said.register
def _(spec: MissingSpec) -> str:
    return f"no good value for {_span(round(spec.after_s * 1e6))}"


@_said.register
def _(spec: Window) -> str:
    return f"summed up every {_span(spec.every_us)}"


@_said.register
def _(spec: CounterSpec) -> str:
    return f"counted every {_span(spec.window_us)}, at most {spec.max_rate_per_s:g} a second"


@_said.register
def _(spec: StateSpec) -> str:
    fed_by = f"; fed by {', '.join(spec.upstream)}" if spec.upstream else ""
    return f"state of the machine; stops from {_span(spec.limits.minor_us)} are told{fed_by}"


def _span(microseconds: int) -> str:
    seconds = microseconds / 1e6
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"
