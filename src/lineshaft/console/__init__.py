"""The web control tower: server-rendered screens that stay live, and act only through governed calls."""

from lineshaft.console.assets import Assets
from lineshaft.console.changes import SYSTEMS, VALUES, Changes
from lineshaft.console.environment import environment
from lineshaft.console.headline import Headline
from lineshaft.console.login import LoginPages
from lineshaft.console.page import Page, Visit
from lineshaft.console.pulse import Pulse
from lineshaft.console.routes import Screen, console_pages
from lineshaft.console.shell import Shell
from lineshaft.console.views import LiveValue, PlantView, SystemView

__all__ = [
    "SYSTEMS",
    "VALUES",
    "Assets",
    "Changes",
    "Headline",
    "LiveValue",
    "LoginPages",
    "Page",
    "PlantView",
    "Pulse",
    "Screen",
    "Shell",
    "SystemView",
    "Visit",
    "console_pages",
    "environment",
]
