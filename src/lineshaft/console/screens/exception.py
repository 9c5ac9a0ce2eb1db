"""One exception: what went wrong, whose it is, and how it is put right."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from starlette.responses import Response

from lineshaft.console.exception_views import row_view
from lineshaft.console.exception_words import EXPLAINED, kind_words
from lineshaft.console.moments import Moment
from lineshaft.console.page import Page, Visit
from lineshaft.console.payload_lines import payload_lines
from lineshaft.console.shell import Shell
from lineshaft.console.tones import Tone
from lineshaft.core.errors import LineshaftError, TransientFault
from lineshaft.core.exceptions import ExceptionState
from lineshaft.core.values import ExceptionKind

__all__ = ["ExceptionScreen", "ShowsException"]

_CORRECTED_BY_PEOPLE = frozenset({"event", "webhook", "reading", "process"})
_VERDICT_TONES = {"posted": Tone.GOOD, "waiting": Tone.BUSY, "failed again": Tone.BAD}
_DONE = {
    "fixed": "corrected the payload",
    "redriven": "sent it on its way again",
    "assigned": "gave it",
    "discarded": "discarded it",
    "resolved": "it was resolved",
}


class ShowsException(Protocol):
    """As ledger.Workbench.show: everything that is known of one. plants: of who asks; None: all

    raises  PermanentFault, no_such_exception
    """

    def __call__(
        self, exception_id: str, *, plants: Collection[str] | None
    ) -> Awaitable[Mapping[str, Any]]: ...


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit about it."""

    at: Moment | None
    who: str
    what: str
    reason: str


class ExceptionScreen:
    """people: as in ExceptionsScreen"""

    def __init__(
        self, shell: Shell, show: ShowsException, people: Callable[[], Mapping[str, str]] | None
    ) -> None:
        self._shell = shell
        self._one = show
        self._people = people

    def pages(self) -> Iterable[Page]:
        return [
            Page(
                path="/exception",
                name="console-exception",
                show=self._show,
                permission="read:exceptions",
                same=("show_exception",),
                payloads=True,
            )
        ]

    async def _show(self, visit: Visit) -> Response:
        asked = visit.asked("id")
        try:
            found = await self._one(asked, plants=visit.plants)
        except TransientFault as fault:
            return await self._shell.page(
                visit,
                "missing.html",
                here="exceptions",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                what="The ledger does not answer",
                hint=f"{fault}. Ask again in a moment.",
            )
        except LineshaftError:
            return await self._shell.missing(
                visit,
                here="exceptions",
                what=f"There is no exception “{asked}”",
                hint="It may be of a plant that you do not see, or closed so long ago that it is not kept.",
            )
        return await self._shell.page(visit, "exception.html", here="exceptions", **self._facts(found, visit))

    def _facts(self, found: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
        whole = {"payload": found["payload"], "corrected": found["corrected"]}
        found = visit.seen(dict(found))
        seen = {name: found[name] if found[name] is None else visit.shown(found[name]) for name in whole}
        is_whole = seen == whole
        current = seen.get("payload") if found["corrected"] is None else seen.get("corrected")
        is_json = found["form"] == "json"
        findings = found["findings"] if is_whole else []  # they name values
        lines, elsewhere = payload_lines(current, findings) if is_json else ([], findings)
        state, event = found["state"], found["envelope"].event
        can_fix = state == ExceptionState.OPEN and found["carrier"] in _CORRECTED_BY_PEOPLE
        return {
            "one": row_view(found, self._shell),
            "found": found,
            "kind": kind_words(found["kind"]),
            "explained": EXPLAINED[ExceptionKind(found["kind"])],
            "event_type": event.type if event is not None else "",
            "topic": found["envelope"].topic,
            "process_id": found["ref"] if found["carrier"] == "process" else "",
            "trace_key": found["ref"] or found["correlation_id"],
            "lines": lines,
            "elsewhere": elsewhere,
            "raw": "" if is_json else current,
            "before": _pretty(seen.get("payload")) if found["corrected"] is not None else "",
            "text": _pretty(current) if is_json else "",
            "can_fix": can_fix and is_whole,
            "is_partly_hidden": not is_whole,
            "is_open": state == ExceptionState.OPEN,
            "is_under_way": state == ExceptionState.REDRIVEN,
            "led_to": found["led_to"],
            "led_to_tone": _VERDICT_TONES.get(found["led_to"].verdict) if found["led_to"] else "",
            "closed": self._shell.time.moment(found["closed_at"], self._shell.now),
            "history": [self._done(entry) for entry in found["history"]],
            "me": visit.caller.account,
            "people": self._people() if self._people else None,
        }

    def _done(self, entry: Mapping[str, Any]) -> Done:
        action, detail = str(entry["action"]).rpartition(".")[2], entry["detail"]
        what = _DONE.get(action, action.replace("_", " "))
        if action == "assigned":
            what = f"gave it to {detail['to']}" if detail.get("to") else "gave it back to nobody"
        elif action == "fixed":
            what = f"{what}: correction {detail.get('revision', '')}"
        elif action == "resolved" and detail.get("outcome"):
            what = f"{what}: {detail['outcome']}"
        at = self._shell.time.moment(entry["at"], self._shell.now)
        return Done(at=at, who=entry["actor"], what=what, reason=entry["reason"])


def _pretty(payload: Any) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)
