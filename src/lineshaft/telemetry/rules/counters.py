"""Rules on counters of machines, and what they count in a window.

rules:
  - id: filler-good-count
    version: "1"
    property: good_count
    applies_to: {asset_class: filler}
    kind: counter
    max_rate_per_s: 20                      # the fastest that it can count, generously
    maximum: 65535                          # optional: after it comes 0
    reset_below: 0                          # optional: a drop to at most this is a reset
    reset_flag: count_reset                 # optional: property of the same equipment; it leaves 0 before
                                            # the first count after a reset comes
    window_s: 300                           # default
    grace_s: 2                              # default; what is on its way when a window ends
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.rules.counter_watch import HIGHEST_COUNT, CounterSpec, CounterWatch
from lineshaft.telemetry.rules.declared import Declared
from lineshaft.telemetry.rules.states import companion, one_per_equipment
from lineshaft.telemetry.rules.watch import Watch

__all__ = ["COUNTERS", "CounterKind"]


class CounterKind:
    fields: Sequence[str] = (
        "max_rate_per_s",
        "maximum",
        "reset_below",
        "reset_flag",
        "window_s",
        "grace_s",
    )
    overridable: Sequence[str] = ("max_rate_per_s", "maximum", "reset_below")

    def read(self, declared: Declared) -> Sequence[CounterSpec]:
        one_per_equipment(declared)
        return [
            CounterSpec(
                rule=declared.id,
                rule_version=declared.version,
                tag=tag,
                max_rate_per_s=own.max_rate_per_s,
                maximum=own.maximum,
                reset_below=own.reset_below,
                reset_tag=companion(declared, tag, "reset_flag", own.reset_flag),
                window_us=own.window_us,
                grace_us=own.grace_us,
            )
            for tag, own in declared.by_tag(_own)
        ]

    def watches(self, specs: Sequence[CounterSpec]) -> Sequence[Watch]:
        return [CounterWatch(spec) for spec in specs]


COUNTERS = CounterKind()


class _Fields(msgspec.Struct, frozen=True):
    max_rate_per_s: float
    maximum: float | None
    reset_below: float | None
    reset_flag: str
    window_us: int
    grace_us: int


def _own(section: Section) -> _Fields:
    given = section.mapping
    return _Fields(
        max_rate_per_s=section.number("max_rate_per_s", at_least=1e-6),
        maximum=section.number("maximum", at_least=1, at_most=HIGHEST_COUNT) if "maximum" in given else None,
        reset_below=section.number("reset_below", at_least=0) if "reset_below" in given else None,
        reset_flag=section.text("reset_flag") if "reset_flag" in given else "",
        window_us=round(section.number("window_s", default=300, at_least=1, at_most=86400) * 1_000_000),
        grace_us=round(section.number("grace_s", default=2, at_least=0, at_most=3600) * 1_000_000),
    )
