"""The pages' own style sheets, scripts and icon, and those of others under `vendor`: read once, served with a
version, kept by the browser."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
from starlette.responses import Response

from lineshaft.console.page import Visit

__all__ = ["Assets"]

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class _Asset(msgspec.Struct, frozen=True, kw_only=True):
    body: bytes
    media_type: str
    version: str


class Assets:
    def __init__(self) -> None:
        self._assets = {
            path.name: _read(path) for path in sorted(_FOLDER.rglob("*")) if path.suffix in _TYPES
        }

    def url(self, name: str) -> str:
        """Relative, so that the console can be mounted anywhere; the version makes it safe to keep."""
        return f"static/{name}?v={self._assets[name].version}"

    async def serve(self, visit: Visit) -> Response:
        asset = self._assets.get(visit.path["name"])
        if asset is None:
            return Response("no such file", 404, media_type="text/plain")
        etag = f'"{asset.version}"'
        current = visit.query.get("v") == asset.version
        headers = {
            "ETag": etag,
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'self'",
        }
        if visit.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)


def _read(path: Path) -> _Asset:
    body = path.read_bytes()
    return _Asset(body=body, media_type=_TYPES[path.suffix], version=hashlib.sha256(body).hexdigest()[:12])
