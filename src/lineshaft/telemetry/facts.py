"""What the rules found, as events: the contract of each kind of fact, and what makes it one and the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from lineshaft.contracts.catalogue import (
    COUNT_AGGREGATED,
    DOWNTIME_ENDED,
    DOWNTIME_STARTED,
    READINGS_AGGREGATED,
    SIGNAL_LOST,
    STATE_CHANGED,
    THRESHOLD_EXCEEDED,
)
from lineshaft.contracts.event import EventContract
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event, Value
from lineshaft.model.aggregates import CountAggregate, ReadingsAggregate
from lineshaft.model.condition import SignalLoss, ThresholdExceeded
from lineshaft.model.equipment_state import Downtime, StateChange

__all__ = ["event_of"]


class _Telling(msgspec.Struct, frozen=True):
    """identity: what makes two tellings the same event; time: when it came about."""

    contract: EventContract[Any]
    identity: Callable[[Any], tuple[str, ...]]
    time: Callable[[Any], datetime]


def _stop(fact: Downtime) -> tuple[str, ...]:
    return fact.equipment_id, fact.rule, rfc3339(fact.start_time)


_TELLINGS: dict[type[Value], _Telling] = {
    ThresholdExceeded: _Telling(
        THRESHOLD_EXCEEDED,
        lambda fact: (fact.physical_asset_id, fact.rule, rfc3339(fact.episode_start)),
        lambda fact: fact.evidence.time,
    ),
    SignalLoss: _Telling(
        SIGNAL_LOST,
        lambda fact: (fact.tag, fact.rule, rfc3339(fact.last_time)),
        lambda fact: fact.detected_at,
    ),
    StateChange: _Telling(
        STATE_CHANGED,
        lambda fact: (fact.equipment_id, fact.rule, rfc3339(fact.start_time), str(fact.state)),
        lambda fact: fact.start_time,
    ),
    ReadingsAggregate: _Telling(
        READINGS_AGGREGATED,
        lambda fact: (
            fact.tag,
            fact.rule,
            rfc3339(fact.start_time),
            rfc3339(fact.end_time),
            str(fact.revision),
        ),
        lambda fact: fact.end_time,
    ),
    CountAggregate: _Telling(
        COUNT_AGGREGATED,
        lambda fact: (
            fact.equipment_id,
            fact.property,
            fact.rule,
            rfc3339(fact.epoch),
            rfc3339(fact.start_time),
            str(fact.revision),
        ),
        lambda fact: fact.end_time,
    ),
}
_BEGUN = _Telling(DOWNTIME_STARTED, _stop, lambda fact: fact.start_time)
_OVER = _Telling(DOWNTIME_ENDED, _stop, lambda fact: fact.end_time)


def event_of(fact: Value, *, plant: str, source: str) -> Event:
    """Equal facts are the same event, whenever they are told."""
    if isinstance(fact, Downtime):
        telling = _BEGUN if fact.end_time is None else _OVER
    else:
        telling = _TELLINGS[type(fact)]
    return telling.contract.make(
        fact, plant=plant, source=source, identity=telling.identity(fact), time=telling.time(fact)
    )
