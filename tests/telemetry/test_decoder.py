from __future__ import annotations

import json

from lineshaft.core.values import ExceptionKind, RawReading
from lineshaft.telemetry.decode.notes import BUDGET

from .messages import batch_of, decoder, pieces, seen, tags_of, us
from .plant import ms, raw

TAGS = tags_of(("A", "plant/a", "value"), ("B", "plant/b", "value"))


def test_protocols_side_by_side_in_the_order_of_the_messages() -> None:
    host = decoder()
    messages = [
        raw("plant/p08", b'{"values": {"pressure": 2}}', 1),
        raw("plant/nobody", b"?", 2),
        raw("plant/p07/pressure", b'[{"value": 3}, {"value": "x"}]', 3),
        raw("plant/p07/pressure", b'{"value": 4}', 4),
    ]
    decoded = host.decode(batch_of(messages))
    assert [(one.tag, one.value, one.time, one.message) for one in seen(decoded)] == [
        ("P08.PRESSURE", 200, us(1), 0),
        ("P07.PRESSURE", 3, us(3), 2),
        ("P07.PRESSURE", 4, us(4), 3),
    ]
    assert [index for index, _ in decoded.faults] == [2]
    assert decoded.unknown == [(1, "plant/nobody", "")]


def test_values_that_the_target_unit_cannot_hold() -> None:
    payload = json.dumps({"values": {"pressure": 1e307}}).encode()
    decoded = decoder().decode(batch_of([raw("plant/p08", payload), raw("plant/p08", payload[:-5] + b"1}}")]))
    assert [one.message for one in seen(decoded)] == [1]
    ((index, fault),) = decoded.faults
    assert (index, fault.metric) == (0, "pressure")
    assert "too large for unit KPA" in fault.cause


def test_topics_without_tags_are_told_once_and_never_read() -> None:
    host = decoder(TAGS)
    flood = [raw(f"x/{number % 50}", b"\xff" * 10) for number in range(500)]
    decoded = host.decode(batch_of(flood))
    assert decoded.unknown == [(number, f"x/{number}", "") for number in range(50)]
    assert (decoded.counters.unknown, decoded.faults) == (500, [])
    assert host.decode(batch_of(flood)).unknown == []


def test_of_very_many_topics_without_tags_the_first_thousand_are_told() -> None:
    host = decoder(TAGS)
    messages = [raw(f"x/{number}", b"{}") for number in range(1500)]
    decoded = host.decode(batch_of(messages))
    assert len(decoded.unknown) == 1000
    assert decoded.counters.unknown == 1500
    ((index, fault),) = decoded.faults
    assert (index, fault.kind) == (999, ExceptionKind.UNKNOWN_TAG)
    assert "further ones are only counted" in fault.cause
    again = host.decode(batch_of(messages))
    assert (again.unknown, again.faults, again.counters.unknown) == ([], [], 1500)


def poison(good_every: int = 3, messages: int = 900) -> list[RawReading]:
    """Half a second of a device that sends bad messages, some with a good part, and of one that does not."""
    return [
        raw("plant/a", b'[{"value": %d}, {"value": NaN}]' % number, number / 1800)
        if number % good_every
        else raw("plant/b", b'{"value": %d, "time": %d}' % (number, ms(number)), number / 1800)
        for number in range(messages)
    ]


def test_a_poisoned_device_is_heard_a_little_and_harms_no_other() -> None:
    decoded = decoder(TAGS).decode(batch_of(poison()))
    values = [(one.tag, one.value) for one in seen(decoded, TAGS)]
    assert [value for tag, value in values if tag == "B"] == list(range(0, 900, 3))
    assert len([value for tag, value in values if tag == "A"]) == BUDGET
    assert decoded.counters.overlooked == 600 - BUDGET
    assert len(decoded.faults) == BUDGET + 1
    assert "further ones of this second are only counted" in decoded.faults[-1][1].cause


def test_the_next_second_is_a_new_one() -> None:
    messages = [*poison(), raw("plant/a", b'[{"value": 1}, {"value": NaN}]', 1)]
    decoded = decoder(TAGS).decode(batch_of(messages))
    assert decoded.faults[-1][0] == 900
    assert seen(decoded, TAGS)[-1].message == 900


def test_good_messages_of_a_poisoned_device_are_read() -> None:
    messages = [*poison(), raw("plant/a", b'{"value": 7}', 0.6)]
    assert seen(decoder(TAGS).decode(batch_of(messages)), TAGS)[-1][:2] == ("A", 7)


def test_what_is_heard_of_a_poisoned_device_does_not_hang_on_batches_and_restarts() -> None:
    messages = poison()
    whole = decoder(TAGS)
    expected = seen(whole.decode(batch_of(messages)), TAGS)
    host, told, first = decoder(TAGS), [], 0
    for batch in pieces(messages, (10, 90, 151, 400)):
        saved = host.saved()
        host = decoder(TAGS)
        host.restore(saved)
        told += seen(host.decode(batch), TAGS, first)
        first += len(batch)
    assert told == expected
    assert host.saved() == whole.saved()


def test_large_bad_messages_are_dear() -> None:
    large = b'[{"value": NaN}, {"note": "%s"}]' % (b"x" * 300_000)
    decoded = decoder(TAGS).decode(batch_of([raw("plant/a", large)] * 10))
    assert decoded.counters.overlooked == 8


def test_a_message_with_very_many_faults() -> None:
    payload = json.dumps({"values": {f"m{number}": "x" for number in range(500)}}).encode()
    tags = tags_of(*((f"T{number}", "d", f"m{number}") for number in range(500)))
    decoded = decoder(tags).decode(batch_of([raw("d", payload)]))
    assert len(decoded.faults) == 21
    assert "more faults" in decoded.faults[-1][1].cause
    assert decoded.counters.malformed == 500
