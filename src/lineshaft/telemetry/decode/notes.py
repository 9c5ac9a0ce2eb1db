"""What decoding has to say of messages beside readings, and how much of it: a poisoned device or one that no
tag knows can say as much as it likes and is heard a little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lineshaft.core.values import ExceptionKind, RawBatch
from lineshaft.telemetry.decode.sample import MAX_PAYLOAD_BYTES, Fault, shown
from lineshaft.telemetry.state import read_state

__all__ = ["BUDGET", "DecodeCounters", "Notes"]

BUDGET = 100
_STATE = "decode/poisoned"
_UNKNOWN_CAP = 1_000
_FAULTS_A_MESSAGE = 20
_BYTES_EACH = 4096
_TOO_MANY_UNKNOWN = (
    f"{_UNKNOWN_CAP:,} topics and metrics that are not in the tag list were told of since telemetry started: "
    "further ones are only counted; add them, or stop them"
)


class DecodeCounters(msgspec.Struct):
    """Of one batch.

    malformed   faults of messages or of single values in them
    overlooked  messages that were not looked into, their device having sent too many, or too many bad ones
    unknown     values or messages without a tag
    repeated    Sparkplug births and deaths that change nothing
    gaps        Sparkplug messages after which some were missing for good
    """

    malformed: int = 0
    overlooked: int = 0
    unknown: int = 0
    repeated: int = 0
    gaps: int = 0


class Notes:
    """One for all batches; `begin` starts the notes of the next.

    The budget is counted by the second in which the backbone stored a message, and saved, so that the same
    messages yield the same readings whatever the batches.
    """

    def __init__(self) -> None:
        self._spent: dict[str, tuple[int, int]] = {}
        self._known: set[tuple[str, str]] = set()
        self._latest = 0

    def begin(self, batch: RawBatch) -> None:
        self._stored = batch.stored_us
        self.counters = DecodeCounters()
        self.faults: list[tuple[int, Fault]] = []
        self.unknown: list[tuple[int, str, str]] = []
        self.commands: list[tuple[str, bytes]] = []

    def affords(self, message: int, address: str) -> bool:
        """Whether a bad message of this address may still be looked into; if not, it is counted."""
        second, spent = self._spent.get(address, (0, 0))
        if spent < BUDGET or second != self._stored[message] // 1_000_000:
            return True
        self.counters.overlooked += 1
        return False

    def bad(self, message: int, address: str, faults: Iterable[Fault], size: int = 0) -> None:
        """Faults of one message, equal ones told once, the first few of a kind of trouble.

        size  bytes of the payload, all of which had to be looked into if it is not too large
        """
        different = dict.fromkeys(faults)
        self.counters.malformed += len(different)
        told = list(different)[:_FAULTS_A_MESSAGE]
        if len(told) < len(different):
            told.append(Fault("the message has more faults than these; correct the device and look again"))
        now = self._stored[message] // 1_000_000
        second, spent = self._spent.get(address, (0, 0))
        spent = spent if second == now else 0
        if spent >= BUDGET:
            self.counters.overlooked += 1
            return
        self._latest = max(self._latest, now)
        spent += 1 + (size // _BYTES_EACH if size <= MAX_PAYLOAD_BYTES else 0)
        self._spent[address] = now, spent
        if spent >= BUDGET:
            told.append(Fault(_overlooked(address)))
        self.faults += [(message, fault) for fault in told]

    def unbound(self, message: int, address: str, metric: str, count: int = 1) -> None:
        """Values without a tag: the first are told, once per address and metric, until the process ends."""
        self.counters.unknown += count
        if (address, metric) not in self._known and len(self._known) < _UNKNOWN_CAP:
            self._known.add((address, metric))
            self.unknown.append((message, address, metric))
            if len(self._known) == _UNKNOWN_CAP:
                self.faults.append((message, Fault(_TOO_MANY_UNKNOWN, kind=ExceptionKind.UNKNOWN_TAG)))

    def saved(self) -> dict[str, bytes]:
        self._spent = {address: spent for address, spent in self._spent.items() if spent[0] >= self._latest}
        return {_STATE: msgspec.msgpack.encode(self._spent)} if self._spent else {}

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """raises PermanentFault for an unreadable value"""
        data = saved.get(_STATE)
        self._spent = {} if data is None else read_state(_STATE, data, dict[str, tuple[int, int]])
        self._latest = max((second for second, _ in self._spent.values()), default=0)


def _overlooked(address: str) -> str:
    return (
        f"device {shown(address)} sends too many unreadable messages: further ones of this second are only "
        "counted; correct the device"
    )
