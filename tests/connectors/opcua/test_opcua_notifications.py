"""Decoding: a recorded session of an independent server, and whatever asyncua can encode."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.connectors.opcua.notifications import Change, Notification, notification_of, republished

RECORDED = json.loads((Path(__file__).parent / "recorded" / "node-opcua.json").read_text(encoding="utf-8"))
NAMES = [metric.rpartition(".")[2] for metric in RECORDED["metrics"]]
TICKS_2026 = 134_100_000_000_000_000

NUMBERS: dict[ua.VariantType, st.SearchStrategy[Any]] = {
    ua.VariantType.Boolean: st.booleans(),
    ua.VariantType.SByte: st.integers(-(2**7), 2**7 - 1),
    ua.VariantType.Byte: st.integers(0, 2**8 - 1),
    ua.VariantType.Int16: st.integers(-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: st.integers(0, 2**16 - 1),
    ua.VariantType.Int32: st.integers(-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: st.integers(0, 2**32 - 1),
    ua.VariantType.Int64: st.integers(-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: st.integers(0, 2**64 - 1),
    ua.VariantType.Float: st.floats(width=32, allow_nan=False),
    ua.VariantType.Double: st.floats(allow_nan=False),
    ua.VariantType.String: st.text(max_size=20),
}


def recorded() -> list[Notification]:
    return [notification_of(Buffer(base64.b64decode(text))) for text in RECORDED["publish_responses"]]


def values_of(name: str) -> list[object]:
    handle = NAMES.index(name)
    return [change.value for each in recorded() for change in each.changes if change.handle == handle]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Double", [4.25, 4.5, 4.75, 5.0, 5.25]),
        ("Float", [0.0, 0.5, 1.0, 1.5, 2.0]),
        ("SByte", [0, -1, -2, -3, -4]),
        ("Byte", [250, 251, 252, 253, 254]),
        ("Int16", [-1000, -1001, -1002, -1003, -1004]),
        ("UInt16", [60000, 60001, 60002, 60003, 60004]),
        ("Int32", [-100000, -100001, -100002, -100003, -100004]),
        ("UInt32", [4_000_000_000 + step for step in range(5)]),
        ("Int64", [5_000_000 + step for step in range(5)]),
        ("UInt64", [2**32 + step for step in range(5)]),
        ("Boolean", [0, 1, 0, 1, 0]),
        ("String", [f"state {step}" for step in range(5)]),
        ("Array", [[step, step + 0.5] for step in range(5)]),
        ("Status", [10.0, 11.0, 12.0, 13.0, 14.0]),
        ("Old", [7.0]),
        ("NotThere", []),
    ],
)
def test_a_recorded_session_of_node_opcua(name: str, values: list[object]) -> None:
    assert values_of(name) == values


def test_the_recorded_session_has_every_number_times_with_picoseconds_and_signs_of_life() -> None:
    told = recorded()
    numbers = [each.sequence for each in told if not each.is_alive_only]
    assert numbers == list(range(1, len(numbers) + 1))
    assert sum(each.is_alive_only for each in told) >= 3
    statuses = {change.status for each in told for change in each.changes}
    assert statuses == {0, 0x808C0000, 0x40930000, 0x80310000, 0x0480}
    began = told[0].sent
    for each in told[1:]:
        for change in each.changes:
            assert began < change.source == change.server <= each.sent


@given(st.data())
def test_what_asyncua_encodes_is_read_as_it_was(data: st.DataObject) -> None:
    items, expected = [], []
    for handle in range(data.draw(st.integers(0, 4))):
        kind = data.draw(st.sampled_from(sorted(NUMBERS, key=lambda each: each.value)))
        value = data.draw(NUMBERS[kind])
        if data.draw(st.booleans()):
            value = [value, value]
        status = data.draw(st.sampled_from([None, 0, 0x80000000, 0x40000480]))
        source, server = (data.draw(st.sampled_from([None, TICKS_2026 + 10 * handle])) for _ in range(2))
        content = ua.DataValue(
            ua.Variant(value, kind),
            None if status is None else ua.StatusCode(ua.UInt32(status)),
            source and moment(source),
            server and moment(server),
        )
        items.append(ua.MonitoredItemNotification(ua.UInt32(handle), content))
        expected.append(Change(handle, value, status or 0, source or 0, server or 0))
    assert (
        notification_of(Buffer(response(ua.DataChangeNotification(MonitoredItems=items)))).changes == expected
    )


def moment(ticks: int) -> Any:
    return ua.win_epoch_to_datetime(ticks)


def response(*parts: Any, sequence: int = 5) -> bytes:
    answer = ua.PublishResponse()
    answer.Parameters.SubscriptionId = ua.UInt32(3)
    answer.Parameters.AvailableSequenceNumbers = [ua.UInt32(4), ua.UInt32(5)]
    answer.Parameters.NotificationMessage.SequenceNumber = ua.UInt32(sequence)
    answer.Parameters.NotificationMessage.NotificationData = list(parts)
    return struct_to_binary(answer)


def test_what_is_available_again_and_what_came_beside_other_notifications() -> None:
    change = ua.DataChangeNotification(
        MonitoredItems=[ua.MonitoredItemNotification(ua.UInt32(9), ua.DataValue(ua.Variant(1.5)))]
    )
    told = notification_of(Buffer(response(ua.EventNotificationList(), change)))
    assert (told.subscription, told.available, told.sequence, told.ended) == (3, [4, 5], 5, 0)
    assert [(each.handle, each.value) for each in told.changes] == [(9, 1.5)]


def test_a_subscription_that_the_server_ends() -> None:
    status = ua.StatusChangeNotification(Status=ua.StatusCode(ua.UInt32(ua.StatusCodes.BadTimeout)))
    assert notification_of(Buffer(response(status))).ended == ua.StatusCodes.BadTimeout


def test_a_message_that_was_asked_for_again() -> None:
    answer = ua.RepublishResponse()
    answer.NotificationMessage.SequenceNumber = ua.UInt32(8)
    answer.NotificationMessage.NotificationData = [
        ua.DataChangeNotification(
            MonitoredItems=[ua.MonitoredItemNotification(ua.UInt32(1), ua.DataValue(ua.Variant(2.5)))]
        )
    ]
    told = republished(Buffer(struct_to_binary(answer)), 3)
    assert (told.subscription, told.sequence) == (3, 8)
    assert [(each.handle, each.value) for each in told.changes] == [(1, 2.5)]


def test_a_refusal_of_the_server_is_raised() -> None:
    answer = ua.PublishResponse()
    answer.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(ua.StatusCodes.BadNoSubscription))
    with pytest.raises(UaStatusCodeError):
        notification_of(Buffer(struct_to_binary(answer)))
