"""What is known of plants, their nodes and machines, as screens are told it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from lineshaft.core.values import Value

__all__ = [
    "Condition",
    "Effect",
    "Firing",
    "MachineFacts",
    "NodeSeen",
    "OpenWork",
    "Place",
    "PlantTotals",
    "RuleFacts",
    "StateSpan",
    "Stop",
    "TagFacts",
]


class Condition(StrEnum):
    """Of a machine, from the one that most needs a person to the one that least does.

    DOWN      a stop in production that lasts longer than a minor one
    BEYOND    a value is beyond its limit now
    ALARM     the machine raised one, and it stands
    SILENT    its devices are gone: what was last known may be over
    STANDING  it does not produce, and nobody said that it should
    NORMAL    its values come and keep their limits; whether it produces, nobody tells
    """

    DOWN = "down"
    BEYOND = "limit exceeded"
    ALARM = "alarm"
    SILENT = "silent"
    UNKNOWN = "no news"
    STANDING = "standing"
    NORMAL = "normal"
    RUNNING = "running"


class PlantTotals(Value, frozen=True, kw_only=True):
    """machines: how many there are in each condition; at: of the newest event about any of them"""

    plant: str
    machines: dict[Condition, int]
    at: datetime | None = None


class NodeSeen(Value, frozen=True, kw_only=True):
    """A node on this database. plant: empty where it never said so; seen_at: None: before that was noted"""

    name: str
    plant: str
    alive: bool
    seen_at: datetime | None = None


class Place(Value, frozen=True, kw_only=True):
    """Of equipment, as master data say. path: from the enterprise down, `/` separated"""

    id: str
    level: str = ""
    parent: str = ""
    path: str = ""


class MachineFacts(Value, frozen=True, kw_only=True):
    """assets: physical ones in the equipment; work: open maintenance requests and orders"""

    id: str
    plant: str
    assets: tuple[str, ...] = ()
    condition: Condition = Condition.UNKNOWN
    at: datetime | None = None
    work: int = 0


class RuleFacts(Value, frozen=True, kw_only=True):
    """said: what it says, in the unit of its tag; severity: 1 to 1000, 0 where it has none

    limit, release   where it breaks and where it ends, of a limit on the value; else None
    """

    id: str
    version: str
    kind: str
    said: str
    severity: int = 0
    limit: float | None = None
    release: float | None = None


class TagFacts(Value, frozen=True, kw_only=True):
    """unit: of its readings, UNECE Rec 20 code; topic: empty of a virtual tag"""

    tag: str
    equipment_id: str
    physical_asset_id: str
    property: str
    unit: str
    topic: str = ""
    asset_class: str = ""
    rules: tuple[RuleFacts, ...] = ()


class StateSpan(Value, frozen=True, kw_only=True):
    """A state of the machine, in words, from its start to the next one; end None: it lasts."""

    state: str
    condition: Condition
    start: datetime
    end: datetime | None = None


class Stop(Value, frozen=True, kw_only=True):
    """A downtime; end None: it lasts. upstream: equipment that had stopped before, empty without one"""

    event_id: str
    start: datetime
    end: datetime | None = None
    reason: str = ""
    upstream: str = ""


class Effect(Value, frozen=True, kw_only=True):
    """A process that an event began, and the documents that came of its story."""

    process_id: str
    type: str
    state: str
    documents: tuple[str, ...] = ()


class Firing(Value, frozen=True, kw_only=True):
    """A rule told an event. story: its correlation id; value, limit: in `unit`, None where it has none"""

    event_id: str
    story: str
    rule: str
    version: str
    at: datetime
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    effects: tuple[Effect, ...] = ()


class OpenWork(Value, frozen=True, kw_only=True):
    """A process or an exception about the machine that is not over. at: since when

    kind    process, exception
    detail  what it waits for, or why it is one
    """

    kind: str
    id: str
    title: str
    state: str
    detail: str = ""
    at: datetime | None = None
