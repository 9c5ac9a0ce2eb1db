"""One counter: its steps, what each of them counts, and what they come to in windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value, moment_of
from lineshaft.model.aggregates import CountAggregate
from lineshaft.telemetry.readings import TakenReading
from lineshaft.telemetry.rules.watch import Found, WatchFault
from lineshaft.telemetry.state import read_state
from lineshaft.telemetry.tags import Tag

__all__ = ["HIGHEST_COUNT", "CounterSpec", "CounterWatch"]

HIGHEST_COUNT = 2**53
"""Beyond it binary floats cannot count by one."""

_DIGITS = Decimal("1e-9")


class CounterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Counts in the target unit of the tag, times in µs; reset_tag is empty without one."""

    rule: str
    rule_version: str
    tag: Tag
    max_rate_per_s: float
    maximum: float | None
    reset_below: float | None
    reset_tag: str
    window_us: int
    grace_us: int


class _Part(msgspec.Struct):
    """What one epoch counted in one window, so far."""

    start: int
    end: int
    from_count: Decimal
    to_count: Decimal
    quantity: Decimal = Decimal(0)
    complete: bool = True


class _State(msgspec.Struct):
    """What is saved; times in µs.

    last, time   the last count and its time, None before the first one after a birth
    epoch        when the counter was born or reset
    flag         of resets, as last told
    reset        one is announced and not seen yet
    told_until   end of the last window that was told because it was over
    lag          how much later than its time the last count came
    """

    last: Decimal | None = None
    time: int = 0
    epoch: int = 0
    flag: bool = False
    reset: bool = False
    part: _Part | None = None
    told_until: int = 0
    lag: int = 0


class CounterWatch:
    """Each step between two counts is one of these, the first that fits:

    difference   a rise
    reset        a fall that was announced since the last rise; the new count was counted since
    wrap         a fall because 0 comes after `maximum`
    reset        a fall to at most `reset_below`
    unexplained  counts nothing, is a fault, and makes the count that it led to the baseline of a new epoch

    A step is explained only if it comes to no more than can be counted in the time between (a second and one
    count at least, as clocks and receipts are no finer). It belongs, whole, to the window of its later count.
    The first count after a birth is a baseline. A count of a window that is already told goes to the one
    after it, so what is told never changes: the quantities of an epoch add up to what it counted.
    """

    newest_only = False

    def __init__(self, spec: CounterSpec) -> None:
        self.spec = spec
        self.key = f"counter/{spec.rule}/{spec.tag.tag}"
        roles = {spec.tag.tag: "value", spec.reset_tag: "reset"}
        self.inputs: Mapping[str, str] = {tag: role for tag, role in roles.items() if tag}
        self._modulus = _exact(spec.maximum) + 1 if spec.maximum is not None else Decimal(0)
        self._reset_below = -1.0 if spec.reset_below is None else spec.reset_below
        self._state = _State()

    def take(self, role: str, reading: TakenReading) -> Found:
        if role == "reset":
            return self._take_flag(reading.value != 0)
        state, time = self._state, reading.time
        if not 0 <= reading.value <= (HIGHEST_COUNT if self.spec.maximum is None else self.spec.maximum):
            return (self._fault("a count is below 0 or beyond the maximum; check the device and `maximum`"),)
        count, last, elapsed = _exact(reading.value), state.last, time - state.time
        state.last, state.time, state.lag = count, time, reading.received - time
        if last is None:
            return self._begin(time, count, count)
        step = self._step(last, count, elapsed)
        if step is not None:
            anew, quantity = step
            if anew:
                return self._begin(time, count - quantity, count)
            state.reset = state.reset and not quantity
            return self._add(time, last, count, quantity)
        told = self._begin(time, count, count, complete=False)
        fault = "a step is no rise, reset or wrap that the counter can make; compare with the machine"
        return (*told, self._fault(f"{fault}, and see `max_rate_per_s`, `maximum` and `reset_below`"))

    def _take_flag(self, up: bool) -> Found:
        self._state.reset = self._state.reset or (up and not self._state.flag)
        self._state.flag = up
        return ()

    def _step(self, last: Decimal, count: Decimal, elapsed_us: int) -> tuple[bool, Decimal] | None:
        """(a new epoch begins with it, what it counts); None if it cannot be explained."""
        most = max(1, self.spec.max_rate_per_s * max(elapsed_us, 1_000_000) / 1_000_000)
        wrapped = count - last + self._modulus
        if count >= last:
            step = False, count - last
        elif not self._state.reset and self._modulus and wrapped <= most:
            step = False, wrapped
        elif self._state.reset or count <= self._reset_below:
            step = True, count
        else:
            return None
        return step if step[1] <= most else None

    def lost(self, role: str, at: int) -> Found:
        if role == "value":
            self._state.last = None
        return ()

    def confirmed(self, role: str, reading: TakenReading) -> Found:
        """The counter may have counted since: the baseline is the next count."""
        return ()

    def tick(self, now: int) -> Sequence[Value]:
        part = self._state.part
        if part is None or now - self._state.lag < part.end + self.spec.grace_us:
            return ()
        return self._close(over=True)

    def saved(self) -> bytes:
        return msgspec.msgpack.encode(self._state)

    def restore(self, data: bytes) -> None:
        self._state = read_state(self.key, data, _State)

    def _begin(self, time: int, start: Decimal, count: Decimal, *, complete: bool = True) -> Sequence[Value]:
        """A new epoch."""
        told = self._close(over=self._state.part is not None and time >= self._state.part.end)
        self._state.epoch, self._state.reset = time, False
        self._add(time, start, count, count - start)
        if self._state.part is not None:
            self._state.part.complete = complete
        return told

    def _add(self, time: int, last: Decimal, count: Decimal, step: Decimal) -> Sequence[Value]:
        state = self._state
        told: Sequence[Value] = ()
        if state.part is not None and time >= state.part.end:
            told = self._close(over=True)
        part = state.part
        if part is None:
            window = self.spec.window_us
            start = max(time // window * window, state.told_until)
            part = state.part = _Part(start, (start // window + 1) * window, last, count)
        part.to_count = count
        part.quantity += step
        return told

    def _close(self, *, over: bool) -> Sequence[Value]:
        state, spec, part = self._state, self.spec, self._state.part
        if part is None:
            return ()
        state.part = None
        if over:
            state.told_until = part.end
        return (
            CountAggregate(
                equipment_id=spec.tag.equipment_id,
                physical_asset_id=spec.tag.physical_asset_id,
                property=spec.tag.property,
                rule=spec.rule,
                rule_version=spec.rule_version,
                epoch=moment_of(state.epoch),
                start_time=moment_of(part.start),
                end_time=moment_of(part.end),
                from_count=float(part.from_count),
                to_count=float(part.to_count),
                quantity=Quantity(value=part.quantity, unit=spec.tag.target_unit),
                complete=part.complete,
            ),
        )

    def _fault(self, what: str) -> WatchFault:
        return WatchFault(f"rule {self.spec.rule!r} on tag {self.spec.tag.tag!r}: {what}")


def _exact(count: float) -> Decimal:
    """As the device shows it, to nine decimals: sums and differences of such counts are exact."""
    return Decimal(int(count)) if count.is_integer() else Decimal(repr(count)).quantize(_DIGITS).normalize()
