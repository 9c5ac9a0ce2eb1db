"""Processes as people see and steer them: the same for the command line and over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from lineshaft.app.process_definitions import definitions_of
from lineshaft.app.settings import Settings, load_settings, store_url
from lineshaft.app.workbench import note_action
from lineshaft.core.asked_times import asked_span
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.ledger import OPERATOR, Audit
from lineshaft.processes import ProcessDefinition
from lineshaft.processes.actions import Actions
from lineshaft.processes.definition import with_children
from lineshaft.processes.listing import Asked, counted, desks, distinct, listed
from lineshaft.processes.lookup import Found, Plants, find
from lineshaft.processes.refusals import NotPossible, ReasonMissing
from lineshaft.processes.suggestions import suggested
from lineshaft.processes.views import shown
from lineshaft.store import Store
from lineshaft.store.schema import processes

__all__ = ["Steering", "make_steering", "open_steering"]

Told = dict[str, Any]


class Steering:
    """ref, everywhere: an id or a business key, or how one of both begins.

    All raise NoSuchProcess, AmbiguousProcess, TransientFault; those that act NotPossible and ReasonMissing
    as well, and give {"action", "process_id", "type", "business_key", "state", …}: what became of it.
    """

    def __init__(
        self,
        store: Store,
        actions: Actions,
        definitions: Sequence[ProcessDefinition],
        clock: Clock,
        zone: ZoneInfo,
        acted: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._zone = zone
        self._actions = actions
        self._acted = acted
        self._clock = clock
        self._plants: Plants = None
        self._loaded: dict[str, list[int]] = {}
        self._definitions: dict[tuple[str, int], ProcessDefinition] = {}
        for definition in sorted(set(with_children(definitions)), key=lambda each: each.version):
            self._loaded.setdefault(definition.name, []).append(definition.version)
            self._definitions[definition.name, definition.version] = definition

    def of_plants(self, plants: Plants) -> Steering:
        """The same for who sees these plants: a process of another does not exist; None: all exist. `listed`
        and `counted` say so themselves, in what is asked."""
        theirs = copy(self)
        theirs._plants = plants
        return theirs

    async def listed(self, asked: Asked) -> list[Told]:
        """asked: with times as people give them, see core.asked_times"""
        question = partial(listed, asked=self._in_utc(asked), now=self._clock.now())
        return await self._store.read(question)

    async def counted(self, asked: Asked) -> dict[str, int]:
        """See listing.counted; asked: as for `listed`"""
        question = partial(counted, asked=self._in_utc(asked), now=self._clock.now())
        return await self._store.read(question)

    def _in_utc(self, asked: Asked) -> Asked:
        return msgspec.structs.replace(asked, **asked_span(asked.since, asked.until, self._zone))

    async def choices(self) -> dict[str, list[str]]:
        """What can be chosen from: `types` that can run here, `plants` and `owners` that there are."""

        def question(connection: Connection) -> dict[str, list[str]]:
            plants = self._plants
            known = sorted(plants) if plants is not None else distinct(connection, processes.c.plant)
            return {"plants": known, "owners": desks(connection, plants)}

        return {"types": sorted(self._loaded), **await self._store.read(question)}

    async def of_process(self, name: str, state: str, limit: int) -> list[Told]:
        """state: as in `listed`, or `all`"""
        plants = None if self._plants is None else frozenset(self._plants)
        state = "" if state == "all" else state
        return await self.listed(Asked(type=name, state=state, plants=plants, limit=limit))

    async def show(self, ref: str) -> Told:
        question = partial(shown, ref=ref, now=self._clock.now(), loaded=self._loaded, plants=self._plants)
        return await self._store.read(question)

    def suggested(self, shown: Told, action: str, step: str) -> Any:
        """See processes.suggestions. shown: as `show` gives it"""
        definition = self._definitions.get((shown["type"], shown["version"]))
        return suggested(definition, shown, action, step) if definition else None

    async def retry(self, ref: str, *, by: str, reason: str) -> Told:
        return await self._act(ref, "retry", partial(self._actions.retry, by=by, reason=reason))

    async def correct(
        self, ref: str, value: bytes, *, by: str, reason: str, dry_run: bool = False, seen: int | None = None
    ) -> Told:
        """With `findings`, why the value cannot be taken: then, and in a dry run, nothing is changed.

        seen    `decisions` as `show` had them; None: does not matter
        raises  ChangedMeanwhile
        """
        found = await self._live(ref, "correct")
        findings = await self._actions.correct(
            found.process_id, value, by=by, reason=reason, dry_run=dry_run, seen=seen
        )
        return (await self._told("correct", found)) | {"findings": findings, "dry_run": dry_run}

    async def skip(self, ref: str, value: bytes, *, by: str, reason: str, step: str = "") -> Told:
        """raises  ContractViolation, too, for a value that the step cannot give"""
        work = partial(self._actions.skip, value=value, by=by, reason=reason, step=step)
        return await self._act(ref, "skip", work)

    async def abort(self, ref: str, *, by: str, reason: str) -> Told:
        return await self._act(ref, "abort", partial(self._actions.abort, by=by, reason=reason))

    async def cancel(self, ref: str, *, by: str, reason: str, now: bool = False) -> Told:
        work = self._actions.terminate if now else self._actions.cancel
        return await self._act(ref, "terminate" if now else "cancel", partial(work, by=by, reason=reason))

    async def fork(self, ref: str, step: int, *, by: str, reason: str) -> Told:
        """With `forked`, the id of the copy."""
        found = await self._live(ref, "fork")
        forked = await self._actions.fork(found.process_id, step, by=by, reason=reason)
        return (await self._told("fork", found)) | {"forked": forked}

    async def decide(
        self, ref: str, *, approved: bool, by: str, role: str, reason: str, step: str = ""
    ) -> Told:
        work = partial(self._actions.approve, approved=approved, by=by, role=role, reason=reason, step=step)
        return await self._act(ref, "approve" if approved else "refuse", work)

    async def migrate(
        self, name: str, before: int, after: int, *, by: str, reason: str, dry_run: bool
    ) -> Told:
        """{"moved", "fitting", "instances": [{"process_id", "business_key", "moved", "finding"}], …}

        A finding says why the instance's history does not fit the other version: it stays where it is.
        """
        if not dry_run and not reason.strip():
            raise ReasonMissing("migrate needs a reason", hint="say why, or only try it in a dry run")
        report = await self._actions.migrate(
            name, before, after, by=by, reason=reason, dry_run=dry_run, plants=self._plants
        )
        return {
            "type": name,
            "from": before,
            "to": after,
            "dry_run": dry_run,
            "moved": sum(each.moved for each in report),
            "fitting": sum(not each.finding for each in report),
            "instances": [msgspec.structs.asdict(each) for each in report],
        }

    async def _act(self, ref: str, action: str, work: Callable[[str], Awaitable[object]]) -> Told:
        found = await self._live(ref, action)
        await work(found.process_id)
        return await self._told(action, found)

    async def _live(self, ref: str, action: str) -> Found:
        found = await self._store.read(partial(find, ref=ref, plants=self._plants))
        if found.archived:
            raise NotPossible(
                f"{found.type} {found.business_key} is archived: no {action} any more",
                hint=f"its story: lineshaft processes show {found.process_id}",
            )
        return found

    async def _told(self, action: str, before: Found) -> Told:
        self._acted()
        now = await self._store.read(partial(find, ref=before.process_id))
        facts = {name: getattr(now, name) for name in ("process_id", "type", "business_key", "state")}
        return {"action": action} | facts


def make_steering(
    store: Store,
    definitions: Sequence[ProcessDefinition],
    audit: Audit,
    clock: Clock,
    *,
    zone: ZoneInfo,
    acted: Callable[[], None] = lambda: None,
) -> Steering:
    """acted: called after each action, so that it is taken up at once"""
    actions = Actions(store, definitions, note_action(audit), clock, zone=zone)
    return Steering(store, actions, definitions, clock, zone, acted)


@asynccontextmanager
async def open_steering(path: Path) -> AsyncIterator[tuple[Steering, Settings]]:
    """For the command line, on the settings at `path`, whether a node runs or not.

    raises  ConfigError; TransientFault when the database does not answer
    """
    settings, _ = load_settings(path)
    clock = SystemClock()
    definitions = [definition for name in settings.processes for definition in definitions_of(name)]
    store = Store.open(store_url(settings, path))
    try:
        audit = Audit(OPERATOR, clock)
        yield make_steering(store, definitions, audit, clock, zone=settings.zone), settings
    finally:
        await store.close()
