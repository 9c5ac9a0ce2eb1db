"""What a machine's values do over time, apart from how they are published."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from estate.machines.stops import RunsAndStops
from estate.plant import Machine

__all__ = ["Behaviour", "FillerBehaviour", "SteadyBehaviour"]

NORMAL_BAR = 3.2
BREACH_BAR = 4.9
BAR_PER_S = 2.5
NOISE_BAR = 0.03


class Behaviour(Protocol):
    def values(self, elapsed_s: float) -> dict[str, float]:
        """Property → value, after elapsed_s seconds more. Called from the machine's thread only."""
        ...


class FillerBehaviour:
    """pressure (bar), temperature (°C), speed (rotor, rpm), count (bottles), and what RunsAndStops tells.

    After breach() the pressure rises by 2.5 bar/s to 4.9 bar, beyond the limit of 4.5, and stays there; after
    recover() it falls back to 3.2 at the same rate. Both may be called from any thread.
    """

    def __init__(self, machine: Machine, *, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._bottles_per_s = machine.units_per_min / 60
        self._runs = RunsAndStops(machine, seed=seed)
        self._target_bar = NORMAL_BAR
        self._bar = NORMAL_BAR
        self._temperature = 7.5
        self._count = 0.0

    def breach(self) -> None:
        self._target_bar = BREACH_BAR

    def recover(self) -> None:
        self._target_bar = NORMAL_BAR

    @property
    def breached(self) -> bool:
        return self._target_bar > NORMAL_BAR

    def values(self, elapsed_s: float) -> dict[str, float]:
        step = BAR_PER_S * elapsed_s
        self._bar += min(step, max(-step, self._target_bar - self._bar))
        share = 0.6 if self.breached else 1.0
        self._count += self._bottles_per_s * share * self._runs.pass_time(elapsed_s)
        self._temperature += (7.5 - self._temperature) * 0.05 + self._random.gauss(0, 0.02)
        return {
            "pressure": round(self._bar + self._random.uniform(-NOISE_BAR, NOISE_BAR), 3),
            "temperature": round(self._temperature, 2),
            "speed": round(7.5 * share * self._runs.is_running + self._random.gauss(0, 0.01), 3),
            "count": float(int(self._count)),
            **self._runs.values(),
        }


@dataclass(frozen=True)
class Level:
    mean: float
    spread: float


LEVELS = {
    "CAPPER-01": {
        "torque_current": Level(6.2, 0.1),
        "temperature": Level(31, 0.2),
        "vibration": Level(1.4, 0.05),
    },
    "LABELLER-01": {"temperature": Level(28, 0.2), "current": Level(3.1, 0.05)},
    "PALLETISER-01": {
        "temperature": Level(26, 0.2),
        "current": Level(11.5, 0.4),
        "vibration": Level(2.1, 0.1),
    },
}
"""What the other machines publish: property → mean and spread, in the units of the tag list."""


class SteadyBehaviour:
    """Values that wander around their usual level, a count that grows, and what RunsAndStops tells."""

    def __init__(self, machine: Machine, *, seed: int = 1) -> None:
        self._random = random.Random(f"{machine.equipment}{seed}")
        self._levels = LEVELS[machine.equipment]
        self._wander = dict.fromkeys(self._levels, 0.0)
        self._units_per_s = machine.units_per_min / 60
        self._runs = RunsAndStops(machine, seed=seed)
        self._count = 0.0

    def values(self, elapsed_s: float) -> dict[str, float]:
        self._count += self._units_per_s * self._runs.pass_time(elapsed_s)
        found = {"count": float(int(self._count))}
        for name, level in self._levels.items():
            self._wander[name] = 0.9 * self._wander[name] + self._random.gauss(0, level.spread)
            found[name] = round(level.mean + self._wander[name], 3)
        return found | self._runs.values()
