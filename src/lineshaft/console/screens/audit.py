"""Who did what, to what, and why; and whether the record of it is as it was written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from lineshaft.console.moments import Moment, duration_text
from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Paging, Shell
from lineshaft.core.asked_times import UnreadableTime, asked_span

__all__ = ["AuditReads", "AuditScreen", "Verification", "Verifications"]

_SHOWN, _MOST_CSV = 50, 10_000
_FILTERS = ("actor", "action", "subject", "from", "to")
_SUBJECTS = {
    "process": "process?id=",
    "exception": "exception?id=",
    "call": "trace?key=",
    "contract": "catalogue?q=",
    "system": "system?name=",
}
_CALLED = {"operation", "system"}
_CSV = ("at", "actor", "action", "subject", "reason", "detail", "chain", "row", "hash")
Plants = Collection[str] | None


class AuditReads(Protocol):
    async def page(
        self, asked: Mapping[str, str], after: str, plants: Plants, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str]:
        """Rows, newest first, and what `after` is for the next page; empty: there is none.

        asked   actor, action (also `exception.*`), subject, since and until (RFC 3339, UTC)
        plants  whose rows; None: those of every plant
        """
        ...

    async def known(self) -> tuple[Sequence[str], Sequence[str]]:
        """Actors and actions that occur, the first few hundred."""
        ...


class Verification(Protocol):
    """The last one: heads as `chain:seq:hash`; found: how many findings there are, of which some are told."""

    @property
    def rows(self) -> int: ...
    @property
    def heads(self) -> Sequence[str]: ...
    @property
    def found(self) -> int: ...
    @property
    def findings(self) -> Sequence[str]: ...
    @property
    def took_s(self) -> float: ...
    @property
    def at(self) -> str: ...
    @property
    def by(self) -> str: ...


class Verifications(Protocol):
    @property
    def runs(self) -> bool:
        """One is under way."""
        ...

    async def last(self) -> Verification | None: ...


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """id     of its place in the page
    about  what a call asks of which system
    href   of its subject, empty for none
    place  its chain and number
    diff   texts before and after
    """

    id: str
    at: Moment | None
    actor: str
    action: str
    subject: str
    about: str
    href: str
    reason: str
    place: str
    hash: str
    detail: Sequence[tuple[str, str]]
    diff: tuple[str, str] | None


class AuditScreen:
    """verifications: None where nobody can ask for one."""

    def __init__(self, shell: Shell, reads: AuditReads, verifications: Verifications | None) -> None:
        self._shell = shell
        self._reads = reads
        self._verifications = verifications

    def pages(self) -> Iterable[Page]:
        return [
            Page(
                path="/audit",
                name="console-audit",
                show=self._show,
                permission="read:audit",
                payloads=True,
            )
        ]

    async def _show(self, visit: Visit) -> Response:
        filters = {name: visit.asked(name) for name in _FILTERS}
        is_file = visit.asked("format") == "csv"
        limit, after = (_MOST_CSV, "") if is_file else (_SHOWN, visit.asked("after", 400))
        found: Sequence[Mapping[str, Any]] = ()
        following, fault = "", ""
        try:
            found, following = await self._reads.page(self._asked(filters), after, visit.plants, limit)
        except UnreadableTime as error:
            fault = str(error)
        if is_file and not fault:
            return await self._shell.csv("audit", _CSV, (_cells(row, visit) for row in found))
        actors, actions = await self._reads.known()
        return await self._shell.page(
            visit,
            "audit.html",
            here="audit",
            status=HTTPStatus.BAD_REQUEST if fault else HTTPStatus.OK,
            fault=fault,
            filters=filters,
            actors=actors,
            actions=[*sorted({f"{action.partition('.')[0]}.*" for action in actions}), *actions],
            rows=[self._row(row, visit) for row in found],
            page=Paging(
                next=self._shell.address("audit", filters, after=following) if following else "",
                first=self._shell.address("audit", filters) if after else "",
                csv=self._shell.address("audit", filters, format="csv"),
            ),
            is_filtered=any(filters.values()),
            **await self._verified(visit),
        )

    def _asked(self, filters: Mapping[str, str]) -> dict[str, str]:
        span = asked_span(filters["from"], filters["to"], self._shell.time.zone, ("from", "to"))
        return {name: filters[name] for name in ("actor", "action", "subject")} | span

    async def _verified(self, visit: Visit) -> dict[str, Any]:
        last = await self._verifications.last() if self._verifications else None
        return {
            "verifies": self._verifications is not None and self._shell.may(visit, "decide:audit"),
            "runs": self._verifications is not None and self._verifications.runs,
            "verification": last,
            "took": duration_text(last.took_s) if last else "",
            "verified": self._shell.time.moment(last.at, self._shell.now) if last else None,
            "heads": [head.rsplit(":", 2) for head in last.heads] if last else [],
        }

    def _row(self, row: Mapping[str, Any], visit: Visit) -> Row:
        detail = _seen(row, visit)
        before, after = (_text(detail.get(name)) for name in ("before", "after"))
        screen = _SUBJECTS.get(row["action"].partition(".")[0], "")
        subject = (
            row["subject"].partition(" ")[0] if row["action"].startswith("contract.") else row["subject"]
        )
        return Row(
            id=f"a-{row['entry_id']}",
            at=self._shell.time.moment(row["at"], self._shell.now),
            actor=row["actor"],
            action=row["action"],
            subject=row["subject"],
            about=f"{detail['operation']} → {detail['system']}" if detail.keys() >= _CALLED else "",
            href=f"{screen}{quote(subject, safe='')}" if screen else "",
            reason=row["reason"],
            place=f"{row['chain']}:{row['seq']}",
            hash=row["hash"],
            detail=[
                (name, _text(value))
                for name, value in detail.items()
                if value not in ("", None) and not (after and name in ("before", "after"))
            ],
            diff=(before, after) if after else None,
        )


def _cells(row: Mapping[str, Any], visit: Visit) -> list[Any]:
    detail = msgspec.json.encode(_seen(row, visit)).decode()
    told = (row[name] for name in ("at", "actor", "action", "subject", "reason"))
    return [*told, detail, row["chain"], row["seq"], row["hash"]]


def _seen(row: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    """The detail as the account may see it; payloads in it are kept as the text of their JSON."""
    told = {name: _said(value) for name, value in row["detail"].items()}
    seen = {name: visit.shown(each) if isinstance(each, dict | list) else each for name, each in told.items()}
    found: dict[str, Any] = visit.shown(seen)
    return found


def _said(value: Any) -> Any:
    """A text as it is, or the JSON that it holds."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value


def _text(value: Any) -> str:
    """As it is read: a text as it is, all else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
