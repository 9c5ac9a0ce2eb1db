"""Where decoders put what they read of a batch, until it becomes Readings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineshaft.core.values import RawBatch
from lineshaft.telemetry.decode.bindings import Bindings
from lineshaft.telemetry.decode.sample import Fault, shown
from lineshaft.telemetry.readings import GOOD, STALE, Floats, Ints, Readings

__all__ = ["Block", "Columns"]

_TYPES = (np.int32, np.int32, np.int64, np.float64, np.uint8, np.bool_)


class Block(NamedTuple):
    """Readings as Readings has them, with values still in units of the devices."""

    message: NDArray[np.int32]
    tag: NDArray[np.int32]
    time: Ints
    value: Floats
    quality: NDArray[np.uint8]
    historical: NDArray[np.bool_]

    def of(self, rows: NDArray[np.bool_] | Ints) -> Block:
        return Block._make(column[rows] for column in self)


class Columns:
    """Rows of one message keep the order in which they were put, those in blocks before single ones."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, float, int, bool]] = []
        self._blocks: list[Block] = []

    def row(self, message: int, tag: int, time: int, value: float, quality: int, historical: bool) -> None:
        self._rows.append((message, tag, time, value, quality, historical))

    def block(self, block: Block) -> None:
        self._blocks.append(block)

    def readings(self, batch: RawBatch, bindings: Bindings) -> tuple[Readings, list[tuple[int, Fault]]]:
        """In order of the messages and in target units, and a fault for each value that is too large then."""
        rows = zip(*self._rows, strict=True) if self._rows else ((),) * len(_TYPES)
        blocks = [*self._blocks, Block(*(np.array(c, t) for c, t in zip(rows, _TYPES, strict=True)))]
        block = Block(*map(np.concatenate, zip(*blocks, strict=True)))
        if (np.diff(block.message) < 0).any():
            block = block.of(np.argsort(block.message, kind="stable"))
        stale = block.quality == STALE
        if stale.any():
            block = block._replace(value=np.where(stale, np.nan, block.value))
        faults: list[tuple[int, Fault]] = []
        if bindings.scaled and len(block.tag):
            with np.errstate(over="ignore"):
                value = block.value * bindings.factor[block.tag] + bindings.offset[block.tag]
            block = block._replace(value=value)
            too_large = ~np.isfinite(value) & (block.quality == GOOD)
            if too_large.any():
                for message, tag in zip(block.message[too_large], block.tag[too_large], strict=True):
                    faults.append((int(message), _too_large(bindings, int(tag))))
                block = block.of(~too_large)
        return Readings(batch=batch, **block._asdict()), faults


def _too_large(bindings: Bindings, index: int) -> Fault:
    tag = bindings.tags[index]
    return Fault(
        f"metric {shown(tag.metric)!r} is too large for unit {tag.target_unit}; check the device", tag.metric
    )
