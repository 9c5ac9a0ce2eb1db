"""What people do to instances: retry, correct, skip, abort, cancel, terminate, fork, migrate, approve.

Each is one unit of work with its reason in the history. Workers notice: an instance at rest is made due
at once, one that runs is asked to stop and does so between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.clock import Clock, rfc3339
from lineshaft.core.errors import ChangedMeanwhile, ConfigError, ContractViolation
from lineshaft.core.ids import business_key, new_id
from lineshaft.processes.context import APPROVAL, Approval
from lineshaft.processes.definition import ProcessDefinition, with_children
from lineshaft.processes.journal import load
from lineshaft.processes.lookup import Plants
from lineshaft.processes.records import FINISHED, Instance, ProcessState, Step, StepState, in_order
from lineshaft.processes.refusals import NoSuchProcess, NotPossible, ReasonMissing
from lineshaft.processes.rehearsal import rehearse
from lineshaft.processes.waits import awaited_ends, deliver, end_of, row_of, start_row, tell_end
from lineshaft.store import Store
from lineshaft.store.schema import EMPTY, process_actions, process_steps, process_waits, processes
from lineshaft.store.statements import inserted, put

__all__ = ["PAST", "Action", "Actions", "Migration"]

T = TypeVar("T")
_AT_REST = (ProcessState.WAITING, ProcessState.RETRYING, ProcessState.PARKED)
_AT_ONCE = 0.0
PAST = {
    "retry": "retried",
    "correct": "corrected",
    "skip": "skipped",
    "abort": "aborted",
    "cancel": "cancelled",
    "terminate": "terminated",
    "fork": "forked",
    "migrate": "migrated",
    "approve": "approved",
    "refuse": "refused",
}
"""What each action is called when it is done."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a person did. action: retry, correct, skip, abort, cancel, terminate, fork, …"""

    action_id: str = msgspec.field(default_factory=new_id)
    process_id: str
    actor: str
    action: str
    reason: str
    step: str = ""
    detail: Mapping[str, Any] = {}


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one instance: moved, or why its history does not fit the new version."""

    process_id: str
    business_key: str
    moved: bool
    finding: str = ""


class Actions:
    """note: adds an action to the audit, inside the unit of work. Implements core.ports.ProcessActions."""

    def __init__(
        self,
        store: Store,
        definitions: Sequence[ProcessDefinition],
        note: Callable[[Connection, Action], None],
        clock: Clock,
        *,
        zone: ZoneInfo,
    ) -> None:
        self._store = store
        self._zone = zone
        self._definitions = {
            (definition.name, definition.version): definition for definition in with_children(definitions)
        }
        self._note = note
        self._clock = clock

    async def retry(self, process_id: str, *, by: str, reason: str) -> None:
        """Try the step again at which it parked, and whatever is between two attempts now.

        raises  ConfigError when there is no such instance, or it is not parked or retrying
        """
        action = Action(process_id=process_id, actor=by, action="retry", reason=reason)

        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> None:
            step, now = steps.get(instance.at_step), rfc3339(self._clock.now())
            if step is None:
                for each in steps.values():
                    if each.kind == "call" and not each.state.is_settled:  # not only at its own time
                        self._put_step(connection, process_id, each, error="")
            elif step.state is StepState.TIMED_OUT:  # asked for anew, from now on
                self._put_step(
                    connection, process_id, step, state=StepState.WAITING, started_at=now, finished_at=""
                )
            elif step.kind == "call" and step.state is not StepState.DONE:
                self._put_step(connection, process_id, step, **_reopened(action, now))
            self._go_on(connection, process_id)

        await self._act(action, (ProcessState.PARKED, ProcessState.RETRYING), unit)

    async def correct(
        self,
        process_id: str,
        payload: bytes,
        *,
        by: str,
        reason: str,
        dry_run: bool = False,
        seen: int | None = None,
    ) -> list[str]:
        """Retry with another request of the step at which it parked, or, if none, with another input.

        An input can only be corrected so far as the steps that are recorded stay what they are.

        seen     how many actions on it the person knew of; None: does not matter
        returns  why the payload cannot be taken; empty when it was, or with dry_run could be
        raises   ConfigError as for retry; ChangedMeanwhile where there were others
        """
        instance, found = await self._load(process_id, "correct", (ProcessState.PARKED,), seen)
        steps = {step.step: step for step in found}
        definition = self._definition(instance)
        step = steps.get(instance.at_step)
        if step is not None and step.kind == "call":
            schema: PayloadSchema[Any] = definition.operations[step.name].request_schema
        else:
            step, schema = None, definition.input_schema
        try:
            text = msgspec.json.encode(schema.decode(payload)).decode()
        except ContractViolation as violation:
            return violation.findings or [str(violation)]
        if step is None:
            corrected = msgspec.structs.replace(instance, input=text)
            if finding := await rehearse(definition, corrected, found, self._zone):
                return [finding]
        if dry_run:
            return []

        action = Action(
            process_id=process_id,
            actor=by,
            action="correct",
            reason=reason,
            step=instance.at_step,
            detail={"before": (step.corrected or step.input) if step else instance.input, "after": text},
        )

        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> None:
            _same(instance, found, steps)
            if step is not None:
                now = rfc3339(self._clock.now())
                self._put_step(connection, process_id, step, corrected=text, **_reopened(action, now))
            else:
                _set(connection, process_id, input=text)
            self._go_on(connection, process_id)

        await self._act(action, (ProcessState.PARKED,), unit, seen)
        return []

    async def skip(self, process_id: str, value: bytes, *, by: str, reason: str, step: str = "") -> None:
        """Go on as if the step had given this value; it is checked against what the step may give.

        step     a path; by default the one at which it parked, or the one it waits or retries at
        raises   ContractViolation, ConfigError
        """
        instance, found = await self._load(process_id, "skip", _AT_REST)
        open_steps = [each for each in found if not each.state.is_settled or each.step == instance.at_step]
        chosen = [each for each in open_steps if each.step == (step or instance.at_step or each.step)]
        if len(chosen) != 1:
            paths = ", ".join(f"{each.step} ({each.kind} {each.name})" for each in open_steps) or "none"
            raise ConfigError(f"{process_id}: which step is to be skipped? open: {paths}", hint="use --step")
        (left,) = chosen
        schema = self._gives(instance, left)
        text = msgspec.json.encode(schema.decode(value)).decode() if schema else ""

        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> None:
            _same(instance, [left], {left.step: steps.get(left.step)})
            connection.execute(
                delete(process_waits).where(
                    process_waits.c.process_id == process_id, process_waits.c.step == left.step
                )
            )
            at = rfc3339(self._clock.now())
            self._put_step(
                connection, process_id, left, state=StepState.DONE, output=text, error="", finished_at=at
            )
            if instance.at_step in ("", left.step):  # else it stays parked at the other
                self._go_on(connection, process_id)

        detail = {"value": text}
        await self._act(
            Action(
                process_id=process_id, actor=by, action="skip", reason=reason, step=left.step, detail=detail
            ),
            _AT_REST,
            unit,
        )

    def _gives(self, instance: Instance, step: Step) -> PayloadSchema[Any] | None:
        definition = self._definition(instance)
        if step.kind == "call":
            return definition.operations[step.name].reply_schema
        if step.kind == "wait":
            return next(each for each in definition.waits_on if each.type == step.name).schema
        if step.kind == "approval":
            return PayloadSchema("approval", Approval, {})
        if step.kind == "sleep":
            return None
        raise ConfigError(
            f"step {step.step} of {instance.process_id} is the process {step.name}",
            hint=f"act on that one: {step.ref or 'see `lineshaft processes list`'}",
        )

    async def abort(self, process_id: str, *, by: str, reason: str) -> None:
        """End it and run the undos that its steps name, in reverse; so with the processes it waits for."""
        await self._stop("abort", process_id, by, reason)

    async def cancel(self, process_id: str, *, by: str, reason: str) -> None:
        """End it before its next step; what it has done stays."""
        await self._stop("cancel", process_id, by, reason)

    async def terminate(self, process_id: str, *, by: str, reason: str) -> None:
        """End it now, whatever it is doing; what is done stays, and what is under way may still happen."""

        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> None:
            at = rfc3339(self._clock.now())
            _set(
                connection,
                process_id,
                state=ProcessState.TERMINATED,
                wanted="terminate" if instance.state is ProcessState.RUNNING else "",
                worker="",
                wake_at=None,
                cause=reason,
                finished_at=at,
            )
            if awaited_ends(connection, [process_id]):
                tell_end(connection, process_id, end_of(ProcessState.TERMINATED, "", reason), at, "")

        await self._act(
            Action(process_id=process_id, actor=by, action="terminate", reason=reason),
            (*_AT_REST, ProcessState.RUNNING),
            unit,
        )

    async def _stop(self, wanted: str, process_id: str, by: str, reason: str) -> None:
        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> None:
            _set(connection, process_id, wanted=wanted, cause=reason)
            if instance.state is not ProcessState.RUNNING:
                self._go_on(connection, process_id)

        await self._act(
            Action(process_id=process_id, actor=by, action=wanted, reason=reason),
            (*_AT_REST, ProcessState.RUNNING),
            unit,
        )
        for child in await self._store.read(lambda connection: _open_children(connection, process_id)):
            with suppress(NotPossible, NoSuchProcess):  # it has ended meanwhile
                await self._stop(wanted, child, by, f"{reason} (of {process_id})")

    async def fork(self, process_id: str, step: int, *, by: str, reason: str) -> str:
        """A copy that has done the steps before this one, and does it and the rest anew; the original stays.

        Its calls are about the same facts: what the target systems have done is found, not done again.

        returns  its process id
        raises   ConfigError when there is no such instance or step
        """
        _, found = await self._load(process_id, "fork", (*_AT_REST, *FINISHED))
        kept = [each for each in found if in_order(each.step)[0] < in_order(str(step))[0]]
        if not any(in_order(each.step)[0] == in_order(str(step))[0] for each in found):
            last = max((in_order(each.step)[0][0] for each in found), default=-1)
            raise ConfigError(f"{process_id} has no step {step}", hint=f"it has the steps 0 to {last}")
        forked = [each for each in kept if not each.state.is_settled]
        if forked:
            first = min(forked, key=lambda each: in_order(each.step))
            raise ConfigError(
                f"{process_id}: step {first.step} before step {step} is not done",
                hint=f"fork from step {in_order(first.step)[0][0]} or before, or wait until it is done",
            )

        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> str:
            forks = (process_actions.c.process_id == process_id) & (process_actions.c.action == "fork")
            number = len(connection.execute(select(process_actions.c.action_id).where(forks)).all())
            key = f"{instance.business_key}/fork-{number}"
            copy = msgspec.structs.replace(
                instance,
                process_id=business_key("process", instance.type, key),
                business_key=key,
                state=ProcessState.RETRYING,
                forked_from=instance.forked_from or process_id,
                worker="",
                wanted="",
                at_step="",
                parent_id="",
            )
            inserted(connection, processes, [start_row(copy) | {"wake_at": _AT_ONCE}])
            put(connection, process_steps, [row_of(copy.process_id, each) for each in kept])
            taken = select(process_waits).where(
                process_waits.c.process_id == process_id,
                process_waits.c.step.in_([each.step for each in kept]),
                process_waits.c.event_id != "",
            )
            waits = [
                dict(row._mapping) | {"process_id": copy.process_id} for row in connection.execute(taken)
            ]
            if waits:
                connection.execute(insert(process_waits), waits)
            return copy.process_id

        return await self._act(
            Action(process_id=process_id, actor=by, action="fork", reason=reason, step=str(step)),
            (*_AT_REST, *FINISHED),
            unit,
        )

    async def approve(
        self, process_id: str, *, approved: bool, by: str, role: str, reason: str, step: str = ""
    ) -> None:
        """Decide what it asks for.

        raises  ConfigError when it does not ask this role for anything, NotPossible when that is decided
        """
        _, found = await self._load(process_id, "decide", _AT_REST)
        asking = [
            each
            for each in found
            if each.kind == "approval" and each.state is StepState.WAITING and (not step or each.step == step)
        ]
        decided = [each for each in found if each.kind == "approval" and each.state is StepState.DONE]
        if not asking and any(each.name == role and step in ("", each.step) for each in decided):
            raise NotPossible(f"{process_id}: somebody has decided as {role} already")
        if len(asking) != 1 or asking[0].name != role:
            roles = ", ".join(f"{each.name} (step {each.step})" for each in asking) or "nobody"
            raise ConfigError(f"{process_id} does not ask {role} for a decision", hint=f"it asks {roles}")
        path = asking[0].step
        decision = Approval(approved=approved, by=by, role=role, reason=reason)
        action = Action(
            process_id=process_id,
            actor=by,
            action="approve" if approved else "refuse",
            reason=reason,
            step=path,
            detail={"role": role},
        )

        def unit(connection: Connection, instance: Instance, steps: Mapping[str, Step]) -> None:
            _same(instance, asking, {path: steps.get(path)})
            at, key = rfc3339(self._clock.now()), f"{process_id}/{path}"
            data = msgspec.json.encode(decision).decode()
            deliver(connection, action.action_id, APPROVAL, key, data, at, worker="")

        await self._act(action, _AT_REST, unit)

    async def migrate(
        self,
        name: str,
        before: int,
        after: int,
        *,
        by: str,
        reason: str,
        dry_run: bool,
        plants: Plants = None,
    ) -> list[Migration]:
        """Move the unfinished instances of a version to another, each after a replay that proves that its
        recorded history fits. Those that do not fit stay, with the reason. plants: whose; None: of all

        raises  ConfigError when the other version is not loaded
        """
        target = self._definitions.get((name, after))
        if target is None:
            raise ConfigError(f"{name} v{after} is not loaded", hint=self._loaded())
        report = []
        theirs = partial(_open_of, name=name, version=before, plants=plants)
        for process_id in await self._store.read(theirs):
            instance, steps = await self._store.read(partial(load, process_id=process_id))
            finding = await rehearse(target, instance, steps, self._zone)
            if not finding and not dry_run:
                finding = await self._move(instance, steps, after, by, reason)
            report.append(
                Migration(
                    process_id=process_id,
                    business_key=instance.business_key,
                    moved=not finding and not dry_run,
                    finding=finding,
                )
            )
        return report

    async def _move(
        self, instance: Instance, rehearsed: Sequence[Step], version: int, by: str, reason: str
    ) -> str:
        def unit(connection: Connection, now: Instance, steps: Mapping[str, Step]) -> None:
            _same(now, rehearsed, steps)
            _set(connection, instance.process_id, version=version)
            if now.state is ProcessState.PARKED and not now.at_step:  # it parked for want of its version
                self._go_on(connection, instance.process_id)

        detail = {"from": instance.version, "to": version}
        action = Action(
            process_id=instance.process_id, actor=by, action="migrate", reason=reason, detail=detail
        )
        try:
            await self._act(action, _AT_REST, unit)
        except ConfigError as moved_on:
            return str(moved_on)
        return ""

    def _definition(self, instance: Instance) -> ProcessDefinition:
        definition = self._definitions.get((instance.type, instance.version))
        if definition is None:
            raise ConfigError(
                f"no process {instance.type} v{instance.version} is loaded", hint=self._loaded()
            )
        return definition

    def _loaded(self) -> str:
        return f"loaded: {', '.join(map(str, self._definitions.values())) or 'none'}"

    async def _load(
        self, process_id: str, action: str, states: Sequence[ProcessState], seen: int | None = None
    ) -> tuple[Instance, list[Step]]:
        instance, steps = await self._store.read(partial(load, process_id=process_id))
        if seen is not None:  # who did what is a better answer than the state that it came to
            await self._store.read(partial(_must_be_seen, process_id=process_id, seen=seen))
        _check(instance, action, states)
        return instance, steps

    async def _act(
        self,
        action: Action,
        states: Sequence[ProcessState],
        work: Callable[[Connection, Instance, Mapping[str, Step]], T],
        seen: int | None = None,
    ) -> T:
        """One unit of work: the instance as it is now, locked; the action once, however often it is run."""
        if not action.reason.strip():
            raise ReasonMissing(f"{action.action} needs a reason", hint="say why, it is kept in the history")
        done: list[T] = []
        row = {
            **msgspec.structs.asdict(action),
            "at": rfc3339(self._clock.now()),
            "detail": msgspec.json.encode(action.detail).decode(),
        }

        def unit(connection: Connection) -> T:
            locked = select(processes.c.process_id).where(processes.c.process_id == action.process_id)
            connection.execute(locked.with_for_update())
            if not inserted(connection, process_actions, [row]):
                return done[0]  # a commit whose answer was lost
            if seen is not None:
                _must_be_seen(connection, action.process_id, seen, action.action_id)
            instance, steps = load(connection, action.process_id)
            _check(instance, action.action, states)
            done[:] = [work(connection, instance, {step.step: step for step in steps})]
            self._note(connection, action)
            return done[0]

        return await self._store.write(unit)

    def _put_step(self, connection: Connection, process_id: str, step: Step, **changes: Any) -> None:
        put(connection, process_steps, [row_of(process_id, msgspec.structs.replace(step, **changes))])

    def _go_on(self, connection: Connection, process_id: str) -> None:
        """Due at once, for whichever worker looks first."""
        due = {"state": ProcessState.RETRYING, "wake_at": _AT_ONCE, "worker": "", "at_step": ""}
        _set(connection, process_id, updated_at=rfc3339(self._clock.now()), **due)


def _reopened(action: Action, now: str) -> dict[str, Any]:
    return {"state": StepState.REOPENED, "error": "", "ref": action.action_id, "started_at": now}


def _set(connection: Connection, process_id: str, **changes: Any) -> None:
    connection.execute(update(processes).where(processes.c.process_id == process_id).values(**changes))


def _check(instance: Instance, action: str, states: Sequence[ProcessState]) -> None:
    if instance.state not in states:
        raise NotPossible(
            f"{instance.type} {instance.business_key} is {instance.state}: no {action} now",
            hint=f"possible while {', '.join(states)}",
        )


def _must_be_seen(connection: Connection, process_id: str, seen: int, but: str = "") -> None:
    """but: the action that is being done"""
    row = process_actions.c
    others = select(row.actor, row.at, row.action).where(row.process_id == process_id, row.action_id != but)
    found = connection.execute(others.order_by(row.at)).all()
    if len(found) != seen:
        last = found[-1] if found else None
        raise ChangedMeanwhile.told(
            f"process {process_id}",
            by=last.actor if last else "",
            at=last.at if last else "",
            action=PAST[last.action] if last else "",
        )


def _same(instance: Instance, before: Sequence[Step], now: Mapping[str, Step | None]) -> None:
    """What was looked at is what is there: between the look and now an instance may have run on."""
    if {step.step: step for step in before} != dict(now):
        raise NotPossible(
            f"{instance.type} {instance.business_key} has gone on meanwhile",
            hint="look at it again: `lineshaft processes show`",
        )


def _open_children(connection: Connection, process_id: str) -> list[str]:
    children = (processes.c.parent_id == process_id) & (processes.c.parent_id != EMPTY)
    still_open = processes.c.state.not_in(FINISHED)
    return list(connection.execute(select(processes.c.process_id).where(children, still_open)).scalars())


def _open_of(connection: Connection, name: str, version: int, plants: Plants) -> list[str]:
    theirs = (processes.c.type == name) & (processes.c.version == version)
    if plants is not None:
        theirs &= processes.c.plant.in_(sorted(plants))
    still_open = processes.c.state.not_in(FINISHED)
    return list(connection.execute(select(processes.c.process_id).where(theirs, still_open)).scalars())
