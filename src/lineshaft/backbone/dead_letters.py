"""Where a message goes that cannot be handled: body, cause, owner in `LS_DEAD`, once per consumer."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from lineshaft.backbone.connection import ApiRefused, Connection
from lineshaft.backbone.events import encode_token, from_message
from lineshaft.core.errors import ContractViolation, TransientFault
from lineshaft.core.values import Event

__all__ = ["DeadLetter", "DeadLetterBox", "OnDeadLetter", "event_in", "fetch_message"]

_ALREADY_THERE = 10071
_NO_MESSAGE = 10037


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that its consumer gave up.

    stream, sequence   where the original is, as long as the stream keeps it
    cause              why, in words; code: the fault's code, e.g. `contract_violation`
    owner              the desk that decides
    event              the event in it, None where it cannot be decoded
    """

    stream: str
    sequence: int
    durable: str
    subject: str
    cause: str
    code: str
    owner: str
    deliveries: int
    data: bytes
    headers: dict[str, str]
    event: Event | None = None


OnDeadLetter = Callable[[DeadLetter], Awaitable[None]]


class DeadLetterBox:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, letter: DeadLetter) -> bool:
        """Store it, once: a repeat for the same message and consumer changes nothing.

        returns  whether it is new
        raises   TransientFault when the backbone does not take it
        """
        headers = {key: value for key, value in letter.headers.items() if not key.startswith("Nats-")}
        headers |= {
            "Nats-Expected-Last-Subject-Sequence": "0",
            "ls-dead-stream": letter.stream,
            "ls-dead-sequence": str(letter.sequence),
            "ls-dead-durable": letter.durable,
            "ls-dead-subject": letter.subject,
            "ls-dead-cause": quote(letter.cause[:4000], safe=" /:;,.()'[]{}<>="),
            "ls-dead-code": letter.code,
            "ls-dead-owner": quote(letter.owner),
            "ls-dead-deliveries": str(letter.deliveries),
        }
        subject = f"ls.dead.{encode_token(letter.stream)}.{encode_token(letter.durable)}.{letter.sequence}"
        answer = await self._connection.request_stored(subject, letter.data, headers)
        if answer is None:
            return True
        if answer.err_code == _ALREADY_THERE:
            return False
        raise TransientFault(
            f"dead letter {letter.stream}:{letter.sequence} cannot be stored: {answer}",
            hint="the message stays with its consumer; is LS_DEAD full?",
        )

    @staticmethod
    def read(headers: Mapping[str, str], data: bytes) -> DeadLetter:
        """A message of `LS_DEAD` as what it was."""
        return DeadLetter(
            stream=headers["ls-dead-stream"],
            sequence=int(headers["ls-dead-sequence"]),
            durable=headers["ls-dead-durable"],
            subject=headers["ls-dead-subject"],
            cause=unquote(headers["ls-dead-cause"]),
            code=headers["ls-dead-code"],
            owner=unquote(headers["ls-dead-owner"]),
            deliveries=int(headers["ls-dead-deliveries"]),
            data=data,
            headers={
                key: value for key, value in headers.items() if not key.startswith(("ls-dead-", "Nats-"))
            },
            event=event_in(headers, data),
        )


def event_in(headers: Mapping[str, str], data: bytes) -> Event | None:
    try:
        return from_message(headers, data)
    except ContractViolation:
        return None


async def fetch_message(
    connection: Connection, stream: str, sequence: int
) -> tuple[str, dict[str, str], bytes] | None:
    """Subject, headers and body of one stored message, None when the stream has let it go."""
    try:
        answer = await connection.api(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
    except ApiRefused as refused:
        if refused.err_code == _NO_MESSAGE:
            return None
        raise TransientFault(
            f"message {stream}:{sequence} cannot be read: {refused}", hint="is the stream still declared?"
        ) from refused
    message: dict[str, Any] = answer["message"]
    raw = base64.b64decode(message.get("hdrs", ""))
    parsed = BytesHeaderParser().parsebytes(raw.partition(b"\r\n")[2])
    return str(message["subject"]), dict(parsed.items()), base64.b64decode(message.get("data", ""))
