"""One process: its steps, what it waits for, what people did, and what can be done now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec
from starlette.responses import RedirectResponse, Response

from lineshaft.console.page import Page, Visit
from lineshaft.console.page_headers import PAGE_HEADERS
from lineshaft.console.process_view import pretty, process_view
from lineshaft.console.shell import Shell
from lineshaft.console.tones import tone_of
from lineshaft.core.access import LOCAL
from lineshaft.core.errors import LineshaftError

__all__ = ["ProcessReads", "ProcessScreen"]

Row = Mapping[str, Any]


class ProcessReads(Protocol):
    """As app.console_processes has it."""

    async def show(self, ref: str, plants: frozenset[str] | None) -> dict[str, Any]:
        """Everything about one of these plants, with `next`: what can be done.

        raises  no_such_process, ambiguous_process
        """
        ...

    def suggested(self, shown: dict[str, Any], action: str, step: str) -> Any:
        """What the value of an action on a step may look like; None where nothing can be said."""
        ...


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be done now.

    url        of the API, relative
    value      JSON to begin with; empty: none is needed
    forbidden  why this caller cannot; empty: it can
    """

    action: str
    url: str
    effect: str
    step: str
    role: str
    value: str
    needs_value: bool
    now: bool
    version: int
    forbidden: str


class ProcessScreen:
    def __init__(self, shell: Shell, processes: ProcessReads) -> None:
        self._shell = shell
        self._processes = processes

    def pages(self) -> Iterable[Page]:
        return [
            Page(
                path="/process",
                name="console-process",
                show=self._show,
                permission="read:processes",
                same=("show_process",),
                payloads=True,
            )
        ]

    async def _show(self, visit: Visit) -> Response:
        ref = visit.asked("id", 300)
        try:
            shown = await self._processes.show(ref, visit.plants)
        except LineshaftError as error:
            if error.code == "ambiguous_process":
                return RedirectResponse(
                    f"processes?{urlencode({'key': ref})}", HTTPStatus.SEE_OTHER, headers=PAGE_HEADERS
                )
            if error.code == "no_such_process":
                return await self._missing(visit, ref)
            raise
        view = process_view(visit.seen(shown), self._shell.time, self._shell.now, visit.shown)
        return await self._shell.page(
            visit,
            "process.html",
            here="processes",
            view=view,
            choices=self._choices(shown, visit) if self._shell.may(visit, "decide:processes") else [],
            tone_of=tone_of,
            firsts=[step for step in shown["steps"] if step["step"].isdigit()],
        )

    async def _missing(self, visit: Visit, ref: str) -> Response:
        hint = "Processes are found by their id or business key, and by how one of both begins."
        return await self._shell.missing(
            visit, here="processes", what=f"There is no process “{ref}”", hint=hint
        )

    def _choices(self, shown: dict[str, Any], visit: Visit) -> list[Choice]:
        possible = [each for each in shown["next"] if each["action"] != "show"]
        return [self._choice(each, shown, visit) for each in possible]

    def _choice(self, each: Row, shown: dict[str, Any], visit: Visit) -> Choice:
        action, value, forbidden = str(each["action"]), "", ""
        if each["value"]:
            begins_with = self._processes.suggested(shown, action, each["step"])
            if begins_with is not None:
                is_whole = visit.shown(begins_with) == begins_with
                value = pretty(begins_with) if is_whole else "{}"
                if action == "correct" and not is_whole:
                    forbidden = "Not all of its fields are shown to you, and a correction sends all of them."
        if each["role"] and visit.caller != LOCAL and each["role"] not in visit.caller.roles:
            forbidden = f"It asks the {each['role']}: you have not this role."
        ref = quote(shown["process_id"], safe="")
        url = f"api/processes/{ref}/{action}" if action != "migrate" else "api/processes/migrate"
        return Choice(
            action=action,
            url=url,
            effect=each["effect"],
            step=each["step"],
            role=each["role"],
            value="" if forbidden else value,
            needs_value=each["value"],
            now="--now" in each["command"],
            version=each["version"],
            forbidden=forbidden,
        )
