"""A machine's runs, and the stops between them."""

from __future__ import annotations

import random

from estate.plant import REASONS, Machine

__all__ = ["RunsAndStops"]

PRODUCTION, EXECUTE, HELD = 1, 6, 11
RUN_S = (90.0, 240.0)
STOP_S = (4.0, 75.0)
"""Shortest and longest. The machine holds by itself, as PackML has it for a fault inside of it."""


class RunsAndStops:
    """mode, stop_reason and state, in this order, with PackML's numbers; the reason is 0 while it runs."""

    def __init__(self, machine: Machine, *, seed: int = 1) -> None:
        self._random = random.Random(f"stops of {machine.equipment} {seed}")
        self._left_s = self._random.uniform(*RUN_S)
        self._signal = 0
        self.is_running = True

    def pass_time(self, elapsed_s: float) -> float:
        """The seconds of these in which it ran."""
        ran_s = 0.0
        while elapsed_s > 0:
            step_s = min(elapsed_s, self._left_s)
            ran_s += step_s * self.is_running
            elapsed_s -= step_s
            self._left_s -= step_s
            if self._left_s <= 0:
                self._turn()
        return ran_s

    def values(self) -> dict[str, float]:
        state = EXECUTE if self.is_running else HELD
        return {"mode": float(PRODUCTION), "stop_reason": float(self._signal), "state": float(state)}

    def _turn(self) -> None:
        self.is_running = not self.is_running
        self._left_s = self._random.uniform(*(RUN_S if self.is_running else STOP_S))
        signals = [reason.signal for reason in REASONS if reason.signal]
        self._signal = 0 if self.is_running else self._random.choice(signals)
