from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.core.values import ExceptionKind, RawReading
from lineshaft.telemetry.decoder import Decoder
from tests.telemetry.messages import batch_of, decoder, pieces, seen, tags_of
from tests.telemetry.plant import at

TAGS = tags_of(("A", "plant/a", ""), ("B", "plant/b", ""))
PER_S = 1
MOST = 10 * PER_S


def sent(topic: str, second: float, value: float) -> RawReading:
    return RawReading(topic=topic, payload=b'{"value": %g}' % value, received_at=at(second), position="")


def flood(topic: str, second: float, count: int) -> list[RawReading]:
    return [sent(topic, second + number / 1000, number) for number in range(count)]


def limited(per_s: int = PER_S, stream: str = "RAW") -> Decoder:
    """stream: the lossy one; all batches here are of RAW"""
    return decoder(TAGS, most_messages_per_s=per_s, lossy=frozenset([stream]))


def values(raws: Sequence[RawReading], per_s: int = PER_S) -> list[tuple[str, float | None]]:
    decoded = limited(per_s).decode(batch_of(raws))
    return [(one.tag, one.value) for one in seen(decoded, TAGS)]


def test_what_is_beyond_is_counted_and_told_once() -> None:
    good = [sent("plant/b", 0.5, 7)]
    decoded = limited().decode(batch_of([*flood("plant/a", 0, 20), *good]))
    assert [(one.tag, one.value) for one in seen(decoded, TAGS)] == [
        *(("A", number) for number in range(MOST)),
        ("B", 7),
    ]
    assert decoded.counters.overlooked == 20 - MOST
    ((index, fault),) = decoded.faults
    assert (index, fault.kind) == (MOST, ExceptionKind.FLOOD)
    assert "more than 10 messages came on plant/a in 10 s" in fault.cause
    assert "raise telemetry.most_messages_per_s, which is 1" in fault.cause


def test_ten_seconds_later_it_may_send_again_and_what_goes_on_is_not_told_again() -> None:
    host = limited()
    faults = [
        len(host.decode(batch_of(flood("plant/a", second, 20))).faults) for second in (0, 10, 20, 50, 60)
    ]
    assert faults == [1, 0, 0, 1, 0]
    assert len(values([*flood("plant/a", 0, 20), *flood("plant/a", 9, 3)])) == MOST
    assert len(values([*flood("plant/a", 0, 20), *flood("plant/a", 10, 3)])) == MOST + 3


def test_a_burst_within_what_ten_seconds_allow_is_read() -> None:
    assert len(values(flood("plant/a", 0, MOST))) == MOST


def test_what_was_acknowledged_is_read_however_much_it_is() -> None:
    decoded = limited(stream="ANOTHER").decode(batch_of(flood("plant/a", 0, 50)))
    assert len(seen(decoded, TAGS)) == 50
    assert (decoded.faults, decoded.counters.overlooked) == ([], 0)


def test_zero_is_any_number() -> None:
    assert len(values(flood("plant/a", 0, 50), per_s=0)) == 50


def test_topics_that_no_tag_knows_are_cut_too_and_not_saved() -> None:
    host = limited()
    decoded = host.decode(batch_of(flood("plant/unheard-of", 0, 20)))
    assert decoded.counters.unknown == MOST
    assert not any(b"unheard-of" in data for data in host.saved().values())


_MESSAGES = st.lists(st.tuples(st.sampled_from(["plant/a", "plant/b"]), st.booleans()), max_size=40)


@given(_MESSAGES, st.lists(st.integers(0, 40), max_size=4))
def test_batches_and_restarts_decide_nothing(messages: list[tuple[str, bool]], cuts: list[int]) -> None:
    raws, second = [], 0
    for number, (topic, later) in enumerate(messages):
        second += 10 if later and number % 7 == 0 else 0
        raws.append(sent(topic, second + number / 1000, number))
    parts, host = [], limited()
    for batch in pieces(raws, cuts):
        parts += [(one.tag, one.value) for one in seen(host.decode(batch), TAGS)]
        again = limited()
        again.restore(host.saved())
        host = again
    assert parts == values(raws)
