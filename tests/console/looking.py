"""Looking at screens without a server: their pages, asked as somebody who sees some plants."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import Response

from lineshaft.console import Page, Visit
from lineshaft.core.access import ALL, Caller

__all__ = ["Look"]


class Look:
    """plants, permissions: of who looks, unless said otherwise"""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = {page.path: page for page in pages}

    async def at(
        self, address: str, plants: Iterable[str] = (ALL,), permissions: Iterable[str] = ("*:*",)
    ) -> Response:
        parts = urlsplit(address)
        caller = Caller(name="user:jo", plants=frozenset(plants), permissions=frozenset(permissions))
        visit = Visit(caller=caller, query=dict(parse_qsl(parts.query)))
        return await self._pages[parts.path].show(visit)

    async def html(self, address: str, **who: Iterable[str]) -> str:
        return bytes((await self.at(address, **who)).body).decode()

    async def text(self, address: str, **who: Iterable[str]) -> str:
        """What a person reads in the main part: without tags, white space as one blank."""
        page = (await self.html(address, **who)).partition("<main")[2].partition(">")[2]
        plain = re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).replace("\u00a0", " ")
        return re.sub(r"\s+", " ", html.unescape(plain)).replace(" ,", ",").strip()

    async def rows(self, address: str, **who: Iterable[str]) -> list[dict[str, str]]:
        """Of a table as CSV."""
        return [*csv.DictReader(io.StringIO(await self.html(address, **who)))]
