from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lineshaft.app.bench.child import child
from lineshaft.app.bench.processors import Usage, limited_by

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="told on Linux only")


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_this_process_took_is_told_per_thousand() -> None:
    usage = Usage()
    burn(0.2)  # told in ticks of 10 ms
    told = usage.told(posts=50)
    assert 2.0 <= told["cpu_s_per_1000"]["lineshaft"] < 20.0


async def test_what_a_child_took_is_its_own() -> None:
    usage = Usage()
    async with child("lineshaft.app.bench.target") as server:
        await server.ask({}, within_s=60)
        told = usage.told(posts=1000)
    assert told["cpu_s_per_1000"]["target"] > 0
    assert os.path.basename(sys.executable) not in told["cpu_s_per_1000"]


@pytest.mark.parametrize(
    ("cores", "busy", "says"),
    [
        ({}, 0.0, "unknown"),
        ({"lineshaft": 0.3, "postgres": 0.1}, 0.5, "waiting for disk and network: 0.4 of 2 cores"),
        ({"lineshaft": 0.3, "postgres": 0.1}, 1.9, "other programs, 1.5 cores: 0.4 of 2 cores"),
        ({"lineshaft": 0.95, "postgres": 0.5}, 1.9, "lineshaft: 1.4 of 2 cores"),
        ({"lineshaft": 0.95, "postgres": 0.95}, 1.9, "the machine: 1.9 of 2 cores"),
    ],
)
def test_what_limits(cores: dict[str, float], busy: float, says: str) -> None:
    assert limited_by(cores, busy, there=2).startswith(says)
