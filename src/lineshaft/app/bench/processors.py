"""What the processes of a bench take of the processors, and so what limits it; told on Linux only."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

__all__ = ["Usage"]

_PROC = Path("/proc")
_OURS = "lineshaft"
_NAMES = {
    "nats-server": "nats",
    "node": "node_red",
    "MainThread": "node_red",  # what Node.js 24 calls itself
    "postgres": "postgres",
}
_BUSY = 0.9


class Usage:
    """Between its making and `told`: processor time of this process and of all its descendants by name."""

    def __init__(self) -> None:
        self._begun_at = time.perf_counter()
        self._before = _cpu_s()

    def told(self, posts: int) -> dict[str, Any]:
        """cpu_s_per_1000, by process; limited_by, in words."""
        wall_s = time.perf_counter() - self._begun_at
        took = {name: max(0.0, cpu_s - self._before.get(name, 0.0)) for name, cpu_s in _cpu_s().items()}
        return {
            "cpu_s_per_1000": {name: round(cpu_s / posts * 1000, 3) for name, cpu_s in took.items()},
            "limited_by": _limited_by({name: cpu_s / wall_s for name, cpu_s in took.items()}),
        }


def _limited_by(cores: dict[str, float]) -> str:
    """cores: how many processors each kept busy."""
    if not cores:
        return "unknown"
    there, taken = os.cpu_count() or 1, sum(cores.values())
    name, most = max(cores.items(), key=lambda each: each[1])
    if taken > _BUSY * there:
        return f"the machine: {taken:.1f} of {there} cores busy, {most:.1f} with {name}"
    if most > _BUSY:
        return f"{name}: {most:.1f} cores busy"
    return f"waiting for disk and network: {taken:.1f} of {there} cores busy, {most:.1f} with {name}"


def _cpu_s() -> dict[str, float]:
    """Of the processes that live now; a child of ours that is no known program is the target."""
    if not _PROC.joinpath("self/stat").exists():
        return {}
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    parent: dict[int, int] = {}
    used: dict[int, tuple[str, float]] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
        except OSError:  # it ended
            continue
        program = stat[stat.index("(") + 1 : stat.rindex(")")]
        fields = stat[stat.rindex(")") + 2 :].split()
        parent[int(folder.name)] = int(fields[1])
        used[int(folder.name)] = (program, (int(fields[11]) + int(fields[12])) / ticks_per_s)
    found = {_OURS: time.process_time()}
    for pid, (program, cpu_s) in used.items():
        above = parent[pid]
        while above in parent and above != os.getpid():
            above = parent[above]
        if above == os.getpid():
            name = _NAMES.get(program, "target")
            found[name] = found.get(name, 0.0) + cpu_s
    return found
