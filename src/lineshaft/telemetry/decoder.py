"""From device messages to readings: what decoding yields of one batch, whatever the protocol."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineshaft.core.clock import Clock
from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Bindings
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.floods import MOST_PER_S, Floods
from lineshaft.telemetry.decode.mapped import MappedPayloads
from lineshaft.telemetry.decode.notes import DecodeCounters, Notes
from lineshaft.telemetry.decode.payload_maps import PayloadMaps
from lineshaft.telemetry.decode.payloads import JsonPayloads
from lineshaft.telemetry.decode.sample import Fault
from lineshaft.telemetry.readings import Readings
from lineshaft.telemetry.sparkplug.commands import NAMESPACE, contradicts
from lineshaft.telemetry.sparkplug.host import SparkplugHost
from lineshaft.telemetry.tags import TagList

__all__ = ["Decoded", "Decoder"]


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """Indices are those of messages in the batch.

    faults        what could not be used, and what a person has to look at; a few of each device
    unknown       (index, address, metric) that no tag knows, each once; metric is empty where none of the
                  address is known
    rebirths      (topic, payload) of commands to edge nodes
    contradicted  somebody told that this host application is offline: its STATE is to be published again
    """

    readings: Readings
    faults: list[tuple[int, Fault]]
    unknown: list[tuple[int, str, str]]
    rebirths: list[tuple[str, bytes]]
    counters: DecodeCounters
    contradicted: bool = False


class Decoder:
    """Equal state and equal messages in the same order yield equal readings, whatever the batches. A clock is
    asked for the pace of requests for rebirth only.

    host                 id of this Sparkplug host application, where it has one
    lossy                streams whose messages may be lost by what they promise
    most_messages_per_s  of one topic of these, counted over 10 s; what is beyond is not looked into. 0: any
                         number
    """

    def __init__(
        self,
        tags: TagList,
        maps: PayloadMaps | None,
        clock: Clock,
        *,
        host: str = "",
        reorder_s: float = 2.0,
        most_messages_per_s: int = MOST_PER_S,
        lossy: frozenset[str] = frozenset(),
    ) -> None:
        self._bindings = Bindings(tags)
        self._notes = Notes()
        self._maps = maps
        self._floods = Floods(most_messages_per_s, lossy, self._is_known)
        self._host = host
        devices = self._bindings.devices
        if maps is not None:
            devices = {topic: device for topic, device in devices.items() if maps.find(topic) is None}
        self._json = JsonPayloads(devices)
        self._mapped = None if maps is None else MappedPayloads(maps, self._bindings.devices)
        self._sparkplug = SparkplugHost(self._bindings.devices, clock, self._notes, reorder_s=reorder_s)

    def decode(self, batch: RawBatch) -> Decoded:
        """Never raises for what messages say: a bad part costs only itself."""
        notes, columns, mapped = self._notes, Columns(), self._mapped
        notes.begin(batch)
        sparkplug: list[int] = []
        contradicted = False
        looked_into = self._floods.looked_into(batch, notes)
        for index in self._json.read(batch, columns, notes, looked_into):
            topic = batch.topics[index]
            if topic.startswith(NAMESPACE):
                sparkplug.append(index)
                if self._host and contradicts(topic, batch.payloads[index], self._host):
                    contradicted = True
            elif mapped is None or not mapped.read(batch, index, columns, notes):
                notes.unbound(index, topic, "")
        self._sparkplug.read(batch, sparkplug, columns)
        readings, faults = columns.readings(batch, self._bindings)
        for index, fault in faults:
            notes.bad(index, batch.topics[index], [fault])
        return Decoded(
            readings=readings,
            faults=notes.faults,
            unknown=notes.unknown,
            rebirths=notes.commands,
            counters=notes.counters,
            contradicted=contradicted,
        )

    def saved(self) -> dict[str, bytes]:
        """The whole state; values of keys that did not change are equal."""
        return self._floods.saved() | self._notes.saved() | self._sparkplug.saved()

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Start from what was saved, and from nothing else. raises PermanentFault for an unreadable value"""
        self._floods.restore(saved)
        self._notes.restore(saved)
        self._sparkplug.restore(saved)

    def _is_known(self, topic: str) -> bool:
        if topic in self._bindings.devices or topic.startswith(NAMESPACE):
            return True
        return self._maps is not None and self._maps.find(topic) is not None
