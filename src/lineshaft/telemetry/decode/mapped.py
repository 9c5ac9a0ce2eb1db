"""Payloads of foreign shapes, read as their map says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from jmespath.exceptions import JMESPathError

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.decode.payload_maps import Find, PayloadMap, PayloadMaps, Source
from lineshaft.telemetry.decode.payload_walk import document_of, grade_of, number_of
from lineshaft.telemetry.decode.sample import MAX_PAYLOAD_BYTES, Fault, Sample, shown
from lineshaft.telemetry.readings import BAD, GOOD

__all__ = ["MappedPayloads"]

_WORDS = {b"true": 1.0, b"false": 0.0}


class MappedPayloads:
    def __init__(self, maps: PayloadMaps, devices: Mapping[str, Device]) -> None:
        self._maps = maps
        self._devices = devices

    def read(self, batch: RawBatch, index: int, columns: Columns, notes: Notes) -> bool:
        """False for a message that no map is for."""
        source = self._maps.find(batch.topics[index])
        if source is None:
            return False
        device, payload = self._devices.get(source.address), batch.payloads[index]
        if device is None:
            notes.unbound(index, source.address, "")
            return True
        faults: list[Fault] = []
        try:
            for found in _samples(source, payload, batch.stored_us[index]):
                tag = device.tags.get(found.metric)
                if tag is None:
                    notes.unbound(index, device.address, found.metric)
                elif isinstance(found, Fault):
                    faults.append(found)
                else:
                    columns.row(index, tag, found.time, found.value, found.quality, False)
        except ValueError as error:
            faults.append(Fault(str(error)))
        if faults:
            notes.bad(index, device.address, faults, len(payload))
        return True


def _samples(source: Source, payload: bytes, stored_us: int) -> Iterator[Sample | Fault]:
    """raises ValueError, worded for a cause, for a payload that has no readings"""
    if source.map.text:
        yield Sample(source.metric or "value", _number_in_text(payload), stored_us)
        return
    document = document_of(payload)
    readings = document if source.map.readings is None else _found(source.map.readings, document)
    if readings is None:
        raise ValueError("the payload has nothing at `readings` of its payload map; correct one of the two")
    for reading in readings if isinstance(readings, list) else [readings]:
        yield _sample(source.map, source.metric, reading, document, stored_us)


def _sample(map: PayloadMap, metric: str, reading: Any, document: Any, stored_us: int) -> Sample | Fault:
    name, place = metric or "value", "metric"
    try:
        if map.name is not None:
            given = _either(map.name, reading, document)
            if not isinstance(given, str):
                raise ValueError("is no text; see the payload map")
            name = given
        place = "quality"
        grade = GOOD if map.quality is None else _grade(map, _either(map.quality, reading, document))
        place = "time"
        given = None if map.time is None else _either(map.time, reading, document)
        time = stored_us if given is None else map.clock(given)
        place = "value"
        value = number_of(None if map.value is None else _either(map.value, reading, document), grade)
    except ValueError as error:
        return Fault(f"{place} of metric {shown(name)!r} {error}", name)
    return Sample(name, value, time, grade)


def _either(find: Find, reading: Any, document: Any) -> Any:
    found = _found(find, reading)
    return _found(find, document) if found is None else found


def _found(find: Find, document: Any) -> Any:
    try:
        return find(document)
    except JMESPathError:
        raise ValueError("has a function in its payload map that cannot take what it finds") from None


def _grade(map: PayloadMap, quality: Any) -> int:
    if quality is None:
        return GOOD
    if map.good is not None:
        return GOOD if quality in map.good else BAD
    grade = grade_of(quality) if isinstance(quality, str) else None
    if grade is None:
        raise ValueError("is unknown; list the values that mean good in `good` of the payload map")
    return grade


def _number_in_text(payload: bytes) -> float:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("the payload is larger than 1 MiB; let the device send smaller batches")
    text = payload.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("the payload is no number; its payload map says format: text")
    return number
