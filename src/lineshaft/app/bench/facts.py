"""What both benches send: notices of constrained capacity to a planning system."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lineshaft.model.production import CapacitySignal

__all__ = ["ENTERPRISE", "PLANT", "SOURCE", "notice"]

ENTERPRISE, PLANT = "bench", "bench"
SOURCE = f"/{ENTERPRISE}/{PLANT}/lineshaft"
_START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def notice(number: int, step: int = 0) -> CapacitySignal:
    return CapacitySignal(
        reference=f"bench-{number:08}-{step}",
        work_center_id="filling-2",
        equipment_id="filler-2a",
        reason="seal pressure above its limit for ten minutes",
        start_time=_START,
        end_time=_START + timedelta(hours=8),
        operations_request_id="ORD-2026-004711",
    )
