"""Which version is asked for, and what is said of one that is going.

The major is part of the path. A client that needs a minor says so as a parameter of the media type,
`Accept: application/json; version=1.2`: a minor serves all those before it, and one that is newer than what
is served here is answered 406 with what is. A client that says nothing gets what there is.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus

from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import ApiRoute, Retiring

__all__ = ["check_accept", "retiring_headers"]


def check_accept(route: ApiRoute, accept: str) -> str:
    """The version to name in the answer's media type; empty where none was asked for.

    raises  Refusal, 406, where nothing that is accepted can be served
    """
    asked = _asked(accept, route.answer_media)
    served = route.version.removeprefix("v")
    if asked is None:
        raise Refusal(
            HTTPStatus.NOT_ACCEPTABLE,
            f"{route.method} {route.path} is served as {route.answer_media}, not as {accept[:200]!r}",
            code="not_acceptable",
        )
    if asked and not _serves(served, asked):
        raise Refusal(
            HTTPStatus.NOT_ACCEPTABLE,
            f"version {asked} of {route.method} {route.path} is not served here, version {_full(served)} is",
            code="version_not_served",
            hint="ask for that one, or an earlier minor of it",
        )
    return _full(served) if asked else ""


def _full(version: str) -> str:
    return version if "." in version else f"{version}.0"


def _serves(served: str, asked: str) -> bool:
    try:
        (major, minor), (its_major, its_minor) = (
            (int(first), int(second or 0))
            for first, _, second in (version.partition(".") for version in (served, asked))
        )
    except ValueError:
        return False
    return its_major == major and its_minor <= minor


@lru_cache(maxsize=256)
def _asked(accept: str, media: str) -> str | None:
    """The version that is accepted of a media type; empty: any; None: it is not accepted at all."""
    family = media.partition("/")[0]
    versions = []
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind.lower() not in (media, f"{family}/*", "*/*"):
            continue
        given = dict(_pair(parameter) for parameter in parameters)
        if given.get("q", "1").strip() not in ("0", "0.0", "0.00", "0.000"):
            versions.append(given.get("version", ""))
    if not versions:
        return None
    return "" if "" in versions else versions[0]


def _pair(parameter: str) -> tuple[str, str]:
    name, _, value = parameter.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def retiring_headers(retiring: Retiring) -> list[tuple[bytes, bytes]]:
    """Deprecation, a structured date (RFC 9745); Sunset, an HTTP date (RFC 8594); where to go instead."""
    since = datetime.combine(retiring.since, time(), UTC)
    sunset = datetime.combine(retiring.sunset, time(), UTC)
    headers = [
        (b"deprecation", f"@{int(since.timestamp())}".encode()),
        (b"sunset", format_datetime(sunset, usegmt=True).encode()),
    ]
    if retiring.successor:
        headers.append((b"link", f'<{retiring.successor}>; rel="successor-version"'.encode()))
    return headers
