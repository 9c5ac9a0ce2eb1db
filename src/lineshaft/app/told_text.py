"""What telemetry tells, in a line for people. Times are UTC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineshaft.core.values import Value
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.model.condition import SignalLoss, ThresholdExceeded
from lineshaft.model.equipment_state import Downtime, PackMLState, StateChange

__all__ = ["detail_of"]


def detail_of(fact: Value) -> str:
    return _DETAILS[type(fact)](fact)


def _breach(fact: ThresholdExceeded) -> str:
    since = f"since {fact.episode_start:%H:%M:%S}"
    return f"{fact.property} {fact.value:g} {fact.unit}, limit {fact.limit:g} ({fact.kind}), {since}"


def _loss(fact: SignalLoss) -> str:
    return f"{fact.tag} silent for more than {fact.after_s:g} s, last heard {fact.last_time:%H:%M:%S}"


def _change(fact: StateChange) -> str:
    before = "" if fact.previous is None else f"{_state(fact.previous)} → "
    return f"{before}{_state(fact.state)}{_reason(fact.reason_code)}"


def _stop(fact: Downtime) -> str:
    how_long = f"since {fact.start_time:%H:%M:%S}"
    if fact.end_time is not None:
        how_long = f"for {(fact.end_time - fact.start_time).total_seconds() / 60:.1f} min"
    upstream = f", after {fact.upstream}" if fact.upstream else ""
    return f"{_state(fact.state)} {how_long}{_reason(fact.reason_code)}{upstream}"


def _window(fact: ReadingsAggregate) -> str:
    revision = f", revision {fact.revision}" if fact.revision else ""
    states = "".join(f", {name} {seconds:g} s" for name, seconds in fact.time_in_state.items())
    return (
        f"{fact.tag} {fact.start_time:%H:%M:%S}-{fact.end_time:%H:%M:%S}: {fact.count} readings,"
        f" mean {fact.mean:.6g}, {fact.min:g} to {fact.max:g} {fact.unit}{states}{revision}"
    )


def _count(fact: CountAggregate) -> str:
    doubt = "" if fact.complete else ", a step could not be explained"
    return (
        f"{fact.property} +{fact.quantity.value} {fact.start_time:%H:%M:%S}-{fact.end_time:%H:%M:%S},"
        f" {fact.from_count:g} to {fact.to_count:g}{doubt}"
    )


def _state(number: int) -> str:
    return PackMLState(number).name.capitalize()


def _reason(code: str) -> str:
    return f", reason {code}" if code else ""


_DETAILS: dict[type[Value], Callable[[Any], str]] = {
    ThresholdExceeded: _breach,
    SignalLoss: _loss,
    StateChange: _change,
    Downtime: _stop,
    ReadingsAggregate: _window,
    CountAggregate: _count,
}
