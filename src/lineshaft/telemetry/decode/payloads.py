"""JSON payloads of devices and gateways, read in bulk.

    {"value": 4.2, "time": "2024-05-01T06:00:00Z", "quality": "good"}
    [{"value": 4.2, "time": 1714543200000}, {"value": 4.3, "time": 1714543201000}]
    {"time": [1714543200000, 1714543201000], "value": [4.2, 4.3]}
    {"time": "2024-05-01T06:00:00Z", "values": {"pressure": 4.2, "temperature": 61}}
    {"metric": ["pressure", "temperature"], "time": 1714543200000, "value": [4.2, 61]}

`time` is RFC 3339 with an offset, or milliseconds since 1970; without one, the time at which the message was
stored counts. `quality` is good, uncertain, bad or stale; without one, good. `metric` says which value of the
device it is, for one reading or for each; without one it is `value`. `true` and `false` are 1 and 0, as
machine states come. A null value is a reading only when its quality is not good.

What does not fit is left to `payload_walk`, which finds out why and keeps what is good beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress, count

import msgspec

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.decode.payload_pile import GOOD_WORDS, Message, Pile, Timed
from lineshaft.telemetry.decode.payload_walk import walk
from lineshaft.telemetry.decode.sample import MAX_PAYLOAD_BYTES

__all__ = ["JsonPayloads"]

_ENOUGH = 8192  # values, whose lists then still fit into a processor's cache
_decoder = msgspec.json.Decoder(Message | list[Message])
_timed_decoder = msgspec.json.Decoder(list[Timed])


class JsonPayloads:
    def __init__(self, devices: Mapping[str, Device]) -> None:
        self._devices = devices

    def read(
        self, batch: RawBatch, columns: Columns, notes: Notes, looked_into: bytearray | None = None
    ) -> list[int]:
        """Every reading of a device that has tags; the messages of other topics are returned, unread.

        looked_into  for each message 1, or 0 where it is to be left out; without it all are taken
        """
        find, decode, large = self._devices.get, _decoder.decode, MAX_PAYLOAD_BYTES
        others: list[int] = []
        refused: list[int] = []
        pile = Pile()
        tags, messages, lengths = pile.tags, pile.messages, pile.lengths
        times, values = pile.times, pile.values
        messages_of = zip(count(), batch.topics, batch.payloads, strict=False)
        for index, topic, payload in (
            messages_of if looked_into is None else compress(messages_of, looked_into)
        ):
            device = find(topic)
            if device is None:
                others.append(index)
                continue
            try:
                if not payload.isascii():
                    payload.decode()
                if device.arrays and len(payload) <= large and (items := _timed(payload, device)) is not None:
                    pile.put_timed(index, device, items)
                    if len(values) > _ENOUGH:
                        refused += pile.settle(batch, columns, notes)
                    continue
                message = decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                refused.append(index)
                continue
            if (
                message.__class__ is Message
                and message.value.__class__ is float
                and message.time.__class__ is not list
                and message.metric is None
                and message.quality.__class__ is not list
                and message.quality in GOOD_WORDS
                and message.values is None
                and device.value >= 0
                and len(payload) <= large
            ):
                tags.append(device.value)
                messages.append(index)
                lengths.append(1)
                times.append(message.time)  # type: ignore[arg-type]
                values.append(message.value)
            elif len(payload) > large or not pile.put(index, device, message):
                refused.append(index)
            elif len(values) > _ENOUGH:
                refused += pile.settle(batch, columns, notes)
        refused += pile.settle(batch, columns, notes)
        for index in sorted(refused):
            self._walk(batch, index, columns, notes)
        return others

    def _walk(self, batch: RawBatch, index: int, columns: Columns, notes: Notes) -> None:
        device = self._devices[batch.topics[index]]
        if not notes.affords(index, device.address):
            return
        payload = batch.payloads[index]
        samples, faults = walk(payload, batch.stored_us[index])
        for sample in samples:
            tag = device.tags.get(sample.metric)
            if tag is None:
                notes.unbound(index, device.address, sample.metric)
            else:
                columns.row(index, tag, sample.time, sample.value, sample.quality, False)
        told = []
        for fault in faults:
            if fault.metric and fault.metric not in device.tags:
                notes.unbound(index, device.address, fault.metric)
            else:
                told.append(fault)
        if told:
            notes.bad(index, device.address, told, len(payload))


def _timed(payload: bytes, device: Device) -> list[Timed] | None:
    """None for any other payload, which has to be looked at in full."""
    try:
        return _timed_decoder.decode(payload)
    except msgspec.DecodeError:
        device.arrays = False
        return None
