"""Payload maps: how payloads of foreign shapes are read, as a plant declares it in YAML.

maps:
  - topic: plc/+/data            # a topic filter; the first map that matches a topic reads it
    address: plc/{1}             # of the tag list, {1} what the first + or # stands for; else the topic
    readings: items[*]           # JMESPath: a reading, or a list of them; else the whole document
    metric: n                    # these four in a reading or, where they give null there, in the document
    value: v
    time: t                      # else when the message was stored
    time_format: epoch_s         # rfc3339 (if nothing is said), epoch_s, epoch_ms, epoch_us, or like
                                 # "%d.%m.%Y %H:%M:%S", with %z or a time_zone
    time_zone: Europe/Berlin     # IANA
    quality: q                   # good, uncertain, bad or stale, unless `good` says which values mean good
    good: [192]
  - topic: scale/+/+
    address: scale/{1}
    metric: "{2}"                # made of the topic
    format: text                 # the payload is one number

Without a metric it is `value`, as in the tag list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from lineshaft.telemetry.declaration import Findings, LineOf, Section
from lineshaft.telemetry.decode.sample import device_time, epoch_time, microseconds, text_time

__all__ = ["PayloadMap", "PayloadMaps", "Source"]

_JSON_ONLY = ("readings", "value", "time", "time_format", "time_zone", "quality", "good")
_FIELDS = ("topic", "address", "format", "metric", *_JSON_ONLY)
_EPOCHS = {
    "epoch_s": (1_000_000, "seconds"),
    "epoch_ms": (1000, "milliseconds"),
    "epoch_us": (1, "microseconds"),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"\{([^}]*)\}")
_MOST_TOPICS = 100_000

Find = Callable[[Any], Any]


class PayloadMap(msgspec.Struct, frozen=True, kw_only=True):
    """pattern: of topics, a group for each wildcard; address, metric: made of the topic, empty for none

    readings, name, value, time, quality  what they find in a document or reading; None where not declared
    clock  µs since 1970 of what `time` found; raises ValueError, worded for a cause
    good   values of quality that mean good; None where it comes in words
    """

    pattern: re.Pattern[str]
    address: str
    metric: str
    text: bool
    readings: Find | None
    name: Find | None
    value: Find | None
    time: Find | None
    clock: Callable[[Any], int]
    quality: Find | None
    good: list[Any] | None


class Source(msgspec.Struct, frozen=True):
    """A topic that a map reads. metric: empty where the payload names it, if at all"""

    map: PayloadMap
    address: str
    metric: str


class PayloadMaps:
    def __init__(self, maps: Sequence[PayloadMap]) -> None:
        self._maps = maps
        self._found: dict[str, Source | None] = {}

    @classmethod
    def read(cls, document: object, *, file: str, line_of: LineOf | None = None) -> PayloadMaps:
        """raises ConfigError with every finding of the document"""
        findings = Findings(file, line_of)
        top = Section(findings, (), document, ("maps",))
        maps = [_map(section) for section in top.sections("maps", _FIELDS)]
        findings.raise_if_any(f"payload maps {file} cannot be used")
        return cls([one for one in maps if one is not None])

    def find(self, topic: str) -> Source | None:
        if topic not in self._found:
            if len(self._found) >= _MOST_TOPICS:
                self._found.clear()
            self._found[topic] = self._find(topic)
        return self._found[topic]

    def _find(self, topic: str) -> Source | None:
        for one in self._maps:
            if match := one.pattern.fullmatch(topic):
                parts = [part or "" for part in match.groups()]
                return Source(one, _filled(one.address, parts) or topic, _filled(one.metric, parts))
        return None


def _filled(template: str, parts: Sequence[str]) -> str:
    return _PLACE.sub(lambda place: parts[int(place[1]) - 1], template)


def _map(section: Section) -> PayloadMap | None:
    before = section.findings.count
    text = "format" in section.mapping and section.choice("format", ("json", "text")) == "text"
    for field in _JSON_ONLY if text else ():
        if field in section.mapping:
            section.refuse(field, "is for JSON; with format text the payload is one number")
    pattern, wildcards = _pattern(section)
    templates = {field: _template(section, field, wildcards) for field in ("address", "metric")}
    finds = {
        field: None if text else _find(section, field)
        for field in ("readings", "value", "time", "quality", *(() if templates["metric"] else ("metric",)))
    }
    if not text and finds["value"] is None:
        section.text("value")
    good = section.mapping.get("good")
    if good is not None and not isinstance(good, list):
        section.refuse("good", "is no list; expected the values of quality that mean good, e.g. [192]")
    if good is not None and "quality" not in section.mapping:
        section.refuse("good", "is of no use without quality; say where the quality is")
    clock = _clock(section)
    if section.findings.count > before:
        return None
    return PayloadMap(
        pattern=pattern,
        address=templates["address"],
        metric=templates["metric"],
        text=text,
        readings=finds["readings"],
        name=finds.get("metric"),
        value=finds["value"],
        time=finds["time"],
        clock=clock,
        quality=finds["quality"],
        good=good if isinstance(good, list) else None,
    )


def _pattern(section: Section) -> tuple[re.Pattern[str], int]:
    topic = section.text("topic")
    levels = topic.split("/")
    if any(("+" in level or "#" in level) and len(level) > 1 for level in levels) or "#" in levels[:-1]:
        section.refuse("topic", f"is {topic!r:.60}; + and # stand for whole levels, # only for the last ones")
    made = ["([^/]+)" if level == "+" else re.escape(level) for level in levels if level != "#"]
    if levels[-1] == "#":
        return re.compile("/".join(made) + "(?:/(.*))?" if made else "(.*)"), topic.count("+") + 1
    return re.compile("/".join(made)), topic.count("+")


def _template(section: Section, field: str, wildcards: int) -> str:
    """Empty where it is not there; a metric without braces is no template."""
    if field not in section.mapping:
        return ""
    template = section.text(field)
    places = _PLACE.findall(template)
    if field == "metric" and not places:
        return ""
    for place in places:
        if not place.isdecimal() or not 1 <= int(place) <= wildcards:
            section.refuse(
                field, f"has {{{place}}}; the topic has {wildcards} wildcards, {{1}} is the first of them"
            )
    return template


def _find(section: Section, field: str) -> Find | None:
    if field not in section.mapping:
        return None
    expression = section.text(field)
    if _NAME.fullmatch(expression):
        return lambda document: document.get(expression) if isinstance(document, dict) else None
    try:
        return jmespath.compile(expression).search
    except JMESPathError as error:
        section.refuse(field, f"is no JMESPath: {str(error).splitlines()[0]:.100}")
        return None


def _clock(section: Section) -> Callable[[Any], int]:
    name = section.text("time_format") if "time_format" in section.mapping else "rfc3339"
    for field in ("time_format", "time_zone"):
        if field in section.mapping and "time" not in section.mapping:
            section.refuse(field, "is of no use without time; say where the time is")
    zone = None
    if "time_zone" in section.mapping:
        given = section.text("time_zone")
        try:
            zone = ZoneInfo(given)
        except (OSError, ValueError, KeyError):
            section.refuse("time_zone", f"is {given!r:.60}; expected an IANA name, e.g. Europe/Berlin")
    if name == "rfc3339":
        return _of_text
    if name in _EPOCHS:
        return lambda value: _of_number(value, *_EPOCHS[name])
    if "%" not in name:
        section.refuse(
            "time_format",
            f"is {name!r:.60}; expected rfc3339, {', '.join(_EPOCHS)} or a pattern like %H:%M:%S",
        )
    elif zone is None and "%z" not in name and "time_zone" not in section.mapping:
        section.refuse("time_format", "says nothing of the offset from UTC; add %z to it, or a time_zone")
    return lambda value: _of_pattern(value, name, zone)


def _of_text(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("is no text; see time_format of the payload map")
    return text_time(value)


def _of_number(value: Any, us_each: int, unit: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is no number; see time_format of the payload map")
    return epoch_time(value, us_each, unit)


def _of_pattern(value: Any, pattern: str, zone: ZoneInfo | None) -> int:
    try:
        moment = datetime.strptime(value, pattern)  # noqa: DTZ007 - the zone is put in where it has none
    except (TypeError, ValueError):
        raise ValueError("does not fit time_format of the payload map") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return device_time(microseconds(moment))
