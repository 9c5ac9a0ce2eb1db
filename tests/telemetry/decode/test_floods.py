from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.values import RawReading
from tests.telemetry.messages import batch_of, decoder, pieces, seen, tags_of
from tests.telemetry.plant import at

TAGS = tags_of(("A", "plant/a", ""), ("B", "plant/b", ""))
MOST = 5


def sent(topic: str, second: float, value: float) -> RawReading:
    return RawReading(topic=topic, payload=b'{"value": %g}' % value, received_at=at(second), position="")


def flood(topic: str, second: float, count: int) -> list[RawReading]:
    return [sent(topic, second + number / 1000, number) for number in range(count)]


def values(raws: Sequence[RawReading], most: int = MOST) -> list[tuple[str, float | None]]:
    decoded = decoder(TAGS, most_messages_per_s=most).decode(batch_of(raws))
    return [(one.tag, one.value) for one in seen(decoded, TAGS)]


def test_what_is_beyond_is_counted_and_told_once() -> None:
    good = [sent("plant/b", 0.5, 7)]
    decoded = decoder(TAGS, most_messages_per_s=MOST).decode(batch_of([*flood("plant/a", 0, 20), *good]))
    assert [(one.tag, one.value) for one in seen(decoded, TAGS)] == [
        *(("A", number) for number in range(MOST)),
        ("B", 7),
    ]
    assert decoded.counters.overlooked == 20 - MOST
    assert [(index, "plant/a" in fault.cause) for index, fault in decoded.faults] == [(MOST, True)]


def test_the_next_second_is_a_new_one_and_not_told_again() -> None:
    host = decoder(TAGS, most_messages_per_s=MOST)
    faults = [len(host.decode(batch_of(flood("plant/a", second, 20))).faults) for second in (0, 1, 2, 10, 11)]
    assert faults == [1, 0, 0, 1, 0]
    assert len(values([*flood("plant/a", 0, 20), *flood("plant/a", 1, 3)])) == MOST + 3


def test_zero_is_any_number() -> None:
    assert len(values(flood("plant/a", 0, 50), most=0)) == 50


def test_topics_that_no_tag_knows_are_cut_too_and_not_saved() -> None:
    host = decoder(TAGS, most_messages_per_s=MOST)
    decoded = host.decode(batch_of(flood("plant/unheard-of", 0, 20)))
    assert decoded.counters.unknown == MOST
    assert not any(b"unheard-of" in data for data in host.saved().values())


_MESSAGES = st.lists(st.tuples(st.sampled_from(["plant/a", "plant/b"]), st.booleans()), max_size=40)


@given(_MESSAGES, st.lists(st.integers(0, 40), max_size=4))
def test_batches_and_restarts_decide_nothing(messages: list[tuple[str, bool]], cuts: list[int]) -> None:
    raws, second = [], 0
    for number, (topic, later) in enumerate(messages):
        second += later and number % 7 == 0
        raws.append(sent(topic, second + number / 1000, number))
    parts, host = [], decoder(TAGS, most_messages_per_s=MOST)
    for batch in pieces(raws, cuts):
        parts += [(one.tag, one.value) for one in seen(host.decode(batch), TAGS)]
        again = decoder(TAGS, most_messages_per_s=MOST)
        again.restore(host.saved())
        host = again
    assert parts == values(raws)
