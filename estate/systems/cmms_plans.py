"""Work that the CMMS has planned ahead: when it is to be done, and on which asset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from estate.systems.cmms_orders import error
from estate.systems.database import Database, Row
from lineshaft.core.clock import rfc3339

__all__ = ["SCHEMA", "PlanBook"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS plans (plan_no TEXT PRIMARY KEY, asset_no TEXT, title TEXT, begin_at TEXT,
    end_at TEXT, cancelled INTEGER);
"""


class PlanBook:
    """Times come with an offset and are kept in UTC, so that they compare as text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, asset_no: str, title: str, begin: str, end: str) -> dict[str, Any]:
        with self._database.transaction():
            row = {
                "plan_no": self._database.number("PM", 7001),
                "asset_no": asset_no,
                "title": title,
                "begin_at": _utc(begin),
                "end_at": _utc(end),
                "cancelled": 0,
            }
            self._database.insert("plans", row)
        return _plan(row)

    def cancel(self, plan_no: str) -> None:
        with self._database.transaction():
            if not self._database.execute("UPDATE plans SET cancelled = 1 WHERE plan_no = ?", plan_no):
                raise error(404, "ORDER_UNKNOWN", f"{plan_no} does not exist")

    def between(self, asset_no: str, begin: str, end: str) -> list[dict[str, Any]]:
        found = self._database.rows(
            "SELECT * FROM plans WHERE asset_no = ? AND cancelled = 0 AND begin_at < ? AND end_at > ?"
            " ORDER BY begin_at",
            asset_no,
            _utc(end),
            _utc(begin),
        )
        return [_plan(row) for row in found]


def _plan(row: Row) -> dict[str, Any]:
    return {
        "planNo": row["plan_no"],
        "assetNo": row["asset_no"],
        "title": row["title"],
        "begin": row["begin_at"],
        "end": row["end_at"],
    }


def _utc(text: str) -> str:
    try:
        return rfc3339(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError as failure:
        raise error(422, "BODY_INVALID", f"{text!r} is no time") from failure
