"""What devices did that they may not, as the server's log tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from lineshaft.backbone.monitoring import users_of
from lineshaft.backbone.topics import subject_to_topic

__all__ = ["Incident", "IncidentKind", "read_incidents", "with_users"]

_LINE = re.compile(
    rb"^\[(?P<server>\d+)\] (?P<at>\S+ \S+) \[\w+\] (?P<address>\S+) - mid:(?P<cid>\d+)"
    rb' - "(?P<client_id>(?:[^"\\]|\\.)*)" - '
    rb'(?:(?P<verb>Publish|Subscription) Violation - .*?Subject "(?P<subject>(?:[^"\\]|\\.)*|[^",]*)'
    rb'|Replacing old client "\S+ - mid:(?P<other>\d+) )',
    re.MULTILINE,
)


class IncidentKind(StrEnum):
    PUBLISH_DENIED = "publish_denied"
    SUBSCRIBE_DENIED = "subscribe_denied"
    CLIENT_ID_TAKEN = "client_id_taken"


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """at: of the first of `count`; cid, user: who did it; topic: what was denied; other_cid, other_user:
    whose connection was put out, as another device came with its client id; server: the process id in which
    connections have these numbers."""

    kind: IncidentKind
    at: datetime
    address: str
    client_id: str
    server: int
    cid: int
    topic: str = ""
    other_cid: int = 0
    user: str = ""
    other_user: str = ""
    count: int = 1

    def __str__(self) -> str:
        who = f"{self.user or 'a device'} ({self.address}, client id {self.client_id!r})"
        if self.kind is IncidentKind.CLIENT_ID_TAKEN:
            return f"{who} came with the client id of {self.other_user or 'another device'} and put it out"
        verb = "publish to" if self.kind is IncidentKind.PUBLISH_DENIED else "subscribe to"
        return f"{who} may not {verb} {self.topic}; it tried {self.count} times"


def read_incidents(log: bytes) -> list[Incident]:
    """Of the lines of a log, in their order; the same thing by the same connection once, counted."""
    found: dict[tuple[IncidentKind, int, int, str], Incident] = {}
    for incident in _each(log):
        key = (incident.kind, incident.server, incident.cid, incident.topic)
        before = found.get(key)
        found[key] = msgspec.structs.replace(before, count=before.count + 1) if before else incident
    return list(found.values())


async def with_users(incidents: Sequence[Incident], monitor_url: str, server: int) -> list[Incident]:
    """With names as far as this server knows them, and without a device that only replaced its own dead
    connection.

    raises  TransientFault when the server does not answer
    """
    ours = [each for each in incidents if each.server == server]
    users = await users_of(monitor_url, {cid for each in ours for cid in (each.cid, each.other_cid) if cid})
    named = [
        msgspec.structs.replace(each, user=users.get(each.cid, ""), other_user=users.get(each.other_cid, ""))
        if each.server == server
        else each
        for each in incidents
    ]
    taken = IncidentKind.CLIENT_ID_TAKEN
    return [each for each in named if each.kind is not taken or each.user != each.other_user]


def _each(log: bytes) -> Iterator[Incident]:
    for found in _LINE.finditer(log):
        verb = found["verb"]
        kind = IncidentKind.CLIENT_ID_TAKEN
        if verb is not None:
            kind = IncidentKind.PUBLISH_DENIED if verb == b"Publish" else IncidentKind.SUBSCRIBE_DENIED
        yield Incident(
            kind=kind,
            at=datetime.strptime(found["at"].decode(), "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=UTC),
            address=found["address"].decode(errors="replace"),
            client_id=found["client_id"].decode(errors="replace"),
            server=int(found["server"]),
            cid=int(found["cid"]),
            topic=subject_to_topic((found["subject"] or b"").decode(errors="replace")),
            other_cid=int(found["other"] or 0),
        )
