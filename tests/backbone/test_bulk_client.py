"""Frames cut out in bulk are the messages that nats-py's own parser sees, however the bytes are split."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from lineshaft.backbone.bulk_client import BulkClient, BulkParser, Sink
from tests.examples import examples

OURS = b"7"
Message = tuple[bytes, bytes, bytes, bytes]


class Heard:
    """What a parser tells its client."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes, bytes, bytes, bytes | None]] = []
        self.others: list[object] = []

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, head: bytes | None
    ) -> None:
        self.messages.append((sid, subject, reply, data, head))

    async def _process_ping(self) -> None:
        self.others.append("ping")

    async def _process_pong(self) -> None:
        self.others.append("pong")

    async def _process_err(self, text: str) -> None:
        self.others.append(text)

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.others.append(info)


def frame(sid: bytes, subject: bytes, reply: bytes, payload: bytes, lines: list[bytes] | None) -> bytes:
    place = b" ".join(filter(None, [subject, sid, reply]))
    if lines is None:
        return b"MSG %s %d\r\n%s\r\n" % (place, len(payload), payload)
    head = b"NATS/1.0" + b"".join(b"\r\n" + line for line in lines) + b"\r\n\r\n"
    return b"HMSG %s %d %d\r\n%s%s\r\n" % (place, len(head), len(head) + len(payload), head, payload)


payloads = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"", b"\r\n", b"a\r\nMSG x 7 y 1\r\nb", b"\r\n\r\n"])
)
heads = st.sampled_from([None, None, [b"Nmqtt-Pub:0"], [b"Nmqtt-Pub:0"], [b"a:1", b"b:2"], [b""]])
replies = st.sampled_from([b"$JS.ACK.S.c.1.5.5.1.0", b"$JS.ACK.S.c.1.6.6.1.0"])
taken = st.tuples(st.just(OURS), st.sampled_from([b"plant.a", b"plant.b.c"]), replies, payloads, heads)
of_others = st.tuples(
    st.sampled_from([b"8", b"77"]), st.just(b"x"), st.sampled_from([b"", b"r"]), payloads, heads
)
control = st.sampled_from(
    [b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'slow down'\r\n", b'INFO {"a": 1}\r\n']
)
status = st.just(
    b"HMSG in 7 41 41\r\nNATS/1.0 408 Request Timeout\r\nA: 1\r\n\r\n\r\n".replace(b"41 41", b"38 38")
)
some = st.lists(taken.map(lambda each: frame(*each)), max_size=12).map(b"".join)
anything = st.one_of(some, some, of_others.map(lambda each: frame(*each)), control, status)


def lines_of(head: bytes | None) -> bytes:
    return (head or b"")[10:-4]


@settings(max_examples=examples(100))
@given(st.lists(anything, max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_any_split_gives_the_messages_of_the_reference(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    reference, heard, ends = Heard(), Heard(), list[Mapping[str, str]]()
    columns: list[Message] = []

    def more() -> None:
        columns.extend(zip(sink.subjects, sink.replies, sink.heads, sink.payloads, strict=True))
        sink.empty()

    sink = Sink(more, ends.append)

    async def run() -> None:
        await Parser(reference).parse(data)
        parser = BulkParser(heard)  # type: ignore[arg-type]
        parser.sinks[OURS] = sink
        at = turn = 0
        while at < len(data):
            step = cuts[turn % len(cuts)]
            await parser.parse(data[at : at + step])
            at, turn = at + step, turn + 1

    asyncio.run(run())
    ours = [each for each in reference.messages if each[0] == 7]
    assert columns == [(s, r, lines_of(h), p) for _, s, r, p, h in ours if r]
    assert ends == [{"Status": "408", "Description": "Request Timeout", "A": "1"}] * sum(
        not m[2] for m in ours
    )
    assert heard.messages == [each for each in reference.messages if each[0] != 7]
    assert heard.others == reference.others


async def test_a_reconnect_in_the_middle_of_a_frame_forgets_its_half() -> None:
    heard = Heard()
    parser = BulkParser(heard)  # type: ignore[arg-type]
    sink = parser.sinks[OURS] = Sink(lambda: None, lambda headers: None)
    whole = frame(OURS, b"plant.a", b"$JS.ACK.S.c.1.5.5.1.0", b"payload", [b"Nmqtt-Pub:0"])
    await parser.parse(whole + whole[:30])
    parser.reset()
    await parser.parse(whole)
    assert sink.payloads == [b"payload"] * 2


async def test_what_follows_the_loss_of_the_connection_in_the_same_bytes_is_left() -> None:
    class Lost(Heard):
        async def _process_err(self, text: str) -> None:
            parser.reset()

    parser = BulkParser(Lost())  # type: ignore[arg-type]
    sink = parser.sinks[OURS] = Sink(lambda: None, lambda headers: None)
    await parser.parse(b"-ERR 'Stale Connection'\r\n" + frame(OURS, b"a", b"r", b"1", None))
    await parser.parse(frame(OURS, b"a", b"r", b"2", None))
    assert sink.payloads == [b"2"]


async def test_what_is_no_frame_ends_the_connection() -> None:
    parser = BulkParser(Heard())  # type: ignore[arg-type]
    for broken in (b"MSG plant.a 7 r x\r\n", b"NONSENSE\r\n"):
        with pytest.raises(ProtocolError):
            await parser.parse(broken)
        parser.reset()


def test_the_part_of_nats_py_that_is_replaced_is_there() -> None:
    assert type(Client()._ps) is Parser
    assert type(BulkClient()._ps) is BulkParser
    assert inspect.iscoroutinefunction(Client._read_loop)
    assert "self._transport.read(" in inspect.getsource(Client._read_loop)
