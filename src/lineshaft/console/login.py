"""The pages at which people log in and out, and those that say why another is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.responses import HTMLResponse, Response

from lineshaft.console.assets import Assets
from lineshaft.console.environment import environment
from lineshaft.console.page_headers import FORM_HEADERS, PAGE_HEADERS
from lineshaft.console.views import PlantView

__all__ = ["LoginPages"]


_REFUSED = {
    HTTPStatus.FORBIDDEN: "You may not see this page",
    HTTPStatus.NOT_FOUND: "There is no such page",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "This page cannot be shown now",
    HTTPStatus.GATEWAY_TIMEOUT: "This page took too long",
}


class LoginPages:
    """Implements gateway.identity.LoginPages and gateway.refusing.RefusalPage."""

    def __init__(self, plant: PlantView) -> None:
        templates = environment({"plant": plant, "asset": Assets().url})
        self._login = templates.get_template("login.html")
        self._logout = templates.get_template("logout.html")
        self._refused = templates.get_template("refused.html")

    def login(self, *, next: str, fault: str, issuers: Sequence[tuple[str, str]], status: int) -> Response:
        body = self._login.render(root="", next=next, fault=fault, issuers=issuers)
        return HTMLResponse(body, status, headers=FORM_HEADERS)

    def logout(self, *, name: str, csrf_token: str) -> Response:
        return HTMLResponse(
            self._logout.render(root="", name=name, csrf_token=csrf_token), headers=FORM_HEADERS
        )

    def refused(self, *, path: str, status: int, detail: str, request_id: str) -> Response:
        """path: of the request; a page may be asked for below others that are none"""
        if status == HTTPStatus.NOT_FOUND:
            detail = f"nothing stands at {path[:200]}: the link may be old, or mistyped."
        body = self._refused.render(
            root="../" * (path.count("/") - 1),
            title=_REFUSED.get(HTTPStatus(status), "Something went wrong here"),
            detail=detail[:1].upper() + detail[1:],
            request_id=request_id,
            may_be_another=status == HTTPStatus.FORBIDDEN,
        )
        return HTMLResponse(body, status, headers=PAGE_HEADERS)
