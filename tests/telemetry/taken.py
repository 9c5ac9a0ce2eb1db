"""Readings as watches take them, and watches as a document of rules declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from lineshaft.core.errors import ConfigError
from lineshaft.core.values import RawBatch, Value
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.rules.rule_set import read_rules
from lineshaft.telemetry.rules.watch import Found, Watch, WatchFault
from lineshaft.telemetry.tags import TagList, parse_tags

from .plant import HEADER, T0, at

__all__ = ["LINE", "START", "at", "facts", "faults", "findings", "line", "taken", "us", "watches"]

START = int(T0.timestamp()) * 1_000_000

LINE = (
    HEADER
    + "FIL.STATE,l1/fil,state,state,FIL-01,FILLER-7,C62,,filler\n"
    + "FIL.MODE,l1/fil,mode,unit_mode,FIL-01,FILLER-7,C62,,filler\n"
    + "FIL.REASON,l1/fil,reason,stop_reason,FIL-01,FILLER-7,C62,,filler\n"
    + "FIL.GOOD,l1/fil,good,good_count,FIL-01,FILLER-7,C62,,filler\n"
    + "FIL.RESET,l1/fil,reset,count_reset,FIL-01,FILLER-7,C62,,filler\n"
    + "FIL.PRESSURE,l1/fil,pressure,pressure,FIL-01,FILLER-7,BAR,,filler\n"
    + "FIL.FLOW,l1/fil,flow,flow,FIL-01,FILLER-7,LTR,,filler\n"
    + "CAP.STATE,l1/cap,state,state,CAP-01,CAPPER-2,C62,,capper\n"
    + "CAP.PRESSURE,l1/cap,pressure,pressure,CAP-01,CAPPER-2,BAR,KPA,capper\n"
)


def line() -> TagList:
    return parse_tags(LINE, file="tags.csv")


def watches(*rules: Mapping[str, object], tags: TagList | None = None) -> list[Watch]:
    document = {"rules": [{"version": "1", **rule} for rule in rules]}
    return read_rules(document, tags or line(), file="r.yaml").watches()


def findings(rule: Mapping[str, object], *, tags: TagList | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        watches(rule, tags=tags)
    return [finding.removeprefix("r.yaml: rules[0].") for finding in caught.value.findings]


def us(seconds: float) -> int:
    return START + round(seconds * 1_000_000)


def taken(seconds: float, value: float, *, late_s: float = 0.0) -> TakenReading:
    """late_s: how much later than its time the message was stored"""
    batch = RawBatch(
        stream="RAW", topics=["l1/fil"], payloads=[b""], stored_us=[us(seconds + late_s)], sequences=[7]
    )
    return TakenReading(
        time=us(seconds), value=float(value), received=us(seconds + late_s), batch=batch, message=0
    )


def facts(found: Found) -> Sequence[Value]:
    assert not faults(found)
    return [fact for fact in found if isinstance(fact, Value)]


def faults(found: Found) -> list[str]:
    return [fault.cause for fault in found if isinstance(fault, WatchFault)]
