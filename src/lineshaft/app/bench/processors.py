"""What the processes of a bench take of the processors, and so what limits it; told on Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["Usage", "limited_by"]

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
    """Between its making and the question: processor time of this process and of all its descendants by name.

    known   names by process id, of those that their program's name does not tell
    """

    def __init__(self, known: Mapping[int, str] = MappingProxyType({})) -> None:
        self._known = known
        self._begun_at = time.perf_counter()
        self._before, self._busy_before = _cpu_s(known), _busy_s()

    def told(self, posts: int) -> dict[str, Any]:
        """cpu_s_per_1000, by process; limited_by, in words."""
        took, _, limited = self._took()
        return {
            "cpu_s_per_1000": {name: round(cpu_s / posts * 1000, 3) for name, cpu_s in took.items()},
            "limited_by": limited,
        }

    def cores(self) -> dict[str, Any]:
        """cores: how many each process kept busy; limited_by, in words."""
        _, cores, limited = self._took()
        return {"cores": {name: round(busy, 2) for name, busy in cores.items()}, "limited_by": limited}

    def _took(self) -> tuple[dict[str, float], dict[str, float], str]:
        wall_s = time.perf_counter() - self._begun_at
        busy = (_busy_s() - self._busy_before) / wall_s
        now = _cpu_s(self._known)
        took = {name: max(0.0, cpu_s - self._before.get(name, 0.0)) for name, cpu_s in now.items()}
        cores = {name: cpu_s / wall_s for name, cpu_s in took.items()}
        return took, cores, limited_by(cores, busy, os.cpu_count() or 1)


def limited_by(cores: dict[str, float], busy: float, there: int) -> str:
    """cores: how many processors each kept busy; busy: all programs together; there: how many there are."""
    if not cores:
        return "unknown"
    taken = sum(cores.values())
    name, most = max(cores.items(), key=lambda each: each[1])
    share = f"{taken:.1f} of {there} cores busy, {most:.1f} with {name}"
    if taken > _BUSY * there:
        return f"the machine: {share}"
    if most > _BUSY:
        return f"{name}: {share}"
    if busy > _BUSY * there:
        return f"other programs, {busy - taken:.1f} cores: {share}"
    return f"waiting for disk and network: {share}"


def _busy_s() -> float:
    """Of all processors together, since the machine started; source  proc(5), /proc/stat"""
    if not _PROC.joinpath("stat").exists():
        return 0.0
    user, nice, system, _idle, _waiting, *interrupted = (_PROC / "stat").read_text().split(None, 9)[1:9]
    ticks = sum(int(each) for each in (user, nice, system, *interrupted))
    return ticks / os.sysconf("SC_CLK_TCK")


def _cpu_s(known: Mapping[int, str]) -> dict[str, float]:
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
            name = known.get(pid) or _NAMES.get(program, "target")
            found[name] = found.get(name, 0.0) + cpu_s
    return found
