"""The values of one Sparkplug B payload, metric by metric."""

from __future__ import annotations

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Device
from lineshaft.telemetry.decode.columns import Columns
from lineshaft.telemetry.decode.notes import Notes
from lineshaft.telemetry.decode.sample import Fault, epoch_time, shown
from lineshaft.telemetry.readings import GOOD, UNCERTAIN
from lineshaft.telemetry.sparkplug.metric import is_protocol, number, quality
from lineshaft.telemetry.sparkplug.session import Birth
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Metric, Payload

__all__ = ["ValueReader"]


class ValueReader:
    """For one batch."""

    def __init__(self, batch: RawBatch, columns: Columns, notes: Notes) -> None:
        self._batch = batch
        self._columns = columns
        self._notes = notes

    def read(self, index: int, device: Device, birth: Birth, doubted: bool, payload: Payload) -> bool:
        """Every value with a tag. False if there was an alias that the birth does not declare.

        index    of the message in the batch
        doubted  what hangs on aliases alone is uncertain
        """
        declared = True
        faults: list[Fault] = []
        times = {0: self._batch.stored_us[index]}
        for metric in payload.metrics:
            name = birth.name_of(metric)
            if name is None:
                faults.append(Fault(_unnamed(metric)))
                declared = declared and not metric.HasField("alias")
                continue
            if is_protocol(name):
                continue
            tag = device.tags.get(name)
            if tag is None:
                self._notes.unbound(index, device.address, name)
                continue
            try:
                value = number(metric, metric.datatype or birth.datatypes.get(name, 0))
                stamp = metric.timestamp or payload.timestamp
                if stamp not in times:
                    times[stamp] = _time(stamp)
            except ValueError as error:
                faults.append(Fault(f"metric {shown(name)!r} {error}", name))
                continue
            grade = quality(metric, value)
            if doubted and grade == GOOD and not metric.name:
                grade = UNCERTAIN
            self._columns.row(index, tag, times[stamp], value, grade, metric.is_historical)
        if faults:
            self._notes.bad(index, device.address, faults)
        return declared


def _time(milliseconds: int) -> int:
    try:
        return epoch_time(milliseconds, 1000, "milliseconds")
    except ValueError as error:
        raise ValueError(f"has a timestamp that {error}") from None


def _unnamed(metric: Metric) -> str:
    if metric.HasField("alias"):
        return f"alias {metric.alias} is in no birth of its address; have the edge node send a complete birth"
    return "a metric has neither a readable name nor an alias; correct the edge node's encoder"
