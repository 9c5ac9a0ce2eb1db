"""Killed at any moment, and begun again from what was told: no row is lost, none is there twice."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tests.telemetry.lake.plant import ask

ONCE = """select tag, count(*), count(distinct sequence), min(sequence), max(sequence)
          from readings group by tag order by tag"""


def run_until_killed(
    root: Path, first: int, last: int, *place: str, lines: int = 0, after_s: float = 0
) -> int:
    """The last message that it told of. lines: it is killed so long after so many; else it ends by itself"""
    told = first - 1
    command = [
        sys.executable,
        "-m",
        "tests.telemetry.lake.crash_child",
        str(root),
        str(first),
        str(last),
        *place,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for number, line in enumerate(child.stdout):
            told = told if line.strip() == "open" else int(line)
            if number == lines > 0:
                try:
                    child.wait(after_s)
                except subprocess.TimeoutExpired:
                    child.kill()
    return told


def expected(last: int) -> list[tuple[object, ...]]:
    return [(tag, last, last, 1, last) for tag in ("t0", "t1", "t2")]


def test_killed_at_every_step_of_writing_and_merging_and_at_any_moment(tmp_path: Path) -> None:
    told = 0
    for place in [
        ("write", "after", "3"),
        ("commit", "before", "2"),
        ("merge", "after", "1"),
        ("commit", "after", "5"),
    ]:
        reached = run_until_killed(tmp_path, max(1, told - 4), told + 200, *place)
        assert reached < told + 200, f"it was not killed at {place}"
        told = max(told, reached)
    lines, after_s = random.randint(1, 5), random.uniform(0, 0.05)
    told = max(
        told, run_until_killed(tmp_path, max(1, told - 4), told + 10_000, lines=lines, after_s=after_s)
    )
    run_until_killed(tmp_path, max(1, told - 4), told + 20)
    assert ask(tmp_path, ONCE) == expected(told + 20), f"killed {after_s} s after line {lines}"
