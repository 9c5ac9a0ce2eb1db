"""The web control tower: one server-rendered page that stays live, and the trace of any business key."""

from lineshaft.console.changes import Changes
from lineshaft.console.login import LoginPages
from lineshaft.console.routes import console_routes
from lineshaft.console.views import LiveValue, PlantView, SystemView

__all__ = ["Changes", "LiveValue", "LoginPages", "PlantView", "SystemView", "console_routes"]
