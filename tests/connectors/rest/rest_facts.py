"""Requests of one small story, and the settings of a connector to a simulated system."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from lineshaft.connectors.rest import RestSettings
from lineshaft.core.ports import CallContext
from lineshaft.core.quantity import Quantity
from lineshaft.model.inventory import Reservation
from lineshaft.model.maintenance import MaintenanceRequest, MaintenanceTrigger
from lineshaft.model.production import CapacitySignal
from tests.waiting import PATIENCE_S

PROJECT = Path(__file__).parents[3]
MAPPINGS = PROJECT / "estate/plants/leipzig/mappings"
SECRET = "a shared secret"
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def settings(name: str, url: str, **more: object) -> RestSettings:
    return RestSettings(
        name=name,
        url=url,
        mapping=str(MAPPINGS / f"{name}.yaml"),
        plant="leipzig",
        source=f"/northspring/leipzig/{name}/main",
        webhook_secret=SECRET,
        **more,
    )


def call(key: str = "key-1", deadline_s: float = PATIENCE_S) -> CallContext:
    return CallContext(
        call_id="call-1",
        operation="",
        idempotency_key=key,
        deadline_s=deadline_s,
        headers={"traceparent": TRACEPARENT},
    )


def pieces(value: str | int) -> Quantity:
    return Quantity(value=Decimal(value), unit="C62")


def maintenance_request(**changes: object) -> MaintenanceRequest:
    return MaintenanceRequest(
        **{
            "physical_asset_id": "FIL-01",
            "equipment_id": "FILLER-01",
            "rule": "filler-pressure-high",
            "episode_start": START,
            "trigger": MaintenanceTrigger.CONDITION,
            "priority": 2,
            "description": "Pressure 4.8 bar, limit 4.5",
            "malfunction_start": START,
            **changes,
        }
    )


def reservation(order: str = "WO-2001", **changes: object) -> Reservation:
    return Reservation(
        **{
            "for_reference": order,
            "line": 1,
            "material_definition_id": "SEAL-KIT-01",
            "site": "leipzig",
            "quantity": pieces(1),
            "required_time": START,
            **changes,
        }
    )


def capacity_signal(**changes: object) -> CapacitySignal:
    return CapacitySignal(
        **{
            "reference": "story-1",
            "work_center_id": "BTL-L1",
            "equipment_id": "FILLER-01",
            "reason": "waiting for parts",
            "start_time": START,
            "operations_request_id": "PO-4711",
            **changes,
        }
    )
