"""The CMMS's outgoing webhooks: written down with the fact, signed, repeated until the receiver says 2xx."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec

from estate.systems.database import Database, Row
from lineshaft.core.clock import rfc3339

__all__ = ["SCHEMA", "WebhookSender", "WebhookTarget"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS webhook_target (id INTEGER PRIMARY KEY CHECK (id = 1), document TEXT);
CREATE TABLE IF NOT EXISTS deliveries (delivery_no TEXT PRIMARY KEY, body TEXT, state TEXT, attempts INTEGER,
    due_at REAL, last_answer TEXT);
"""
ANSWER_TIMEOUT_S = 10.0
RAW_TIMEOUT_S = 60.0


class WebhookTarget(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who is told: the receiver's URL, the shared secret, and how many copies of each message are sent."""

    url: str
    secret: str
    duplicates: int = 1


class WebhookSender:
    """Header `X-Signature: sha256=<hex HMAC-SHA256 of the body>`.

    The copies of one message differ in `deliveryId` and `sentAt`, as those of real at-least-once senders do.
    A message that is not taken is tried again after retry_base_s, then twice that, up to retry_max_s.
    `idle` is set while no message waits.
    """

    def __init__(self, database: Database, *, retry_base_s: float = 0.5, retry_max_s: float = 30.0) -> None:
        self._database = database
        self._retry_base_s = retry_base_s
        self._retry_max_s = retry_max_s
        self._changed = asyncio.Event()
        self.idle = asyncio.Event()

    @property
    def target(self) -> WebhookTarget | None:
        row = self._database.row("SELECT document FROM webhook_target")
        return None if row is None else msgspec.json.decode(row["document"], type=WebhookTarget)

    def aim(self, target: WebhookTarget) -> None:
        """Kept over restarts; waiting messages go to the new target at once."""
        with self._database.transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO webhook_target VALUES (1, ?)", msgspec.json.encode(target).decode()
            )
            self._database.execute("UPDATE deliveries SET due_at = 0 WHERE state = 'PENDING'")
        self._changed.set()

    def enqueue(self, event_kind: str, document: dict[str, Any]) -> None:
        """Inside a transaction of the caller: the message exists if and only if the fact does."""
        target = self.target
        for _ in range(target.duplicates if target else 1):
            number = self._database.number("DLV", 1)
            body = {
                "eventKind": event_kind,
                "deliveryId": number,
                "sentAt": rfc3339(datetime.now(UTC)),
                "order": document,
            }
            self._database.insert(
                "deliveries",
                {
                    "delivery_no": number,
                    "body": msgspec.json.encode(body).decode(),
                    "state": "PENDING",
                    "attempts": 0,
                    "due_at": 0.0,
                    "last_answer": "",
                },
            )
        self.idle.clear()
        self._changed.set()

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                self._changed.clear()
                target = self.target
                waiting = self._database.rows(
                    "SELECT * FROM deliveries WHERE state = 'PENDING' ORDER BY due_at, rowid"
                )
                if not waiting:
                    self.idle.set()
                wait_s: float | None = None
                if target is not None and waiting:
                    wait_s = max(0.0, waiting[0]["due_at"] - _seconds())
                    if wait_s == 0:
                        await self._send(session, target, waiting[0])
                        continue
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def post_raw(self, body: bytes) -> int:
        """Send any body, well signed, once; the receiver's status. For tests of what it refuses.

        raises  RuntimeError without a target, aiohttp.ClientError when nobody answers
        """
        target = self.target
        if target is None:
            raise RuntimeError("no webhook target is set; call aim() first")
        timeout = aiohttp.ClientTimeout(total=RAW_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(target.url, data=body, headers=_signed(target, body)) as response,
        ):
            return response.status

    async def _send(self, session: aiohttp.ClientSession, target: WebhookTarget, delivery: Row) -> None:
        body = delivery["body"].encode()
        headers = _signed(target, body)
        taken = False
        try:
            async with session.post(target.url, data=body, headers=headers) as response:
                answer, taken = f"{response.status} {response.reason}", response.status // 100 == 2
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            answer = f"{type(failure).__name__}: {failure}"
        attempts = delivery["attempts"] + 1
        delay_s = min(self._retry_base_s * 2 ** (attempts - 1), self._retry_max_s)
        with self._database.transaction():
            self._database.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, due_at = ?, last_answer = ?"
                " WHERE delivery_no = ?",
                "DELIVERED" if taken else "PENDING",
                attempts,
                _seconds() + delay_s,
                answer,
                delivery["delivery_no"],
            )


def _signed(target: WebhookTarget, body: bytes) -> dict[str, str]:
    signature = hmac.new(target.secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Signature": f"sha256={signature}"}


def _seconds() -> float:
    return datetime.now(UTC).timestamp()
