"""Fills a lake until it is killed: by its parent at any moment, or by itself at a call that is named.

`crash_child.py <folder> <first message> <messages> [<function> <before | after> <call>]`; prints each message
up to which a flush has returned.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from lineshaft.telemetry.lake import readings_table, upkeep
from lineshaft.telemetry.lake.lake import Lake
from lineshaft.telemetry.lake.upkeep import maintain
from tests.telemetry.lake.plant import POLICY, TAGS, batch, readings

_STEP = 10
_PLACES: dict[str, tuple[Any, str]] = {
    "commit": (DeltaTable, "create_write_transaction"),
    "write": (readings_table, "write_part"),
    "merge": (upkeep, "write_part"),
}


def _die_at(place: str, when: str, call: int) -> None:
    where, name = _PLACES[place]
    real, calls = getattr(where, name), 0

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*args, **kwargs)
        if calls == call and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(where, name, counted)


async def _fill(root: Path, first: int, last: int) -> None:
    lake = await Lake.open(str(root), TAGS, POLICY)
    day_after = datetime(2026, 5, 2, tzinfo=UTC)
    print("open", flush=True)
    for at in range(first, last + 1, _STEP):
        await lake.append(readings(batch(at, min(_STEP, last + 1 - at))))
        await asyncio.gather(lake.flush(), asyncio.to_thread(maintain, lake.root, POLICY, day_after))
        print(at + _STEP - 1, flush=True)
    await lake.close()


if __name__ == "__main__":
    if sys.argv[4:]:
        _die_at(sys.argv[4], sys.argv[5], int(sys.argv[6]))
    asyncio.run(_fill(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
