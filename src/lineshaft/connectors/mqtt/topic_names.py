"""Under which topic what a broker sends is put; the backbone cannot hold every topic that MQTT allows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from lineshaft.core.errors import ConfigError

__all__ = ["TopicNames"]

_SPARKPLUG = "spBv1.0"
_RESERVED = ("ls", "_INBOX", "_R_", "_GR_")
_REMEMBERED = 100_000
_LONGEST = 1000  # bytes; a NATS server closes the connection of a longer line
_UNFIT = re.compile(r"[\s\x00-\x20\x7f*>+#]")


class TopicNames:
    """put_filters   what the names match

    A white space or one of `* >` in a topic becomes `%20`, `%2A`, `%3E`.
    """

    def __init__(self, filters: Sequence[str], prefix: str) -> None:
        """raises  ConfigError for a filter or prefix that cannot be used"""
        self._prefix = f"{prefix.strip('/')}/" if prefix else ""
        if _UNFIT.search(prefix) or _is_ours(self._prefix):
            raise ConfigError(
                f"prefix {prefix!r} cannot be used", hint="levels such as hall2, without wildcards"
            )
        for each in filters:
            self._check(each)
        self._matchers = [_matcher(each) for each in filters]
        self._names: dict[bytes, str | None] = {}
        wild = any(each[0] in "+#" for each in filters)
        put = [each if _is_sparkplug(each) else self._prefix + _fit(each, keep="+#") for each in filters]
        self.put_filters = sorted({*put, *([f"{_SPARKPLUG}/#"] if wild else [])})

    def name(self, topic: bytes) -> str | None:
        """None for what is not to be put: the filters do not ask for it (any more), it is too long, or would
        pass for traffic of the backbone itself."""
        try:
            return self._names[topic]
        except KeyError:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            name = self._names[topic] = self._made(topic.decode(errors="replace"))
            return name

    def _made(self, topic: str) -> str | None:
        if not any(matcher.fullmatch(topic) for matcher in self._matchers) or topic.startswith("$"):
            return None
        name = _fit(topic if _is_sparkplug(topic) else self._prefix + topic)
        return None if _is_ours(name) or len(name.encode()) > _LONGEST else name

    def _check(self, topic_filter: str) -> None:
        levels = topic_filter.split("/")
        wild = any(("+" in level or "#" in level) and level not in ("+", "#") for level in levels)
        hint = ""
        if wild or not topic_filter or "#" in levels[:-1]:
            hint = "+ and # stand alone in a level, # only at the end"
        elif topic_filter.startswith("$"):
            hint = "topics that begin with $ are the broker's own"
        elif not self._prefix and (levels[0] in ("+", "#") or _is_ours(topic_filter)):
            hint = "name the first level, one that is not `ls`, or give a prefix"
        if hint:
            raise ConfigError(f"MQTT topic filter {topic_filter!r} cannot be subscribed to", hint=hint)


def _is_sparkplug(topic: str) -> bool:
    return topic.split("/", 1)[0] == _SPARKPLUG


def _is_ours(topic: str) -> bool:
    first = topic.split("/", 1)[0]
    return first in _RESERVED or first.startswith("$")


def _fit(topic: str, keep: str = "") -> str:
    return _UNFIT.sub(lambda found: found[0] if found[0] in keep else quote(found[0], safe=""), topic)


def _matcher(topic_filter: str) -> re.Pattern[str]:
    """`a/#` matches `a` too."""
    levels = topic_filter.split("/")
    pattern = "/".join("[^/]*" if level == "+" else re.escape(level) for level in levels if level != "#")
    if levels[-1] == "#":
        pattern = f"{pattern}(/.*)?" if len(levels) > 1 else ".*"
    return re.compile(pattern, re.DOTALL)
