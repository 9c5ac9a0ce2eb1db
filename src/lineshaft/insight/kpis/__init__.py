"""Key figures: what is measured, from which events and rows, and over which period."""

from lineshaft.insight.kpis.board import KpiReads, Targets
from lineshaft.insight.kpis.catalogue import KPIS
from lineshaft.insight.kpis.periods import PERIODS
from lineshaft.insight.kpis.question import WorkingTime
from lineshaft.insight.kpis.told_hours import ToldHours

__all__ = ["KPIS", "PERIODS", "KpiReads", "Targets", "ToldHours", "WorkingTime"]
