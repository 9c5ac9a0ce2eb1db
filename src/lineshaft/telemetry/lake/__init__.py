"""Readings and what they come to, kept as Delta tables that DuckDB, Spark and others can read.

This package needs pyarrow, deltalake and duckdb; they are imported where a lake is opened, never before.
"""

from __future__ import annotations

from lineshaft.core.lake_policy import LakePolicy
from lineshaft.telemetry.lake.policy import check_classes, needs_lake_extra

__all__ = ["LakePolicy", "check_classes", "needs_lake_extra"]
