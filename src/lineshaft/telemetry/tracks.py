"""The tags as the hot path holds them: by device and metric, each with its limits and where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from lineshaft.telemetry.limits import WITHIN, Limit, LimitState
from lineshaft.telemetry.rules import RuleSet
from lineshaft.telemetry.state import LIMIT, SEEN, read_state
from lineshaft.telemetry.tags import Tag, TagList, scaling

__all__ = ["Track", "Tracks", "Watch"]


class Watch:
    """A limit on a tag and where it stands."""

    __slots__ = ("key", "limit", "state")

    def __init__(self, limit: Limit, tag: str) -> None:
        self.key = f"{LIMIT}{limit.rule}/{tag}"
        self.limit = limit
        self.state = WITHIN


class Track:
    """A tag and the last reading taken for it."""

    __slots__ = ("factor", "offset", "seen", "tag", "watches")

    def __init__(self, tag: Tag, limits: Sequence[Limit]) -> None:
        self.tag = tag
        self.factor, self.offset = scaling(tag)
        self.watches = [Watch(limit, tag.tag) for limit in limits]
        self.seen: datetime | None = None


class Tracks:
    """All tags, and which of them have state to be saved."""

    def __init__(self, tags: TagList, rules: RuleSet) -> None:
        self._devices: dict[str, dict[str, Track]] = {}
        for tag in tags:
            self._devices.setdefault(tag.topic, {})[tag.metric] = Track(tag, rules.limits(tag.tag))
        self._moved: set[str] = set()
        self._turned: dict[str, LimitState] = {}

    def of(self, address: str) -> Mapping[str, Track]:
        """The tracks of one device by metric; empty for a device without tags."""
        return self._devices.get(address, {})

    def moved(self, address: str) -> None:
        """A tag of this device that has limits took a reading."""
        self._moved.add(address)

    def turn(self, watch: Watch, state: LimitState) -> None:
        watch.state = state
        self._turned[watch.key] = state

    def changed(self) -> dict[str, bytes]:
        """What has to be saved since the last call, by state key."""
        encode = msgspec.msgpack.encode
        changed = {key: encode(state) for key, state in self._turned.items()}
        for address in self._moved:
            tracks = self._devices[address].values()
            changed[SEEN + address] = encode({t.tag.tag: t.seen for t in tracks if t.watches and t.seen})
        self._moved, self._turned = set(), {}
        return changed

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Start from what was saved. State of tags and rules that are gone is left alone.

        raises  PermanentFault for an unreadable value
        """
        self._moved, self._turned = set(), {}
        for topic, tracks in self._devices.items():
            key = SEEN + topic
            seen = read_state(key, saved[key], dict[str, datetime]) if key in saved else {}
            for track in tracks.values():
                track.seen = seen.get(track.tag.tag)
                for watch in track.watches:
                    held = saved.get(watch.key)
                    watch.state = WITHIN if held is None else read_state(watch.key, held, LimitState)
