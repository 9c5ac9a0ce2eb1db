"""Watches nats.log for what nothing else tells: dropped messages and forbidden publishes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from lineshaft.backbone.incidents import Incident, read_incidents

__all__ = ["ServerLog"]

_log = structlog.get_logger(__name__)
_POLL_S = 0.5
_DROPPED = b"Dropping messages"
_VIOLATION = b"Publish Violation"
_MOST_KEPT = 1000


class ServerLog:
    """Counts since start. dropped: the server threw stored traffic away; violations: denied publishes.

    incidents   what devices did that they may not, until somebody takes it; told: there is some

    The server writes the file itself, so that it never waits for us; a file has no portable event, so it is
    looked at twice a second.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._tail = b""
        self.dropped = 0
        self.violations = 0
        self.incidents: list[Incident] = []
        self.told = asyncio.Event()

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_POLL_S)

    def look(self) -> None:
        """Take in what was written since the last look."""
        try:
            size = self._path.stat().st_size
            if size < self._offset:  # the server has begun a new file
                self._offset, self._tail = 0, b""
            if size == self._offset:
                return
            with self._path.open("rb") as file:
                file.seek(self._offset)
                written = file.read()
        except FileNotFoundError:
            return
        self._offset += len(written)
        lines, _, rest = (self._tail + written).rpartition(b"\n")
        self._tail = rest
        self.incidents = [*self.incidents, *read_incidents(lines)][-_MOST_KEPT:]
        if self.incidents:
            self.told.set()
        dropped, violations = lines.count(_DROPPED), lines.count(_VIOLATION)
        if dropped:
            self.dropped += dropped
            _log.error(
                "nats-server drops messages: stored traffic is lost",
                times=dropped,
                line=_last_line(lines, _DROPPED),
                next_step="slow the devices down or give the disk more write speed",
            )
        if violations:
            self.violations += violations
            _log.warning(
                "a client published where it may not",
                times=violations,
                line=_last_line(lines, _VIOLATION),
                next_step="correct the device's topic or the permissions of its user",
            )


def _last_line(lines: bytes, containing: bytes) -> str:
    found = lines.rfind(containing)
    start, end = lines.rfind(b"\n", 0, found) + 1, lines.find(b"\n", found)
    return lines[start : end if end >= 0 else len(lines)].decode(errors="replace")
