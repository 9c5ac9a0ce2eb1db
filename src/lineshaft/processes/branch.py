"""One line of steps: the function itself, a branch of a gather, or an undo."""

from __future__ import annotations

import asyncio
import random
from contextvars import ContextVar
from datetime import datetime

from lineshaft.core.ids import business_key
from lineshaft.core.values import Event
from lineshaft.processes.records import Pending, Step
from lineshaft.processes.stops import Stopped

__all__ = ["CURRENT", "Branch"]


class Branch:
    """prefix: of the paths of its steps; now: when its last step ended, RFC 3339."""

    __slots__ = (
        "_ids",
        "_random",
        "ended",
        "events",
        "next_number",
        "now_text",
        "pending",
        "prefix",
        "seed",
        "steps",
        "under_way",
    )

    def __init__(self, prefix: str, now_text: str, seed: str) -> None:
        self.prefix = prefix
        self.now_text = now_text
        self.seed = seed
        self.next_number = 0
        self.under_way = False
        self.ended: BaseException | None = None
        self.steps: list[Step] = []  # have an outcome, and are not in the journal yet
        self.events: list[Event] = []  # published, and not in the outbox yet
        self.pending: list[Pending] = []  # the branch is suspended at these
        self._random: random.Random | None = None
        self._ids = 0

    def __enter__(self) -> Branch:
        self.under_way = True
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """After its end (say, in a `finally`) a branch takes no more steps."""
        self.under_way = False
        if isinstance(error, Stopped | asyncio.CancelledError):
            self.ended = error

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.now_text)

    def take(self) -> str:
        """The path of the step that is due."""
        path = f"{self.prefix}{self.next_number}"
        self.next_number += 1
        return path

    def absorb(self, other: Branch) -> None:
        """What a branch left, when it has ended."""
        self.steps += other.steps
        self.events += other.events
        self.pending += other.pending
        self.now_text = max(self.now_text, other.now_text)

    @property
    def random(self) -> random.Random:
        if self._random is None:
            self._random = random.Random(f"{self.seed}/{self.prefix}")  # noqa: S311 - repeatable on purpose
        return self._random

    def new_id(self) -> str:
        self._ids += 1
        return business_key("id", self.seed, self.prefix, str(self._ids))


CURRENT: ContextVar[Branch] = ContextVar("branch")
