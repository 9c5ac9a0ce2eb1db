"""What a rule is on the tags that it watches: the one shape of every kind of rule, and of derived values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from lineshaft.core.values import ExceptionKind, Value
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.tags import Tag

__all__ = ["Derivation", "Found", "Watch", "WatchFault"]


class WatchFault(msgspec.Struct, frozen=True):
    """A reading that a rule cannot use.

    cause  place, what is wrong and the next step; no value, so that equal faults count as one row
    """

    cause: str
    kind: ExceptionKind = ExceptionKind.UNPOSTABLE_READING


Found: TypeAlias = Sequence[Value | WatchFault]


class Watch(Protocol):
    """One rule on one tag or one equipment, with its state. Moves with what it is handed, and by no clock.

    key           `<kind>/<rule>/<tag or equipment>`: key of its saved state
    inputs        name of a tag: its role; "value" where there is one input
    newest_only   True: of several readings in a row of a tag only the newest need be handed over, since those
                  before it leave no trace
    """

    @property
    def key(self) -> str: ...

    @property
    def inputs(self) -> Mapping[str, str]: ...

    @property
    def newest_only(self) -> bool: ...

    def take(self, role: str, reading: TakenReading) -> Found:
        """A reading of good quality, newer than all before it of its tag. Those of one message come in the
        order of the message."""
        ...

    def lost(self, role: str, at: int) -> Found:
        """The device of this input is gone since `at`, µs since 1970; `take` or `confirmed` ends that."""
        ...

    def confirmed(self, role: str, reading: TakenReading) -> Found:
        """The device of this input is back and says its last reading again, with the time that it had: it was
        taken before, and is known again from its receipt on."""
        ...

    def tick(self, now: int) -> Sequence[Value]:
        """Wall clock, µs since 1970: about once a second, and only while no message waits."""
        ...

    def saved(self) -> bytes: ...

    def restore(self, data: bytes) -> None:
        """Go on from what `saved` gave, also that of an earlier version of the rule.

        raises  PermanentFault, through `read_state`
        """
        ...


class Derivation(Protocol):
    """A tag that no device sends: its readings follow from those of other tags.

    key      `derived/<id>/<asset>`: key of its saved state
    tag      the virtual tag; rules apply to it like to any other
    inputs   name of a tag, virtual ones excepted: its role
    """

    @property
    def key(self) -> str: ...

    @property
    def tag(self) -> Tag: ...

    @property
    def inputs(self) -> Mapping[str, str]: ...

    def take(self, time: int, values: Mapping[str, float]) -> tuple[int, float] | WatchFault | None:
        """(time, finite value) of the virtual tag, if there is one.

        time    µs since 1970; within a message in ascending order, across messages in any
        values  by role: every input of which the message brought a reading of good quality at this time that
                is newer than all before it of its tag, or confirms the last one after the device was gone
        """
        ...

    def lost(self, role: str, at: int) -> None:
        """The device of this input is gone since `at`. The virtual tag is stale until its next value."""
        ...

    def saved(self) -> bytes: ...

    def restore(self, data: bytes) -> None: ...
