"""When what goes wrong: drawn from a seed, so that the same seed disturbs a run in the same way."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from estate.systems.faults import FaultKind

__all__ = ["FAULTS", "KILLS", "REFUSED", "SYSTEMS", "Disturbance", "schedule"]

REFUSED = "refused"
FAULTS: Sequence[str] = (REFUSED, *FaultKind)
KILLS: Sequence[str] = ("node", "nats", "postgres")
SYSTEMS: Sequence[str] = ("cmms", "inventory", "mes", "planning", "erp")
_FAULT_EVERY_S = (0.5, 3.0)
_KILL_EVERY_S = (5.0, 14.0)
_ONCE_WITHIN_S = 2.0
_LASTS_S = (1.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """at_s   seconds after the start
    kind     a kind of fault, `refused`, or `kill`
    target   a system, or what is killed
    lasts_s  until it is lifted
    times    requests that it hits in that time; None: every one
    """

    at_s: float
    kind: str
    target: str
    lasts_s: float = 0.0
    times: int | None = None


def schedule(seed: int, seconds: float, faults: Sequence[str], kills: Sequence[str]) -> list[Disturbance]:
    """Faults hit a few requests, or all for a while, one at a time per system; kills come beside them."""
    planned = [*_faults(random.Random(f"faults {seed}"), seconds, faults)] if faults else []
    if kills:
        planned += _kills(random.Random(f"kills {seed}"), seconds, kills)
    return sorted(planned, key=lambda each: each.at_s)


def _faults(chance: random.Random, seconds: float, kinds: Sequence[str]) -> Iterator[Disturbance]:
    deck, free_at = _deck(chance, kinds), dict.fromkeys(SYSTEMS, 0.0)
    at_s = chance.uniform(*_FAULT_EVERY_S)
    while at_s < seconds:
        free = [system for system in SYSTEMS if free_at[system] <= at_s]
        if free:
            system, kind = chance.choice(free), next(deck)
            once = kind != REFUSED and chance.random() < 0.5
            longest_s = max(_LASTS_S[0], min(_LASTS_S[1], seconds / 8))
            lasts_s = _ONCE_WITHIN_S if once else chance.uniform(_LASTS_S[0], longest_s)
            lasts_s = min(lasts_s, seconds - at_s)
            times = chance.randint(1, 4) if once else None
            yield Disturbance(at_s=at_s, kind=kind, target=system, lasts_s=lasts_s, times=times)
            free_at[system] = at_s + lasts_s
        at_s += chance.uniform(*_FAULT_EVERY_S)


def _kills(chance: random.Random, seconds: float, kills: Sequence[str]) -> Iterator[Disturbance]:
    deck, at_s = _deck(chance, kills), chance.uniform(*_KILL_EVERY_S)
    while at_s < seconds:
        yield Disturbance(at_s=at_s, kind="kill", target=next(deck))
        at_s += chance.uniform(*_KILL_EVERY_S)


def _deck(chance: random.Random, cards: Sequence[str]) -> Iterator[str]:
    """Each card comes once before any comes again."""
    while True:
        yield from chance.sample(cards, len(cards))
