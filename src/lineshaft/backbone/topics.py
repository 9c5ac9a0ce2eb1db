"""MQTT topics as NATS subjects and back, the way nats-server 2.15 converts them.

`/` → `.`, `.` → `//`, an empty level → `/`:
`spBv1.0/P/DDATA/e/d` ⇄ `spBv1//0.P.DDATA.e.d`, `a//b/` ⇄ `a./.b./`.
"""

from __future__ import annotations

from lineshaft.core.errors import ConfigError

__all__ = ["filter_to_subjects", "raw_subjects", "subject_covers", "subject_to_topic", "topic_to_subject"]

_RESERVED = ("ls", "_INBOX", "_R_", "_GR_")


def topic_to_subject(topic: str) -> str:
    """One concrete topic.

    raises  ConfigError for what the MQTT listener refuses too: empty, white space, wildcards
    """
    if not topic or any(character.isspace() or character in "+#*>" for character in topic):
        raise ConfigError(
            f"MQTT topic {topic!r} cannot be published", hint="no spaces and none of + # * > in a topic"
        )
    return ".".join(_token(level) for level in topic.split("/"))


def subject_to_topic(subject: str) -> str:
    return "/".join("" if part == "/" else part.replace("//", ".") for part in subject.split("."))


def filter_to_subjects(topic_filter: str) -> list[str]:
    """The subjects that a topic filter covers: `plant/#` is `plant` and `plant.>`, `+` is `*`.

    raises  ConfigError for a wildcard that is not a level of its own, white space, or `#` before the end
    """
    levels = topic_filter.split("/")
    for position, level in enumerate(levels):
        wild = level in ("+", "#") and not (level == "#" and position < len(levels) - 1)
        if not topic_filter or (
            not wild and any(character.isspace() or character in "+#*>" for character in level)
        ):
            raise ConfigError(
                f"MQTT topic filter {topic_filter!r} is not valid at level {position + 1}: {level!r}",
                hint="+ and # stand alone in a level, # only at the end, no spaces, * or >",
            )
    tokens = ["*" if level == "+" else _token(level) for level in levels if level != "#"]
    exact = ".".join(tokens)
    if levels[-1] != "#":
        return [exact]
    return [exact, f"{exact}.>"] if tokens else [">"]


def raw_subjects(topic_filters: list[str]) -> list[str]:
    """Subjects for the stream of raw device traffic, sorted, each once, none covered by another.

    raises  ConfigError where a filter would take in what is not device traffic: `#`, `+/…`, `$…`, `ls/…`
    """
    subjects: set[str] = set()
    for topic_filter in topic_filters:
        first = topic_filter.split("/", 1)[0]
        if first in ("#", "+") or first.startswith("$") or first in _RESERVED:
            raise ConfigError(
                f"MQTT topic filter {topic_filter!r} would take in the backbone's own traffic",
                hint="name the first level of the devices' topics, e.g. plant/# or spBv1.0/#",
            )
        subjects.update(filter_to_subjects(topic_filter))
    return sorted(
        subject
        for subject in subjects
        if not any(other != subject and subject_covers(other, subject) for other in subjects)
    )


def subject_covers(wide: str, narrow: str) -> bool:
    """Whether each subject that `narrow` matches is one that `wide` matches."""
    wide_tokens, narrow_tokens = wide.split("."), narrow.split(".")
    for position, part in enumerate(wide_tokens):
        if part == ">":
            return len(narrow_tokens) > position
        if position >= len(narrow_tokens) or narrow_tokens[position] == ">":
            return False
        if part not in ("*", narrow_tokens[position]):
            return False
    return len(wide_tokens) == len(narrow_tokens)


def _token(level: str) -> str:
    return level.replace(".", "//") if level else "/"
