"""A day of a line of machines, made by a seed: they run, stop, count, wrap, lose power and have wrong clocks,
and their messages come late, twice or never."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

import msgspec

from lineshaft.core.values import RawBatch
from lineshaft.model.equipment_state import PackMLState

from .plant import HEADER, T0

S = 1_000_000
START = int(T0.timestamp()) * S
EVERY_S, WINDOW_S = 30, 300
EXECUTE, STOPPED, HELD = (int(s) for s in (PackMLState.EXECUTE, PackMLState.STOPPED, PackMLState.HELD))
LIMIT, RELEASE, DEBOUNCE_S, MINOR_STOP_S, MAXIMUM = 8.0, 7.0, 60, 300, 65_535
RULE = {"version": "1", "applies_to": {"asset_class": "machine"}}
RULES: list[dict[str, object]] = [
    {**RULE, "id": "state", "property": "state", "kind": "state", "packml": True},
    {**RULE, "id": "good", "property": "good", "kind": "counter", "max_rate_per_s": 5, "maximum": MAXIMUM,
     "reset_below": 100},
    {**RULE, "id": "high", "property": "pressure", "kind": "high", "limit": LIMIT, "unit": "BAR",
     "hysteresis": LIMIT - RELEASE, "debounce_s": DEBOUNCE_S, "severity": 500},
    {**RULE, "id": "windows", "property": "pressure", "kind": "window", "every_s": WINDOW_S},
]  # fmt: skip


class Sent(msgspec.Struct, frozen=True):
    """One message.

    time      µs, of the device's clock
    made      pieces since the day began; shown: what the counter shows of them
    quality   "gone": the device says so
    """

    received: int
    machine: int
    time: int
    state: int
    made: int
    shown: int
    bar: float
    quality: str = "good"

    @property
    def payload(self) -> bytes:
        values = {"state": self.state, "good": self.shown, "pressure": self.bar}
        quality = "stale" if self.quality == "gone" else self.quality
        return json.dumps({"values": values, "time": self.time // 1000, "quality": quality}).encode()


def tags_csv(machines: int) -> str:
    rows = (
        f"M{n}.{name},line/m{n},{name},{name},EQ-{n},M-{n},{unit},,machine\n"
        for n in range(machines)
        for name, unit in (("state", "C62"), ("good", "C62"), ("pressure", "BAR"))
    )
    return HEADER + "".join(rows)


def a_day(seed: int, machines: int, hours: float) -> list[Sent]:
    """In the order in which the backbone stores it."""
    sent = [
        one
        for number in range(machines)
        for one in _machine(random.Random(f"{seed}/{number}"), number, hours)
    ]
    return sorted(sent, key=lambda one: (one.received, one.machine))


def _spells(
    dice: random.Random, steps: int, lengths: Sequence[int], pause: tuple[int, int]
) -> Iterator[range]:
    """Stretches of these lengths, with pauses between them."""
    at = dice.randint(*pause)
    while at < steps:
        length = dice.choice(lengths)
        yield range(at, at + length)
        at += length + dice.randint(*pause)


def _machine(dice: random.Random, number: int, hours: float) -> Iterator[Sent]:
    steps = int(hours * 3600 / EVERY_S)
    still: dict[int, int] = {}
    for spell in _spells(dice, steps, (2, 5, 12, 14, 16, 30, 90), (30, 300)):
        still |= dict.fromkeys(spell, dice.choice((STOPPED, HELD)))
    beyond = {s for spell in _spells(dice, steps, (1, 2, 3, 4, 8, 40), (40, 400)) for s in spell}
    gone, resets = _power(dice, steps, still)
    silent = {s for spell in _spells(dice, steps, (3, 20, 60), (400, 1500)) for s in spell}
    calm = {near for s in (*gone, *resets) for near in range(s - 3, s + 4)}
    wrong_clock = range(steps // 2, steps // 2 + 180) if number % 7 == 3 else range(0)
    offset = dice.randint(-120, 120) * S
    alone = silent | gone.keys() | set(wrong_clock)
    made, since = 0, 0
    shown = MAXIMUM - dice.randint(1000, 20_000)
    for step in range(steps):
        pieces = 0 if step in still else dice.randint(10, 40)
        made, since = made + pieces, since + pieces
        now = START + (step * EVERY_S + number % EVERY_S) * S + dice.randint(0, 900) * 1000
        ahead = 500 * S if step in wrong_clock and step not in calm else 0
        one = Sent(
            received=now + dice.randint(20, 400) * 1000,
            machine=number,
            time=now + offset + ahead,
            state=still.get(step, EXECUTE),
            made=made,
            shown=(shown + since) % (MAXIMUM + 1),
            bar=(36 if step in beyond else dice.randint(10, 31)) / 4,
        )
        if step in gone:
            if gone[step]:
                yield msgspec.structs.replace(one, quality="gone")
                shown, since = 0, 0
        elif step in calm or ahead:
            yield one
        elif step not in silent:
            # What is late is overtaken: else ticks may have told its window without it.
            late = dice.random() < 0.02 and alone.isdisjoint((step - 1, step + 1))
            alone |= {step} if late else set()
            yield from _disturbed(dice, one, late=late)
        if step in resets and one.shown < MAXIMUM - 1000:  # nearer to it nobody can tell it from a wrap
            shown, since = 0, 0


def _power(dice: random.Random, steps: int, still: dict[int, int]) -> tuple[dict[int, bool], set[int]]:
    """(steps without power: True for the first; steps after which the counter begins anew), while it runs"""
    gone: dict[int, bool] = {}
    for spell in _spells(dice, steps, (10, 30), (500, 1500)):
        if not any(near in still for near in range(spell[0] - 4, spell[-1] + 5)):
            gone.update({s: s == spell[0] for s in spell})
    resets = {s for s in range(steps // 3, steps, steps // 3)
              if not any(near in still or near in gone for near in range(s - 4, s + 5))}  # fmt: skip
    return gone, resets


def _disturbed(dice: random.Random, one: Sent, *, late: bool) -> Iterator[Sent]:
    luck = dice.random()
    if late:
        yield msgspec.structs.replace(one, received=one.received + dice.randint(25, 500) * S)
    elif luck < 0.01:
        yield msgspec.structs.replace(one, quality="uncertain")
    else:
        yield one
        if luck > 0.98:
            yield msgspec.structs.replace(one, received=one.received + dice.randint(1, 60) * S)


def batch_of(sent: Sequence[Sent], first: int) -> RawBatch:
    return RawBatch(
        stream="RAW",
        topics=[f"line/m{one.machine}" for one in sent],
        payloads=[one.payload for one in sent],
        stored_us=[one.received for one in sent],
        sequences=list(range(first, first + len(sent))),
    )
