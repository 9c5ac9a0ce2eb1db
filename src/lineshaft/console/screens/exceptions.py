"""What people have to look at: grouped by desk and cause, or row by row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

from msgspec.structs import replace
from starlette.responses import Response

from lineshaft.console.exception_views import Desk, Group, Place, row_view
from lineshaft.console.exception_words import KINDS, kind_words, state_words
from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Paging, Shell
from lineshaft.console.tones import Tone, tone_of
from lineshaft.core.asked_times import asked_span
from lineshaft.core.errors import ContractViolation, LineshaftError
from lineshaft.core.exceptions import (
    NOBODY,
    CauseGroup,
    Chosen,
    ExceptionChoices,
    ExceptionPage,
    ExceptionState,
)
from lineshaft.core.ids import fingerprint

__all__ = ["ExceptionReads", "ExceptionsScreen"]

_ME = "me"
_ROWS, _ROWS_OF_GROUP, _MOST_EXPORTED = 50, 20, 10_000
_GROUPS_OF_DESK, _GROUPS_OF_ONE_DESK = 15, 200
_FEW = 20
"""So many are shown without being asked for."""

_CHOICES_FOR_S = 5.0
_FILTERS = ("owner", "plant", "kind", "source", "assignee", "cause", "pattern", "since", "until")
_STATES = (*ExceptionState, "all")
_GROUPED = frozenset({ExceptionState.OPEN, ExceptionState.REDRIVEN})
_GROUPED_BY = {name: name for name in ("owner", "plant", "assignee", "cause", "pattern", "source")}
_COLUMNS = (
    *("exception_id", "state", "kind", "plant", "owner", "assignee", "source", "cause", "count"),
    *("first_at", "last_at", "closed_at", "correlation_id", "ref", "redrives"),
)


class ExceptionReads(Protocol):
    async def page(self, chosen: Chosen, *, after: str = "", limit: int = 50) -> ExceptionPage: ...

    async def listing(self, chosen: Chosen, limit: int) -> list[dict[str, Any]]:
        """The newest, however far back they are."""
        ...

    async def count(self, chosen: Chosen) -> int: ...

    async def groups(self, chosen: Chosen) -> list[CauseGroup]:
        """The largest first."""
        ...

    async def choices(self, plants: Collection[str] | None) -> ExceptionChoices: ...


class ExceptionsScreen:
    """people: account → title of those who can be given something; None: anybody, by name."""

    def __init__(
        self, shell: Shell, reads: ExceptionReads, people: Callable[[], Mapping[str, str]] | None
    ) -> None:
        self._shell = shell
        self._reads = reads
        self._people = people
        self._choices: dict[Collection[str] | None, tuple[float, ExceptionChoices]] = {}

    def pages(self) -> Iterable[Page]:
        return [
            Page(
                path="/exceptions",
                name="console-exceptions",
                show=self._show,
                permission="read:exceptions",
                same=("list_exceptions",),
            )
        ]

    async def _show(self, visit: Visit) -> Response:
        asked = {name: visit.asked(name) for name in _FILTERS}
        state = visit.asked("state") if visit.asked("state") in _STATES else str(ExceptionState.OPEN)
        asked["state"] = "" if state == ExceptionState.OPEN else state
        asked["view"] = "rows" if visit.asked("view") == "rows" or state not in _GROUPED else ""
        hidden = _hidden(visit)
        if hidden:  # a group would tell what its rows do not
            asked["view"] = "rows"
        chosen, fault, status = Chosen(state="", plants=visit.plants), "", HTTPStatus.OK
        facts: dict[str, Any] = {"desks": [], "rows": [], "paging_of": Paging()}
        facts |= {"total": None, "searched": None}
        counts, choices = dict[str, int](), ExceptionChoices(owners=[], plants=[], assignees=[])
        try:
            chosen = self._chosen(asked, state, visit)
            if visit.asked("format") == "csv":
                return await self._csv(visit, chosen)
            facts |= await (self._listed if asked["view"] else self._grouped)(visit, asked, chosen)
            counts = await self._counts(chosen, facts["total"])
            choices = _shown_choices(await self._choices_of(visit.plants), hidden)
        except ContractViolation as error:
            fault, status = str(error), HTTPStatus.BAD_REQUEST
        except LineshaftError as error:
            fault, status = str(error), HTTPStatus.SERVICE_UNAVAILABLE
        return await self._shell.page(
            visit,
            "exceptions.html",
            here="exceptions",
            status=status,
            asked=asked,
            state_asked=state,
            states=[self._place(str(each), state, asked, counts) for each in _STATES],
            kinds=KINDS,
            choices=choices,
            plants=choices.plants if visit.plants is None else sorted(visit.plants),
            nobody=NOBODY,
            me=visit.caller.account,
            people=self._people() if self._people else None,
            is_filtered=any(asked[name] for name in _FILTERS),
            filters=_of_api(chosen),
            fault=fault,
            views=[
                ("By cause", self._address(asked, view=""), not asked["view"]),
                ("Row by row", self._address(asked, view="rows"), bool(asked["view"])),
            ]
            if state in _GROUPED
            else [],
            **facts,
        )

    def _chosen(self, asked: Mapping[str, str], state: str, visit: Visit) -> Chosen:
        assignee = visit.caller.account if asked["assignee"] == _ME else asked["assignee"]
        filters: dict[str, Any] = {
            name: asked[name] for name in ("owner", "plant", "kind", "source", "cause", "pattern")
        } | asked_span(asked["since"], asked["until"], self._shell.time.zone)
        return Chosen(
            state="" if state == "all" else state,
            assignee=assignee,
            plants=visit.plants,
            **filters,
        )

    async def _csv(self, visit: Visit, chosen: Chosen) -> Response:
        rows = await self._reads.listing(chosen, _MOST_EXPORTED)
        table = ([row[name] for name in _COLUMNS] for row in visit.seen(rows))
        return await self._shell.csv("exceptions", _COLUMNS, table)

    async def _listed(self, visit: Visit, asked: Mapping[str, str], chosen: Chosen) -> dict[str, Any]:
        found = await self._reads.page(chosen, after=visit.asked("after"), limit=_ROWS)
        return {
            "rows": [row_view(row, self._shell) for row in visit.seen(found.rows)],
            "searched": self._shell.time.moment(found.searched, self._shell.now),
            "paging_of": Paging(
                next=self._address(asked, after=found.next) if found.next else "",
                first=self._address(asked) if visit.asked("after") else "",
                csv=self._address(asked, format="csv") if found.rows else "",
            ),
        }

    async def _grouped(self, visit: Visit, asked: Mapping[str, str], chosen: Chosen) -> dict[str, Any]:
        groups = await self._reads.groups(chosen)
        total = sum(group.exceptions for group in groups)
        by_desk: dict[str, list[CauseGroup]] = {}
        for group in groups:
            by_desk.setdefault(group.owner, []).append(group)
        shown = {
            owner: some[: _GROUPS_OF_ONE_DESK if asked["owner"] else _GROUPS_OF_DESK]
            for owner, some in by_desk.items()
        }
        opened = frozenset(visit.asked("open").split(",")) - {""}
        if not opened and total <= _FEW:
            opened = frozenset(_key(group) for group in groups)
        wanted = [group for some in shown.values() for group in some if _key(group) in opened]
        pages = await asyncio.gather(
            *(self._reads.page(_only(chosen, group), limit=_ROWS_OF_GROUP) for group in wanted)
        )
        rows = {_key(group): visit.seen(page.rows) for group, page in zip(wanted, pages, strict=True)}
        desks = [
            Desk(
                name=owner,
                exceptions=sum(group.exceptions for group in some),
                groups=[self._group(group, asked, chosen, opened, rows) for group in shown[owner]],
                more=len(some) - len(shown[owner]),
                address=self._address(asked, owner=owner or NOBODY),
            )
            for owner, some in by_desk.items()
        ]
        desks.sort(key=lambda desk: (-desk.exceptions, desk.name))
        csv = self._address(asked, format="csv") if groups else ""
        return {"desks": desks, "total": total, "paging_of": Paging(csv=csv, count=total)}

    def _group(
        self,
        group: CauseGroup,
        asked: Mapping[str, str],
        chosen: Chosen,
        opened: Collection[str],
        rows: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> Group:
        key, now = _key(group), self._shell.now
        others = sorted(({*opened} - {NOBODY}) ^ {key}) or [NOBODY]
        alone = {"owner": group.owner or NOBODY, "pattern": group.pattern or NOBODY}
        nobodys = group.exceptions - sum(group.assignees.values())
        return Group(
            key=key,
            title=group.cause if group.exceptions == 1 else group.pattern or "without a cause",
            example=group.cause if group.exceptions > 1 and group.cause != group.pattern else "",
            source=group.source if group.exceptions == 1 else "",
            kinds=", ".join(kind_words(kind) for kind in group.kinds),
            exceptions=group.exceptions,
            seen=group.seen,
            first=self._shell.time.moment(group.first_at, now),
            last=self._shell.time.moment(group.last_at, now),
            assignees=[*sorted(group.assignees.items()), *([("", nobodys)] if nobodys else [])],
            filters=_of_api(_only(chosen, group)),
            is_open=key in rows,
            toggle=f"{self._address(asked, open=','.join(others))}#g-{key}",
            all_rows=self._address(asked, view="rows", **alone),
            rows=[row_view(row, self._shell) for row in rows.get(key, ())],
        )

    async def _counts(self, chosen: Chosen, total: int | None) -> dict[str, int]:
        """Of the states of which people wait for something; the others grow for a year."""
        known = {chosen.state: total} if total is not None else {}
        asked = [state for state in _GROUPED if state not in known]
        counted = await asyncio.gather(
            *(self._reads.count(replace(chosen, state=str(state))) for state in asked)
        )
        return {**known, **dict(zip(asked, counted, strict=True))}

    async def _choices_of(self, plants: Collection[str] | None) -> ExceptionChoices:
        now = self._shell.clock.monotonic()
        read_at, found = self._choices.get(plants, (float("-inf"), None))
        if found is None or now - read_at > _CHOICES_FOR_S:
            found = await self._reads.choices(plants)
            recent = {key: kept for key, kept in self._choices.items() if now - kept[0] <= _CHOICES_FOR_S}
            self._choices = recent | {plants: (now, found)}
        return found

    def _place(self, state: str, here: str, asked: Mapping[str, str], counts: Mapping[str, int]) -> Place:
        count = counts.get(state)
        return Place(
            said=state_words(state),
            tone=Tone.PLAIN if count == 0 else tone_of(state),
            count=count,
            address=self._address(asked, state=state, view=""),
            is_here=state == here,
        )

    def _address(self, asked: Mapping[str, str], **changed: str) -> str:
        if changed.get("state") == ExceptionState.OPEN:
            changed["state"] = ""
        return self._shell.address("exceptions", asked, **changed)


def _key(group: CauseGroup) -> str:
    return fingerprint(f"{group.owner}\n{group.pattern}".encode())[:10]


def _hidden(visit: Visit) -> set[str]:
    """Of what exceptions are grouped by and chosen from."""
    return {name for name, text in visit.seen(_GROUPED_BY).items() if text != name}


def _shown_choices(found: ExceptionChoices, hidden: set[str]) -> ExceptionChoices:
    changes: dict[str, list[str]] = {f"{name}s": [] for name in hidden & {"owner", "plant", "assignee"}}
    return replace(found, **changes)


def _only(chosen: Chosen, group: CauseGroup) -> Chosen:
    return replace(chosen, owner=group.owner or NOBODY, pattern=group.pattern or NOBODY)


def _of_api(chosen: Chosen) -> dict[str, str]:
    """What `all` of the API's decisions takes beside it."""
    return {name: getattr(chosen, name) for name in _FILTERS if getattr(chosen, name)}
