from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.backbone.topics import filter_to_subjects, raw_subjects, subject_to_topic, topic_to_subject
from lineshaft.core.errors import ConfigError

_TOPICS = st.text(alphabet="ab/.0", min_size=1, max_size=12)


@given(_TOPICS)
def test_a_topic_is_reversible(topic: str) -> None:
    subject = topic_to_subject(topic)
    assert subject_to_topic(subject) == topic
    assert all(subject.split("."))


@pytest.mark.parametrize(
    ("topic", "subject"),
    [
        ("spBv1.0/P/DDATA/e/d", "spBv1//0.P.DDATA.e.d"),
        ("a//b/", "a./.b./"),
        ("/a", "/.a"),
        ("a.b", "a//b"),
    ],
)
def test_topics_convert_as_the_server_does(topic: str, subject: str) -> None:
    assert topic_to_subject(topic) == subject


def test_filters_cover_the_parent_level() -> None:
    assert filter_to_subjects("plant/#") == ["plant", "plant.>"]
    assert filter_to_subjects("plant/+/temp") == ["plant.*.temp"]
    assert filter_to_subjects("#") == [">"]


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a+/b", "a b", "a/b#", "a/>"])
def test_a_malformed_filter_is_refused(topic_filter: str) -> None:
    with pytest.raises(ConfigError, match="topic filter"):
        filter_to_subjects(topic_filter)


@pytest.mark.parametrize("topic_filter", ["#", "+/x", "$SYS/#", "ls/#", "_INBOX/#"])
def test_our_own_traffic_cannot_be_taken_in(topic_filter: str) -> None:
    with pytest.raises(ConfigError, match="own traffic"):
        raw_subjects([topic_filter])


def test_what_is_covered_is_not_named_twice() -> None:
    assert raw_subjects(["plant/#", "plant/a/+", "plant/#", "x"]) == ["plant", "plant.>", "x"]
