from __future__ import annotations

import pytest

from lineshaft.connectors.mqtt.topic_names import TopicNames
from lineshaft.core.errors import ConfigError


@pytest.mark.parametrize(
    ("topic_filter", "topic", "name"),
    [
        ("plant/#", "plant", "plant"),
        ("plant/#", "plant/a/b", "plant/a/b"),
        ("plant/#", "plants/a", None),
        ("plant/+/t", "plant/a/t", "plant/a/t"),
        ("plant/+/t", "plant/a/b/t", None),
        ("/a/+", "/a/", "/a/"),
        ("a.b/c", "aXb/c", None),
        ("plant/#", "plant/" + "x" * 994, "plant/" + "x" * 994),
        ("plant/#", "plant/" + "x" * 995, None),
        ("plant/#", "plant/Linie 1/°C>5*", "plant/Linie%201/°C%3E5%2A"),
        ("plant/#", "plant/a\tb\u00a0c\n", "plant/a%09b%C2%A0c%0A"),
    ],
)
def test_a_topic_is_named_as_the_backbone_can_hold_it(
    topic_filter: str, topic: str, name: str | None
) -> None:
    assert TopicNames([topic_filter], "").name(topic.encode()) == name


@pytest.mark.parametrize("topic", ["ls/operational/x", "_INBOX/a", "$SYS/load", "other/a"])
def test_what_would_pass_for_the_backbones_own_traffic_has_no_name(topic: str) -> None:
    assert TopicNames(["plant/#"], "").name(topic.encode()) is None
    assert TopicNames(["#"], "hall2").name(topic.encode()) == (None if topic[0] == "$" else f"hall2/{topic}")


def test_the_backbone_is_told_what_to_take_in() -> None:
    assert TopicNames(["plant/#", "b c/+"], "").put_filters == ["b%20c/+", "plant/#"]
    assert TopicNames(["+/t", "a/#"], "/hall2/").put_filters == ["hall2/+/t", "hall2/a/#", "spBv1.0/#"]
    assert TopicNames(["spBv1.0/G/#"], "hall2").put_filters == ["spBv1.0/G/#"]


@pytest.mark.parametrize(
    ("topic_filter", "prefix", "hint"),
    [
        ("#", "", "give a prefix"),
        ("+/a", "", "give a prefix"),
        ("ls/#", "", "not `ls`"),
        ("$SYS/#", "hall2", "broker's own"),
        ("$share/g/plant/#", "", "broker's own"),
        ("a/#/b", "", "only at the end"),
        ("a/b+", "", "stand alone"),
        ("", "", "stand alone"),
        ("a", "ls", "levels such as"),
        ("a", "x/+", "levels such as"),
    ],
)
def test_filters_that_cannot_be_used_are_refused_with_the_reason(
    topic_filter: str, prefix: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=hint.replace("+", r"\+")):
        TopicNames([topic_filter], prefix)
