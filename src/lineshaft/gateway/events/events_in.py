"""`POST /api/events`: facts from outside, checked against their contracts and each taken exactly once.

An event's identity is what CloudEvents makes it, (source, id): told again it is the same one, with other
content it is refused. It is on disk, with its place in the outbox, before it is answered.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from lineshaft.contracts.event import EventContract
from lineshaft.core.access import LOCAL, SOME, Caller, permits
from lineshaft.core.arrivals import Arrival, Taken, TakesEvents, arrival_id
from lineshaft.core.clock import Clock
from lineshaft.core.errors import ContractViolation
from lineshaft.core.ids import fingerprint
from lineshaft.core.subscriptions import bare_type
from lineshaft.core.values import Event, Value
from lineshaft.gateway.events.cloudevents import BATCH, MEDIA, ToldEvent, read_events
from lineshaft.gateway.guards import check_json
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter

__all__ = ["Authority", "EventsIn", "events_in_route"]

PREFIX = "lineshaft."
_NEAREST = 3
_MOST_FINDINGS, _MOST_HINTS = 100, 5
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TAKEN_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["source", "id", "event_id", "replayed"],
                "properties": {
                    "source": {"type": "string"},
                    "id": {"type": "string"},
                    "event_id": {"type": "string", "description": "id of the event here, for `trace`"},
                    "replayed": {"type": "boolean", "description": "it was taken before"},
                },
            },
        }
    },
}

Authority = Callable[[Caller, EventContract[Any], Value], Sequence[str]]
"""Why this caller may not tell this: it has mastered fields of another system of record. Empty: it may."""


def events_in_route(events: EventsIn) -> ApiRoute:
    """POST /api/events

    202  taken, or taken before (`replayed`); of a batch each in its order
    400  no sound JSON, or no CloudEvent
    403  a type, plant, source or mastered field that is not the caller's
    422  unknown type, payload that breaks its contract, identity of another event, key that contradicts it
    Of a batch nothing is taken unless all of it can be; findings begin with `events/<number>`.
    """
    return ApiRoute(
        method="POST",
        path="/api/events",
        name="publish_events",
        summary="Tell events: CloudEvents 1.0 in structured, batch or binary mode",
        permission=f"publish:{SOME}",
        handler=events.take,
        tag="events",
        parameters=(
            Parameter(
                name="Idempotency-Key",
                where="header",
                summary="Not needed: source and id say the same. If given, it is the event's id",
            ),
        ),
        request={"type": ["object", "array"]},
        media=MEDIA,
        own_checks=True,
        answers={202: _TAKEN_SCHEMA},
        problems=(400, 403, 415, 422),
    )


class EventsIn:
    """enterprise, plant: of this node, as sources begin with them; authority: see there."""

    def __init__(
        self,
        intake: TakesEvents,
        contracts: Mapping[str, EventContract[Any]],
        clock: Clock,
        *,
        enterprise: str,
        plant: str,
        authority: Authority = lambda *_: (),
        taken: Callable[[], None] = lambda: None,
    ) -> None:
        """taken: told when there is something new in the outbox"""
        self._intake = intake
        self._contracts = {**contracts, **{PREFIX + name: each for name, each in contracts.items()}}
        self._clock = clock
        self._root = f"/{enterprise}/{plant}"
        self._plant = plant
        self._authority = authority
        self._taken = taken

    async def take(self, asked: Asked) -> Answer:
        """See `events_in_route`."""
        media = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
        check_json(asked.body)
        told = read_events(asked.headers, asked.body)
        arrivals = self._arrivals(asked, told, is_batch=media == BATCH)
        ref = arrivals[0].event.id if arrivals else ""
        note = asked.note(HTTPStatus.ACCEPTED, ref) if asked.note else None
        verdicts = await self._intake.take(arrivals, note) if arrivals else ()
        if Taken.REUSED in verdicts:
            raise _reused(told, verdicts, is_batch=media == BATCH)
        if Taken.NEW in verdicts:
            self._taken()
        rows = [
            {
                "source": each.source,
                "id": each.id,
                "event_id": arrival.event.id,
                "replayed": verdict is Taken.REPLAYED,
            }
            for each, arrival, verdict in zip(told, arrivals, verdicts, strict=True)
        ]
        replayed = bool(rows) and all(row["replayed"] for row in rows)
        return Answer(
            status=HTTPStatus.ACCEPTED,
            body={"events": rows},
            headers={"Idempotency-Replayed": "true"} if replayed else {},
            ref=ref,
            is_noted=bool(arrivals) and note is not None,
        )

    def _arrivals(self, asked: Asked, told: Sequence[ToldEvent], *, is_batch: bool) -> list[Arrival]:
        """raises  ContractViolation or Refusal with the findings of all of them"""
        now = self._clock.now()
        wrong: list[str] = []
        forbidden: list[str] = []
        arrivals = []
        for number, each in enumerate(told):
            if len(wrong) + len(forbidden) >= _MOST_FINDINGS:
                break
            place = f"events/{number}/" if is_batch else ""
            found, refused = each.findings(now), self._refusals(asked, each)
            contract = self._contracts.get(each.type)
            value: Value | None = None
            if contract is None:
                found.append(self._unknown(each.type, with_hint=len(wrong) < _MOST_HINTS))
            elif not found:
                value = _value(contract, each, found)
            if contract is not None and value is not None and not found and not refused:
                refused += self._authority(asked.caller, contract, value)
                arrivals.append(self._arrival(asked, each, contract, value, now))
            wrong += [place + finding for finding in found]
            forbidden += [place + finding for finding in refused]
        key = asked.headers.get("idempotency-key", "").strip('"')
        if key and (is_batch or key not in (told[0].id, told[0].idempotencykey)):
            wrong.append(f"Idempotency-Key: the id of the one event, or not given ({key[:100]!r})")
        if forbidden:
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"{asked.caller.name} may not tell this",
                code="not_yours",
                findings=[*forbidden, *wrong],
            )
        if wrong:
            kind = "events" if is_batch else "event"
            raise ContractViolation(f"the {kind} cannot be taken", findings=wrong)
        return arrivals

    def _refusals(self, asked: Asked, told: ToldEvent) -> list[str]:
        caller, found = asked.caller, []
        permission = f"publish:{bare_type(told.type.removeprefix(PREFIX))}"
        if told.type in self._contracts and not permits(caller, permission):
            found.append(f"type: needs the permission {permission}")
        plant = told.plant or asked.plant
        if plant != self._plant or not caller.sees(plant):
            found.append(f"plant: {self._plant}, if it is one of yours ({plant!r})")
        own = f"{self._root}/{caller.system or caller.account}"
        if caller.name != LOCAL.name and told.source != own and not told.source.startswith(f"{own}/"):
            found.append(f"source: your own, {own}/… ({told.source[:200]!r})")
        return found

    def _unknown(self, kind: str, *, with_hint: bool) -> str:
        """with_hint: to look for near names takes 20 ms."""
        names = [name for name in self._contracts if with_hint and not name.startswith(PREFIX)]
        near = difflib.get_close_matches(kind.removeprefix(PREFIX)[:200], names, _NEAREST)
        hint = f"did you mean {' or '.join(near)}?" if near else "see the catalogue of contracts"
        return f"type: {kind[:200]!r} is not declared; {hint}"

    def _arrival(
        self, asked: Asked, told: ToldEvent, contract: EventContract[Any], value: Value, now: datetime
    ) -> Arrival:
        data = msgspec.json.encode(value)
        told_as = f"{told.source}|{told.id}"
        event_id = arrival_id(told_as)
        story = asked.correlation_id if "x-correlation-id" in asked.headers else ""
        event = Event(
            id=event_id,
            type=contract.type,
            source=told.source,
            subject=contract.subject(value),
            time=told.time or now,
            plant=self._plant,
            eventclass=contract.eventclass,
            data=data,
            partitionkey=contract.partition(value),
            correlationid=told.correlationid or story or event_id,
            causationid=told.causationid or "",
            traceparent=told.traceparent or asked.traceparent,
            recordedtime=now,
            dataschema=f"{PREFIX[:-1]}:{contract.type}",
            idempotencykey=told.idempotencykey or told.id,
            sequence="" if told.sequence is None else str(told.sequence),
        )
        print_of = fingerprint(contract.type.encode() + b"\n" + data)
        return Arrival(event=event, told_as=told_as, fingerprint=print_of, caller=asked.caller.name)


def _value(contract: EventContract[Any], told: ToldEvent, findings: list[str]) -> Value | None:
    """The typed payload. Writers are strict: a member that the contract does not know is a finding."""
    try:
        payload = told.payload()
        if not payload:
            findings.append(f"data: required, as {contract.type} has it (missing)")
            return None
        if told.data_base64 is not None:
            check_json(payload)
        if b"\\u0000" in payload:
            findings.append("data: no text with U+0000, which cannot be kept")
        value: Value = contract.schema.decode(payload)
        given = _MEMBERS.decode(payload)
    except ContractViolation as violation:
        findings += [f"data/{finding}" for finding in violation.findings]
        return None
    except ValueError as error:
        findings.append(f"data_base64: base64 of JSON ({error})")
        return None
    known = contract.data.__struct_encode_fields__
    unknown = [name for name in given if name not in known]
    findings += [f"data/{name}: {contract.type} has no such member" for name in unknown]
    subject = contract.subject(value)
    if told.subject is not None and told.subject != subject:
        findings.append(f"subject: {subject!r} by the data's {contract.key} ({told.subject[:200]!r})")
    return value


def _reused(told: Sequence[ToldEvent], verdicts: Sequence[Taken], *, is_batch: bool) -> Refusal:
    findings = [
        f"{f'events/{number}/' if is_batch else ''}id: {each.id!r} of {each.source} told something else"
        for number, (each, verdict) in enumerate(zip(told, verdicts, strict=True))
        if verdict is Taken.REUSED
    ]
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "an event's id stands for one fact",
        code="id_reused",
        hint="give the new fact an id of its own",
        findings=findings,
    )
