"""What all screens have around them: head, navigation, who looks, and the same ways to answer."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment
from starlette.responses import HTMLResponse, Response

from lineshaft.console.headline import Headline
from lineshaft.console.moments import PlantTime
from lineshaft.console.page import Visit
from lineshaft.console.page_headers import PAGE_HEADERS
from lineshaft.console.views import PlantView
from lineshaft.core.access import LOCAL
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import TransientFault

__all__ = ["NAVIGATION", "Paging", "Shell"]

_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_FORMULA = frozenset("=+-@\t\r\n")


class _Place(msgspec.Struct, frozen=True):
    """key: with `g` before it, it goes there."""

    here: str
    title: str
    path: str
    key: str
    permission: str = "read:console"


NAVIGATION = (
    _Place("overview", "Overview", "./", "o"),
    _Place("trace", "Trace", "trace", "t", "read:trace"),
    _Place("processes", "Processes", "processes", "p", "read:processes"),
    _Place("exceptions", "Exceptions", "exceptions", "e", "read:exceptions"),
    _Place("plants", "Plants", "plants", "l", "read:assets"),
    _Place("systems", "Systems", "systems", "s"),
    _Place("kpis", "KPIs", "kpis", "k"),
    _Place("catalogue", "Contracts", "catalogue", "c", "read:contracts"),
    _Place("audit", "Audit", "audit", "a", "read:audit"),
)


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Of a table. next, first: addresses within the console; empty: there is none. csv: all rows as a file.

    count: how many rows there are in all, None where nobody counted
    """

    next: str = ""
    first: str = ""
    csv: str = ""
    count: int | None = None


class Shell:
    """templates  of this console, see `panels.environment`"""

    def __init__(
        self,
        templates: Environment,
        plant: PlantView,
        headline: Headline,
        clock: Clock,
        *,
        signed_in: bool = False,
    ) -> None:
        self._templates = templates
        self._headline = headline
        self._signed_in = signed_in
        self.plant = plant
        self.clock = clock
        self.time = PlantTime(plant.time_zone)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def home(self, visit: Visit) -> str:
        """The plant that is meant where none is named."""
        return visit.caller.plant_meant(self.plant.name)

    def may(self, visit: Visit, permission: str) -> bool:
        """A decision is taken at a node of a plant that the caller sees; at others it is not offered."""
        return visit.may(permission) and (
            not permission.startswith("decide:") or visit.caller.sees(self.plant.name)
        )

    async def page(
        self,
        visit: Visit,
        template: str,
        *,
        here: str,
        status: int = HTTPStatus.OK,
        key: str = "",
        **facts: Any,
    ) -> Response:
        """here: of NAVIGATION; key: what stands in the search field; facts: what the template needs"""
        body = self._templates.get_template(template).render(
            here=here,
            navigation=[place for place in NAVIGATION if visit.may(place.permission)],
            visit=visit,
            may=partial(self.may, visit),
            csrf=visit.caller.csrf,
            who="" if visit.caller == LOCAL else visit.caller.account or visit.caller.name,
            signed_in=self._signed_in,
            overall=await self._headline.take(visit),
            now=rfc3339(self.now),
            key=key,
            **facts,
        )
        return HTMLResponse(body, status, headers=PAGE_HEADERS)

    async def missing(self, visit: Visit, *, here: str, what: str, hint: str) -> Response:
        """A page that says that there is no such thing. what: `There is no process “x”`"""
        return await self.page(
            visit, "missing.html", here=here, status=HTTPStatus.NOT_FOUND, what=what, hint=hint
        )

    async def away(self, visit: Visit, fault: TransientFault) -> Response:
        """A page that waits until what it is about can be read again."""
        return await self.page(
            visit, "away.html", here="", status=HTTPStatus.SERVICE_UNAVAILABLE, reason=str(fault)
        )

    async def csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
        """A table as RFC 4180 has it, made in a thread. A cell that a spreadsheet would take for a formula is
        quoted.

        name: of the file; what is no plain letter or digit in it becomes a hyphen
        """
        text = await asyncio.to_thread(_table, header, rows)
        file = _FILE_NAME.sub("-", name)
        headers = PAGE_HEADERS | {"Content-Disposition": f'attachment; filename="{file}.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    @staticmethod
    def address(path: str, query: Mapping[str, str], **changed: str) -> str:
        """`processes?state=parked&after=…`: the query with changes; what is empty is left out."""
        told = {name: value for name, value in {**query, **changed}.items() if value}
        return f"{path}?{urlencode(told)}" if told else path


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    text = "" if value is None else str(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"'{text}" if not is_number and text[:1] in _FORMULA else text
