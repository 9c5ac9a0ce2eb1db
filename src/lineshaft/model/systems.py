"""Kinds of systems: what masters an entity, and what tells or hears of an event."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["SystemKind"]


class SystemKind(StrEnum):
    """platform: lineshaft itself, with its telemetry, its processes and their people"""

    ERP = "erp"
    MES = "mes"
    CMMS = "cmms"
    WMS = "wms"
    QMS = "qms"
    APS = "aps"
    TMS = "tms"
    PLM = "plm"
    CRM = "crm"
    SUPPLIER_PORTAL = "supplier_portal"
    IOT = "iot"
    ANALYTICS = "analytics"
    PLATFORM = "platform"
