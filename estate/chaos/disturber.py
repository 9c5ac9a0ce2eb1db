"""Carries out a schedule: faults at the proxies, SIGKILL of the product, its NATS server and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import psutil

from estate.chaos.proxy import FaultProxy
from estate.chaos.schedule import REFUSED, Disturbance
from estate.product import Product
from lineshaft.app.bench.postgres import PostgresServer

__all__ = ["Disturber", "Recovery"]

_TIMED = ("http_503", "http_429")
_RETRY_AFTER_S = 1.0


class Recovery:
    """How long after a disturbance the work went on: seconds, by what was disturbed.

    A fault counts from its end to the next sound answer of that system; a kill from the kill to the next
    sound answer of any system, or for NATS to the next device message that it confirmed.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._since: dict[str, tuple[str, float]] = {}

    def begin(self, sign: str, what: str, at: float) -> None:
        """sign: what has to be heard of, a system, `any` or `backbone`; at: time.monotonic()"""
        self._since.setdefault(sign, (what, at))

    def heard(self, *signs: str) -> None:
        for sign in signs:
            if sign in self._since:
                what, since = self._since.pop(sign)
                self.seconds.setdefault(what, []).append(time.monotonic() - since)


class Disturber:
    """done: disturbances so far, by kind; a kill by what was killed. rest: lets so many seconds pass"""

    def __init__(
        self,
        product: Product,
        proxies: Mapping[str, FaultProxy],
        postgres: PostgresServer | None,
        recovery: Recovery,
        say: Callable[[str], None],
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.done: Counter[str] = Counter()
        self._product = product
        self._proxies = proxies
        self._postgres = postgres
        self._recovery = recovery
        self._say = say
        self._rest = rest
        self._one_kill = asyncio.Lock()

    async def run(self, planned: Sequence[Disturbance]) -> None:
        """Returns when the last one is over and every fault is lifted."""
        begun = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                for each in planned:
                    await self._rest(max(0.0, each.at_s - (time.monotonic() - begun)))
                    self._say(f"{each.at_s:7.1f} s  {each.kind} {each.target}" + _how_long(each))
                    tasks.create_task(self._kill(each.target) if each.kind == "kill" else self._fault(each))
        finally:
            for proxy in self._proxies.values():
                proxy.faults.clear()
                await proxy.admit()

    async def keep_up(self) -> None:
        """Start the product again when it ended by itself, as a supervisor would; until cancelled."""
        while True:
            await asyncio.sleep(0.2)
            if self._product.has_ended:
                async with self._one_kill:
                    self.done["ended by itself"] += 1
                    self._say("the product ended by itself and is started again")
                    await self._product.start()

    async def _fault(self, fault: Disturbance) -> None:
        proxy = self._proxies[fault.target]
        self.done[fault.kind] += 1
        if fault.kind == REFUSED:
            await proxy.refuse()
            await self._rest(fault.lasts_s)
            await proxy.admit()
        else:
            seconds = _RETRY_AFTER_S if fault.kind in _TIMED else None
            proxy.faults.add(fault.kind, times=fault.times, seconds=seconds)
            await self._rest(fault.lasts_s)
            proxy.faults.clear()
        self._recovery.begin(fault.target, "all faults", time.monotonic())

    async def _kill(self, target: str) -> None:
        async with self._one_kill:
            self.done[f"kill {target}"] += 1
            at = time.monotonic()
            if target == "node":
                await self._product.kill()
                await self._product.start()
                self._recovery.begin("any", f"kill {target}", at)
            elif target == "nats":
                with contextlib.suppress(psutil.NoSuchProcess):
                    for child in psutil.Process(self._product.pid).children(recursive=True):
                        if "nats-server" in Path(child.exe()).name:
                            child.kill()
                self._recovery.begin("backbone", f"kill {target}", at)
            elif self._postgres is not None:
                server = psutil.Process(self._postgres.pid)
                for process in (server, *server.children(recursive=True)):
                    process.kill()
                self._postgres.gone()
                await asyncio.to_thread(self._postgres.start)
                self._recovery.begin("any", f"kill {target}", at)


def _how_long(each: Disturbance) -> str:
    if each.kind == "kill":
        return ""
    return f", {each.times} requests" if each.times else f" for {each.lasts_s:.1f} s"
