"""Which processes there are: chosen by what is asked, a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.moments import Moment, duration_text, in_seconds, seconds_between
from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Paging, Shell
from lineshaft.console.step_words import Awaited, awaited
from lineshaft.console.tones import Tone, tone_of
from lineshaft.core.errors import ContractViolation, LineshaftError

__all__ = ["ProcessList", "ProcessesScreen"]

Row = Mapping[str, Any]
Plants = frozenset[str] | None

_ROWS, _MOST_EXPORTED, _MOST_COUNTED = 50, 10_000, 10_000
_FILTERS = ("state", "type", "plant", "owner", "key", "waiting_for", "late", "since", "until")
_STATES = ("running", "waiting", "retrying", "parked", "completed", "aborted", "cancelled", "terminated")
_FINISHED = frozenset(_STATES[4:])
_COLUMNS = (
    *("process_id", "type", "version", "business_key", "state", "plant", "owner", "at_step", "cause"),
    *("started_at", "finished_at", "next_try", "correlation_id"),
)


class ProcessList(Protocol):
    """As app.console_processes has it. filters: those of the page, without empty ones; times as people
    give them."""

    @property
    def late_after_s(self) -> Mapping[str, float]:
        """By type, how long one may run, retry or be parked without getting on."""
        ...

    async def page(
        self, filters: Mapping[str, str], plants: Plants, after: str, limit: int
    ) -> Sequence[Row]: ...

    async def counted(self, filters: Mapping[str, str], plants: Plants) -> Mapping[str, int]: ...

    async def choices(self, plants: Plants) -> Mapping[str, Sequence[str]]:
        """`types`, `plants` and `owners` to choose from, for who sees these plants"""
        ...

    def cursor(self, row: Row) -> str: ...


class ProcessRow(msgspec.Struct, frozen=True, kw_only=True):
    """short_key: the key with its times cut to seconds, to be read, not asked for
    waits: what has to happen for it to go on; said: why it does not, or how it ended
    """

    id: str
    type: str
    version: int
    key: str
    short_key: str
    state: str
    tone: Tone
    plant: str
    owner: str
    step: str
    waits: list[Awaited]
    said: str
    started: Moment | None
    took: str
    next_try: Moment | None
    is_late: bool


class _Figure(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    tone: Tone
    count: int
    more: bool
    address: str
    current: bool


class ProcessesScreen:
    def __init__(self, shell: Shell, processes: ProcessList) -> None:
        self._shell = shell
        self._processes = processes

    def pages(self) -> Iterable[Page]:
        return [
            Page(
                path="/processes",
                name="console-processes",
                show=self._show,
                permission="read:processes",
                same=("list_processes",),
            )
        ]

    async def _show(self, visit: Visit) -> Response:
        asked = {name: visit.asked(name) for name in _FILTERS}
        plants = visit.plants
        if asked["plant"]:
            plants = frozenset({asked["plant"]} if visit.caller.sees(asked["plant"]) else ())
        reads, fault, status = self._processes, "", HTTPStatus.OK
        rows: Sequence[Row] = ()
        counts: Mapping[str, int] = {}
        choices: Mapping[str, Sequence[str]] = {"types": (), "plants": (), "owners": ()}
        try:
            filters = {name: text for name, text in {**asked, "plant": ""}.items() if text}
            if visit.asked("format") == "csv":
                found = await reads.page(filters, plants, "", _MOST_EXPORTED)
                table = ([row[name] for name in _COLUMNS] for row in visit.seen([*found]))
                return await self._shell.csv("processes", _COLUMNS, table)
            rows, counts, choices = await asyncio.gather(
                reads.page(filters, plants, visit.asked("after"), _ROWS + 1),
                reads.counted(filters, plants),
                reads.choices(visit.plants),
            )
        except ContractViolation as error:
            fault, status = str(error), HTTPStatus.BAD_REQUEST
        except LineshaftError as error:
            fault, status = str(error), HTTPStatus.SERVICE_UNAVAILABLE
        return await self._shell.page(
            visit,
            "processes.html",
            here="processes",
            status=status,
            asked=asked,
            fault=fault,
            rows=[self._row(row) for row in visit.seen([*rows[:_ROWS]])],
            figures=self._figures(asked, counts),
            choices=choices,
            plants=choices["plants"],
            states=_STATES,
            has_levels=bool(reads.late_after_s),
            is_filtered=any(asked.values()),
            paging_of=self._paging(asked, rows, visit),
        )

    def _row(self, row: Row) -> ProcessRow:
        now, state = self._shell.now, str(row["state"])
        shown_as = "" if state in ("waiting", "running") else str(row["cause"])
        asked_to = f"asked to {row['wanted']}" if row["wanted"] and state not in _FINISHED else ""
        idle = seconds_between(row["updated_at"] or row["started_at"], now) or 0.0
        most = self._processes.late_after_s.get(row["type"], float("inf"))
        return ProcessRow(
            id=row["process_id"],
            type=str(row["type"]).replace("_", " "),
            version=row["version"],
            key=row["business_key"],
            short_key=in_seconds(row["business_key"]),
            state=state,
            tone=tone_of(state, "process"),
            plant=row["plant"],
            owner=row["owner"],
            step=row["at_step"] if state == "parked" else "",
            waits=[awaited(step) for step in row["waits_for"]] if state in ("waiting", "retrying") else [],
            said="; ".join(filter(None, (asked_to, shown_as))),
            started=self._shell.time.moment(row["started_at"], now),
            took=duration_text(seconds_between(row["started_at"], row["finished_at"])),
            next_try=self._shell.time.moment(row["next_try"], now),
            is_late=state in ("running", "retrying", "parked") and idle > most,
        )

    def _figures(self, asked: Mapping[str, str], counts: Mapping[str, int]) -> list[_Figure]:
        """Each state that occurs, with the address that shows it alone, or all again."""
        address = partial(self._shell.address, "processes", asked)
        return [
            _Figure(
                state=state,
                tone=tone_of(state, "process"),
                count=min(counts.get(state, 0), _MOST_COUNTED),
                more=counts.get(state, 0) > _MOST_COUNTED,
                address=address(state="" if asked["state"] == state else state),
                current=asked["state"] == state,
            )
            for state in _STATES
            if state in counts or asked["state"] == state
        ]

    def _paging(self, asked: Mapping[str, str], rows: Sequence[Row], visit: Visit) -> Paging:
        address = partial(self._shell.address, "processes", asked)
        cursor = self._processes.cursor(rows[_ROWS - 1]) if len(rows) > _ROWS else ""
        return Paging(
            next=address(after=cursor) if cursor else "",
            first=address() if visit.asked("after") else "",
            csv=address(format="csv") if rows else "",
        )
