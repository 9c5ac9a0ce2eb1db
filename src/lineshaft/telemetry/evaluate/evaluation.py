"""The step from readings to facts: columns in, results out. One small interface, with several ways to do it.

Order. Of each tag a reading is *taken* when its device time is newer than that of the last one taken. Taken
readings are the live values and, if of good quality, move rules. A reading with the time of the last one is a
duplicate; after the tag went stale it makes the live value and the state that it says valid again, and
decides nothing. An older one is late: it counts in windows and goes to the lake, and changes no live value
and no other rule. It is a duplicate if its time is among the last 16 that the tag had, in the order of their
coming. A reading marked as historical is treated like a late one, whatever its time.

A reading more than 5 minutes ahead of its receipt is put in quarantine: noted as a fault, and nothing else. A
device's clock is not corrected: `Live` tells how far it is off. A stale reading has no order: it makes the
live value stale and tells rules that the device is gone. Readings of uncertain or bad quality are live values
and move the time of their tag; rules do not see them.

Readings of virtual tags follow those of their message, and are evaluated like others. A virtual tag goes
stale with any of its inputs, until its next value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshaft.core.values import ExceptionKind, Value
from lineshaft.telemetry.readings import Floats, Ints, Readings
from lineshaft.telemetry.rules.windows import NONE

__all__ = ["AHEAD_US", "NO_TIME", "Counters", "Evaluation", "Live", "Results"]

AHEAD_US = 5 * 60 * 1_000_000
NO_TIME = NONE


class Results(msgspec.Struct):
    """What follows from a batch, or from a tick.

    facts     in order of the readings that brought them about; the same whatever the borders of batches
    faults    (message, kind, cause without values); each topic, kind and cause once
    passed    per reading: it goes to the lake. Left out are repeats, quarantine, and what the deadband thins
    derived   readings of the virtual tags; derived_passed: which of them go to the lake
    """

    facts: list[Value]
    faults: list[tuple[int, ExceptionKind, str]] = []
    passed: NDArray[np.bool_] | None = None
    derived: Readings | None = None
    derived_passed: NDArray[np.bool_] | None = None


class Counters(msgspec.Struct):
    """Readings since the start of the process.

    taken        as live values
    duplicates   had before
    late         older than the last one taken
    historical   sent as history
    too_late     late or historical, for a window that is forgotten already
    quarantined  more than 5 minutes ahead of their receipt
    stale        told that their device is gone
    derived      of virtual tags, in all of the above as well
    """

    taken: int = 0
    duplicates: int = 0
    late: int = 0
    historical: int = 0
    too_late: int = 0
    quarantined: int = 0
    stale: int = 0
    derived: int = 0


class Live(msgspec.Struct, frozen=True):
    """The last reading taken of every tag; columns in the order of the tag list, virtual tags last.

    value     NaN where the device had none
    time      µs since 1970 as the device says, NO_TIME before the first reading
    received  when its message was stored; received - time is how far the device's clock is behind, with the
              way of the message
    quality   index in QUALITIES
    changed   indices of the tags of which any of this changed since the last call
    """

    value: Floats
    time: Ints
    received: Ints
    quality: NDArray[np.uint8]
    changed: Ints


class Evaluation(Protocol):
    """Holds the state of all tags and rules. Equal state and equal messages give equal facts, whatever the
    borders of the batches: no clock is asked but in `tick`."""

    counters: Counters

    def take(self, readings: Readings) -> Results:
        """A value of -0.0 is taken as 0.0."""
        ...

    def tick(self, now: int) -> Results:
        """Let time pass: about once a second, µs since 1970, and only while no message waits."""
        ...

    def live(self) -> Live: ...

    def saved(self) -> dict[str, bytes]:
        """All state but the counters. A part that did not change since is equal to what was given before."""
        ...

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Start from what was saved, also with other rules and tags. State is kept by rule and tag: what is
        new starts afresh, and what is gone is dropped.

        raises  PermanentFault naming a part that cannot be read
        """
        ...
