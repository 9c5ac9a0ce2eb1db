"""No other web site makes a browser change something here in the name of who is logged in."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from lineshaft.gateway.problems import Refusal

__all__ = ["check_origin"]


def check_origin(headers: Mapping[str, str], scheme: str) -> None:
    """For a request that changes something and proves its caller by a cookie, or by being local.

    What is no browser sends neither header, and no cookie that somebody else had it send.

    raises  Refusal, 403
    """
    site = headers.get("sec-fetch-site", "")
    origin = headers.get("origin", "")
    if site in ("same-origin", "none"):
        return
    if not site and (not origin or origin == f"{scheme}://{headers.get('host', '')}"):
        return
    raise Refusal(
        HTTPStatus.FORBIDDEN,
        f"a page of {origin or 'another site'} asks in the name of who is logged in here",
        code="cross_site",
        hint="ask from this site, or with a key of your own",
    )
