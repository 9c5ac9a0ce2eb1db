"""A bottling line at work: its tags and rules, what they say now, and what its events told today."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import yaml
from sqlalchemy import insert

from lineshaft.app.live_channel import LivePoint
from lineshaft.app.live_values import LiveValues
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.values import Event, Quality
from lineshaft.ledger import EventLog
from lineshaft.ledger.projections import Projections
from lineshaft.ledger.projections.folding import Row, row_doc
from lineshaft.store import Store
from lineshaft.store.schema import asset_status
from lineshaft.telemetry import parse_tags, read_rules
from tests.console.factory import PLANT
from tests.ledger.projections.plant_events import AT, told

__all__ = ["BOTH", "hears", "live_line", "many_plants", "working_day"]

BOTH = {"equipment_id": "BL2-FILL", "physical_asset_id": "FILLER-07"}
_TAGS = """\
tag,topic,metric,property,equipment_id,physical_asset_id,unit,target_unit,asset_class
BL2.FILL.SEAL_P,nordquell/hamburg/filling/bl2/bl2-fill/seal,,seal_pressure,BL2-FILL,FILLER-07,BAR,,filler
BL2.FILL.TEMP,nordquell/hamburg/filling/bl2/bl2-fill/temp,,outlet_temperature,BL2-FILL,FILLER-07,CEL,,filler
BL2.FILL.STATE,nordquell/hamburg/filling/bl2/bl2-fill/state,,state,BL2-FILL,FILLER-07,C62,,filler
BL2.CAP.TORQUE,nordquell/hamburg/filling/bl2/bl2-cap/torque,,torque,BL2-CAP,CAPPER-02,C62,,capper
BL2.LAB.VIB,nordquell/hamburg/filling/bl2/bl2-lab/vib,,vibration,BL2-LAB,LABELLER-01,C16,,labeller
BL3.PACK.SPEED,nordquell/hamburg/packing/bl3-pack/speed,,speed,BL3-PACK,PACKER-03,RPM,,packer
"""
_RULES = """\
rules:
  - {id: seal-pressure-low, version: 3, property: seal_pressure, applies_to: {asset_class: filler},
     kind: low, limit: 1.8, unit: BAR, hysteresis: 0.2, debounce_s: 30, severity: 700}
  - {id: filler-silent, version: 1, property: seal_pressure, applies_to: {asset_class: filler},
     kind: missing, after_s: 120, severity: 500}
  - {id: filler-heats-up, version: 1, property: outlet_temperature, applies_to: {asset_class: filler},
     kind: rise, limit: 0.5, unit: CEL, over_s: 30, severity: 400}
  - {id: filler-states, version: 2, property: state, applies_to: {asset_class: filler},
     kind: state, packml: true}
"""


def live_line(now: datetime, *, seal_bar: float = 1.62) -> LiveValues:
    """Half an hour of values up to now; the seal pressure of the filler has come to `seal_bar`."""
    tags = parse_tags(_TAGS, file="tags.csv")
    line = LiveValues(tags, read_rules(yaml.safe_load(_RULES), tags, file="rules.yaml"))
    for second in range(-1800, 1, 5):
        at = round((now + timedelta(seconds=second)).timestamp() * 1e6)
        seal = seal_bar + (2.3 - seal_bar) * max(0, -second - 300) / 1500 + 0.03 * math.sin(second / 40)
        line.take(
            [
                LivePoint("BL2.FILL.SEAL_P", at, seal_bar if second == 0 else seal, Quality.GOOD),
                LivePoint("BL2.FILL.TEMP", at, 71.8 + math.sin(second / 90), Quality.GOOD),
                LivePoint("BL2.CAP.TORQUE", at, 3.1 + 0.2 * math.sin(second / 30), Quality.GOOD),
                LivePoint("BL2.LAB.VIB", at, 2.1, Quality.STALE),
            ]
        )
    return line


async def hears(store: Store, clock: Clock, *events: Event) -> None:
    """As a node does: into the event log, and from there into the projections."""
    await EventLog(store, EVENTS, clock).record(events)
    await Projections(store, EVENTS, clock).apply(events)


def at(now: datetime, hours: float) -> str:
    return rfc3339(now - timedelta(hours=hours))


async def working_day(store: Store, clock: Clock, now: datetime) -> None:
    """The filler ran, stood for a jam of 50 minutes, ran, and is down since a quarter of an hour."""

    def event(kind: str, hours: float, **facts: Any) -> Event:
        at_s = (now - timedelta(hours=hours) - AT).total_seconds()
        return told(kind, at_s, plant=PLANT.name, source="/nordquell/hamburg/telemetry/1", **facts)

    def state(hours: float, number: int, before: int, before_hours: float, **facts: Any) -> Event:
        return event(
            "equipment.state.changed",
            hours,
            **BOTH,
            state=number,
            previous=before,
            start_time=at(now, hours),
            previous_start_time=at(now, before_hours),
            **facts,
        )

    def stop(kind: str, hours: float, begun: float, **facts: Any) -> Event:
        facts = {"upstream": "", "rule": "filler-states"} | facts
        return event(f"equipment.downtime.{kind}", hours, **BOTH, start_time=at(now, begun), **facts)

    await hears(
        store,
        clock,
        event("masterdata.equipment.changed", 900, id="FILLING", equipment_level="Area",
              hierarchy_scope="nordquell/hamburg/filling", parent_equipment_id=None),
        event("masterdata.equipment.changed", 900, id="BL2", equipment_level="ProductionLine",
              hierarchy_scope="nordquell/hamburg/filling/bl2", parent_equipment_id="FILLING"),
        event("masterdata.equipment.changed", 900, id="BL2-FILL", equipment_level="WorkUnit",
              hierarchy_scope="", parent_equipment_id="BL2"),
        event("masterdata.equipment.changed", 900, id="TANKS", equipment_level="StorageZone",
              hierarchy_scope="nordquell/hamburg/tanks", parent_equipment_id=None),
        state(20, 6, 2, 26),
        state(9, 11, 6, 20, reason_code="MECH-JAM"),
        stop("started", 9, 9, reason_code="MECH-JAM", end_time=None),
        stop("ended", 8.2, 9, reason_code="MECH-JAM", end_time=at(now, 8.2)),
        state(8.2, 6, 11, 9),
        stop("ended", 50, 51, reason_code="MAT-EMPTY", end_time=at(now, 50), upstream="BL2-CAP"),
        state(0.25, 9, 6, 8.2, reason_code="SEAL"),
        stop("started", 0.25, 0.25, reason_code="SEAL", end_time=None),
        event("equipment.alarm.raised", 0.25, **BOTH, alarm_id="A-711", message="Seal pressure low",
              severity=700, raised_time=at(now, 0.25), cleared_time=None),
        event("maintenance.request.created", 0.2, **BOTH, id="MR-6001", state="new",
              description="Seal of the filler leaks", maintenance_order_id=None,
              malfunction_start=at(now, 0.25)),
    )  # fmt: skip


async def many_plants(store: Store, plants: int, machines: int) -> None:
    """Rows as the projections keep them, of `plant-000` and so on. In each seventh a machine is down, one has
    an alarm, and one stands."""
    conditions = ["down", "alarm", "standing", *["running"] * (machines - 3)]
    rows = [
        {
            "id": f"M-{plant:03}-{number:03}",
            "plant": f"plant-{plant:03}",
            "at": rfc3339(AT + timedelta(minutes=plant)),
            "condition": condition if plant % 7 == 0 else "running",
            "equipment_id": "",
            "doc": row_doc(Row(at=rfc3339(AT + timedelta(minutes=plant)))),
        }
        for plant in range(plants)
        for number, condition in enumerate(conditions)
    ]
    await store.write(lambda connection: connection.execute(insert(asset_status), rows) and None)
