"""Which tag a value of a device feeds: by address and metric, the index of the tag in the tag list."""

from __future__ import annotations

import numpy as np

from lineshaft.telemetry.tags import TagList, scaling

__all__ = ["Bindings", "Device"]


class Device:
    """The tags of one address.

    value   of the metric that a payload has when it names none, -1 without one
    arrays  the last payload was an array of values and times alone, and the next is likely to be one
    """

    __slots__ = ("address", "arrays", "tags", "value")

    def __init__(self, address: str) -> None:
        self.address = address
        self.tags: dict[str, int] = {}
        self.value = -1
        self.arrays = False


class Bindings:
    """devices: by address; factor, offset: by tag, value in target unit = value * factor + offset."""

    def __init__(self, tags: TagList) -> None:
        self.devices: dict[str, Device] = {}
        self.tags = list(tags)
        scales = [scaling(tag) for tag in self.tags]
        self.factor = np.array([factor for factor, _ in scales], np.float64)
        self.offset = np.array([offset for _, offset in scales], np.float64)
        self.scaled = bool((self.factor != 1).any() or self.offset.any())
        for index, tag in enumerate(self.tags):
            device = self.devices.setdefault(tag.topic, Device(tag.topic))
            device.tags[tag.metric] = index
            device.value = device.tags.get("value", -1)
