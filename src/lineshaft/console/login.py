"""The pages at which people log in and out."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import HTMLResponse, Response

from lineshaft.console.assets import Assets
from lineshaft.console.environment import environment
from lineshaft.console.page_headers import FORM_HEADERS
from lineshaft.console.views import PlantView

__all__ = ["LoginPages"]


class LoginPages:
    """Implements gateway.identity.LoginPages."""

    def __init__(self, plant: PlantView) -> None:
        templates = environment({"plant": plant, "asset": Assets().url})
        self._login = templates.get_template("login.html")
        self._logout = templates.get_template("logout.html")

    def login(self, *, next: str, fault: str, issuers: Sequence[tuple[str, str]], status: int) -> Response:
        body = self._login.render(next=next, fault=fault, issuers=issuers)
        return HTMLResponse(body, status, headers=FORM_HEADERS)

    def logout(self, *, name: str, csrf_token: str) -> Response:
        return HTMLResponse(self._logout.render(name=name, csrf_token=csrf_token), headers=FORM_HEADERS)
