"""Decode, bind, evaluate: a batch of device messages in, what follows from it out; no I/O, no await."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from lineshaft.core.clock import Clock
from lineshaft.core.values import ExceptionKind, ExceptionRecord, Quality, RawReading, Reading
from lineshaft.model.condition import Evidence, ThresholdExceeded
from lineshaft.telemetry.limits import Limit, LimitState, advance
from lineshaft.telemetry.payloads import decode_json
from lineshaft.telemetry.rules import RuleSet
from lineshaft.telemetry.sample import Decoded, Fault, Sample, shown
from lineshaft.telemetry.sparkplug import NAMESPACE, SparkplugHost
from lineshaft.telemetry.tags import TagList
from lineshaft.telemetry.tracks import Track, Tracks

__all__ = ["Counters", "Screened", "Screening"]

OWNER = "plant-engineering"
_AHEAD = timedelta(minutes=5)
_PAYLOAD_CUT = 16 * 1024
_UNKNOWN_CAP = 10_000


class Counters(msgspec.Struct):
    """Since the start of the process.

    messages     device messages, those of protocols' housekeeping included
    readings     taken as live values
    duplicates   with the time of the last one taken, and messages delivered again
    late         older than the last one taken
    historical   sent as history, kept out of live values
    quarantined  more than 5 minutes ahead of their receipt
    malformed    faults of messages or of single values in them
    unknown      values without a tag
    events       events due
    rebirths     Sparkplug rebirths asked for
    """

    messages: int = 0
    readings: int = 0
    duplicates: int = 0
    late: int = 0
    historical: int = 0
    quarantined: int = 0
    malformed: int = 0
    unknown: int = 0
    events: int = 0
    rebirths: int = 0


class Screened(msgspec.Struct):
    """What follows from one batch, each part in order of the messages.

    live      readings taken, and readings gone stale
    breaches  facts to be told
    changed   state to be saved, by key, as it is after the batch
    rebirths  (topic, payload) of commands to edge nodes
    """

    live: list[Reading] = []
    breaches: list[ThresholdExceeded] = []
    exceptions: list[ExceptionRecord] = []
    changed: dict[str, bytes] = {}
    rebirths: list[tuple[str, bytes]] = []


class Screening:
    """Holds the state of all tags, rules and Sparkplug sessions, and moves it with each batch.

    Order is by device time per tag: a reading that is not newer than the last one taken changes nothing, so
    a batch that is screened again yields nothing new. Equal state and equal messages, in the same order,
    yield equal breaches, whatever the batches: no clock is asked but for the pace of rebirth requests.
    """

    def __init__(self, *, plant: str, tags: TagList, rules: RuleSet, clock: Clock) -> None:
        self.counters = Counters()
        self.live: dict[str, Reading] = {}
        self._plant = plant
        self._host = SparkplugHost(clock)
        self._tracks = Tracks(tags, rules)
        self._unknown: set[tuple[str, str]] = set()

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Start from what was saved. raises PermanentFault for an unreadable value"""
        self._host.restore(saved)
        self._tracks.restore(saved)
        self._unknown = set()

    def screen(self, batch: Sequence[RawReading]) -> Screened:
        screened = Screened()
        for raw in batch:
            if raw.topic.startswith(NAMESPACE):
                decoded = self._host.decode(raw)
            elif raw.topic.startswith("STATE/"):
                continue  # a Sparkplug host's own announcement, before version 3
            else:
                decoded = decode_json(raw.topic, raw.payload, raw.received_at)
            self._bind(decoded, raw, screened)
        screened.rebirths = self._host.requests()
        screened.changed = self._host.changed() | self._tracks.changed()
        self.counters.messages += len(batch)
        self.counters.rebirths += len(screened.rebirths)
        self.counters.events += len(screened.breaches)
        return screened

    def _bind(self, decoded: Decoded, raw: RawReading, screened: Screened) -> None:
        if decoded.repeated:
            self.counters.duplicates += 1
            return
        for address in decoded.stale:
            self._lose(address, screened)
        tracks = self._tracks.of(decoded.address)
        watched = False
        for sample in decoded.samples:
            track = tracks.get(sample.metric)
            if track is None:
                self._note_unknown(decoded.address, sample.metric, raw, screened)
            elif self._take(track, sample, raw, screened) and track.watches:
                watched = True
        if watched:
            self._tracks.moved(decoded.address)
        if decoded.faults:
            self._note_faults(decoded, tracks, raw, screened)

    def _take(self, track: Track, sample: Sample, raw: RawReading, screened: Screened) -> bool:
        """Whether the sample became the tag's live value."""
        counters, time, seen = self.counters, sample.time, track.seen
        if sample.historical:
            counters.historical += 1
            return False
        if seen is not None and time <= seen:
            if time < seen:
                counters.late += 1
            else:
                counters.duplicates += 1
                self._confirm(track, sample, screened)
            return False
        if time - raw.received_at > _AHEAD:
            counters.quarantined += 1
            cause = (
                "the time of a reading is more than 5 minutes ahead of its receipt; set the device's clock"
            )
            screened.exceptions.append(self._record(ExceptionKind.UNPOSTABLE_READING, cause, raw))
            return False
        value = sample.value * track.factor + track.offset
        good = sample.quality is Quality.GOOD
        if good and not math.isfinite(value):
            counters.malformed += 1
            cause = (
                f"metric {sample.metric!r} is too large for unit {track.tag.target_unit}; check the device"
            )
            screened.exceptions.append(self._record(ExceptionKind.MALFORMED_READING, cause, raw))
            return False
        track.seen = time
        tag = track.tag
        reading = Reading(
            tag=tag.tag,
            equipment_id=tag.equipment_id,
            physical_asset_id=tag.physical_asset_id,
            property=tag.property,
            value=value,
            unit=tag.target_unit,
            quality=sample.quality,
            time=time,
            received_at=raw.received_at,
            position=raw.position,
        )
        self.live[tag.tag] = reading
        screened.live.append(reading)
        counters.readings += 1
        if good:
            for watch in track.watches:
                state = advance(watch.limit, watch.state, value, time)
                if state is not watch.state:
                    if state.raised and not watch.state.raised:
                        screened.breaches.append(_breach(watch.limit, state, reading, raw.topic))
                    self._tracks.turn(watch, state)
        return True

    def _confirm(self, track: Track, sample: Sample, screened: Screened) -> None:
        """A birth after a death says a known reading again: it is stale no more, and decides nothing anew."""
        held = self.live.get(track.tag.tag)
        if held and held.quality is Quality.STALE and sample.quality is not Quality.STALE:
            self.live[track.tag.tag] = msgspec.structs.replace(held, quality=sample.quality)
            screened.live.append(self.live[track.tag.tag])

    def _lose(self, address: str, screened: Screened) -> None:
        for track in self._tracks.of(address).values():
            held = self.live.get(track.tag.tag)
            if held and held.quality is not Quality.STALE:
                self.live[track.tag.tag] = msgspec.structs.replace(held, quality=Quality.STALE)
                screened.live.append(self.live[track.tag.tag])

    def _note_unknown(self, address: str, metric: str, raw: RawReading, screened: Screened) -> None:
        """One record per (address, metric) in the life of the process."""
        self.counters.unknown += 1
        if (address, metric) in self._unknown or len(self._unknown) > _UNKNOWN_CAP:
            return
        self._unknown.add((address, metric))
        cause = (
            f"metric {shown(metric)!r} of {shown(address)!r} is not in the tag list; add a row, or stop it"
        )
        if len(self._unknown) > _UNKNOWN_CAP:
            cause = f"more than {_UNKNOWN_CAP} metrics are not in the tag list; further ones are only counted"
        screened.exceptions.append(self._record(ExceptionKind.UNKNOWN_TAG, cause, raw))

    def _note_faults(
        self, decoded: Decoded, tracks: Mapping[str, Track], raw: RawReading, screened: Screened
    ) -> None:
        """One record per cause and message; a metric that is no tag anyway is noted as that."""
        told: set[Fault] = set()
        for fault in decoded.faults:
            if fault.metric and fault.metric not in tracks:
                self._note_unknown(decoded.address, fault.metric, raw, screened)
                continue
            if fault.kind is ExceptionKind.MALFORMED_READING:
                self.counters.malformed += 1
            if fault not in told:
                told.add(fault)
                screened.exceptions.append(self._record(fault.kind, fault.cause, raw))

    def _record(self, kind: ExceptionKind, cause: str, raw: RawReading) -> ExceptionRecord:
        return ExceptionRecord(
            kind=kind,
            plant=self._plant,
            source=shown(raw.topic),
            owner=OWNER,
            cause=cause,
            payload=raw.payload[:_PAYLOAD_CUT],
            ref=raw.position,
            topic=raw.topic if len(raw.payload) <= _PAYLOAD_CUT else "",
        )


def _breach(limit: Limit, state: LimitState, reading: Reading, topic: str) -> ThresholdExceeded:
    """detected_at is the receipt of the settling reading, so that a replay tells the very same."""
    return ThresholdExceeded(
        equipment_id=reading.equipment_id,
        physical_asset_id=reading.physical_asset_id,
        rule=limit.rule,
        rule_version=limit.rule_version,
        property=reading.property,
        kind=limit.kind,
        value=reading.value,
        limit=limit.limit,
        unit=limit.unit,
        severity=limit.severity,
        episode_start=state.episode_start or reading.time,
        detected_at=reading.received_at,
        evidence=Evidence(topic=topic, position=reading.position, time=reading.time, value=reading.value),
    )
