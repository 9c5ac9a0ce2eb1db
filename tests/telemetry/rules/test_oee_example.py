"""A published OEE example, as readings of a state and of two counters that wrap.

Source: the worked example of oee.com (Vorne): shift 480 min, breaks 60 min, downtime 47 min, ideal cycle
1.0 s, 19,271 pieces, 423 of them rejected; availability 88.81 %, performance 86.11 %, quality 97.80 %, OEE
74.79 %.
"""

from __future__ import annotations

import pytest

from lineshaft.core.values import Value
from lineshaft.model.aggregates import CountAggregate
from lineshaft.model.equipment_state import Downtime
from tests.telemetry.taken import facts, taken, us, watches

EXECUTE, IDLE, STOPPED, HELD, ABORTED, CLEARING, RESETTING = 6, 4, 2, 11, 9, 1, 15
MINUTE = 60
# Breaks are spent idle, out of the way of downtime: the shift calendar takes them off the planned time.
STATES = [
    (0, EXECUTE),
    (100, IDLE),
    (115, EXECUTE),
    (150, HELD),  # 20 min
    (170, EXECUTE),
    (200, ABORTED),  # 15 min, through its way out
    (210, CLEARING),
    (211, STOPPED),
    (214, RESETTING),
    (215, EXECUTE),
    (240, IDLE),
    (270, EXECUTE),
    (300, STOPPED),  # 12 min, with a run of 6 s in it
    (305, EXECUTE),
    (305.1, STOPPED),
    (312, EXECUTE),
    (350, STOPPED),  # a minor stop, which is performance
    (351, EXECUTE),
    (400, IDLE),
    (415, EXECUTE),
]
TOTAL, REJECTED = 19_271, 423


def test_the_published_example() -> None:
    (state,) = watches(
        {
            "id": "s",
            "tag": "FIL.STATE",
            "kind": "state",
            "packml": True,
            "minor_stop_s": 300,
            "split_run_s": 10,
        }
    )
    (good,) = watches({"id": "g", "tag": "FIL.GOOD", "kind": "counter", "maximum": 9999, "max_rate_per_s": 3})
    (bad,) = watches({"id": "b", "tag": "FIL.FLOW", "kind": "counter", "maximum": 65535, "max_rate_per_s": 3})
    found: list[Value] = []
    for minute, number in STATES:
        found += facts(state.take("state", taken(minute * MINUTE, number)))
        found += facts(state.tick(us(minute * MINUTE + 5)))
    for second in range(0, 480 * MINUTE + 1, 30):
        made, rejected = TOTAL * second // (480 * MINUTE), REJECTED * second // (480 * MINUTE)
        found += facts(good.take("value", taken(second, (7000 + made - rejected) % 10_000)))
        found += facts(bad.take("value", taken(second, (65_500 + rejected) % 65_536)))
    for counter in (good, bad):
        found += facts(counter.tick(us(481 * MINUTE + 300)))

    stops = [fact for fact in found if isinstance(fact, Downtime) and fact.end_time is not None]
    down_s = sum((fact.end_time - fact.start_time).total_seconds() for fact in stops if fact.end_time)
    counts = [fact for fact in found if isinstance(fact, CountAggregate)]
    of = {rule: int(sum(fact.quantity.value for fact in counts if fact.rule == rule)) for rule in ("g", "b")}

    assert down_s == (20 + 15 + 12) * MINUTE
    assert len(stops) == 3
    assert of == {"g": TOTAL - REJECTED, "b": REJECTED}
    planned_s = 480 * MINUTE - 60 * MINUTE
    availability = (planned_s - down_s) / planned_s
    performance = 1.0 * (of["g"] + of["b"]) / (planned_s - down_s)
    quality = of["g"] / (of["g"] + of["b"])
    assert (availability, performance, quality, availability * performance * quality) == pytest.approx(
        (0.8881, 0.8611, 0.9780, 0.7479), abs=0.00005
    )
