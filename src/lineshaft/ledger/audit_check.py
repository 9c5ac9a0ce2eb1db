"""Whether the audit is as it was written: every chain recomputed, row by row, against its head.

Who can write to the database can also compute a whole chain anew. A head that was noted elsewhere tells:
the chain must still have that row with that hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from lineshaft.core.errors import ConfigError
from lineshaft.ledger.audit import FIRST, HASHED, hash_of
from lineshaft.store.schema import audit, audit_heads

__all__ = ["AuditFinding", "AuditReport", "ChainHead", "verify_audit"]

_BATCH = 2_000
_MOST_FINDINGS = 200
_NOTED_PARTS = 3


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """Its text, `chain:seq:hash`, is what people note elsewhere."""

    chain: str
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> ChainHead:
        """raises  ConfigError"""
        parts = text.rsplit(":", 2)
        if len(parts) != _NOTED_PARTS or not parts[1].isdigit():
            raise ConfigError(
                f"{text!r} is no noted head of an audit chain", hint="CHAIN:SEQ:HASH, as `audit verify` says"
            )
        return cls(chain=parts[0], seq=int(parts[1]), hash=parts[2])


class AuditFinding(msgspec.Struct, frozen=True, kw_only=True):
    """kind: edited, removed, order, head, noted."""

    chain: str
    seq: int
    kind: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.chain}:{self.seq}: {self.kind}: expected {self.expected}, found {self.found}"


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """rows: how many were recomputed; more: findings beyond those listed."""

    rows: int
    heads: list[ChainHead]
    findings: list[AuditFinding]
    more: int = 0


def verify_audit(connection: Connection, noted: Sequence[ChainHead] = ()) -> AuditReport:
    """Of one moment, also while others append. Takes the connection before anything else was asked of it."""
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
    heads = {
        row.chain: ChainHead(chain=row.chain, seq=row.seq, hash=row.hash)
        for row in connection.execute(select(audit_heads))
    }
    check = _Check(heads, noted)
    for row in _rows(connection):
        check.take(row)
    return check.report()


def _rows(connection: Connection) -> Iterator[Row[Any]]:
    columns = [audit.c[name] for name in (*HASHED, "hash")]
    ordered = select(*columns).order_by(audit.c.chain, audit.c.seq).execution_options(yield_per=_BATCH)
    yield from connection.execute(ordered)


class _Check:
    def __init__(self, heads: dict[str, ChainHead], noted: Sequence[ChainHead]) -> None:
        self._heads = heads
        self._noted = noted
        self._noted_at = {(each.chain, each.seq) for each in noted}
        self._seen: dict[tuple[str, int], str] = {}
        self._last: dict[str, ChainHead] = {}
        self._rows = 0
        self._findings: list[AuditFinding] = []
        self._more = 0

    def take(self, row: Row[Any]) -> None:
        self._rows += 1
        before = self._last.get(row.chain) or ChainHead(chain=row.chain, seq=0, hash=FIRST)
        follows = row.seq == before.seq + 1
        if not follows:
            missing = f"row {before.seq + 1}"
            if row.seq - 1 > before.seq + 1:
                missing = f"rows {before.seq + 1} to {row.seq - 1}"
            self._find(row.chain, before.seq + 1, "removed", missing, f"row {row.seq} next")
        elif row.prev_hash != before.hash:
            expected = f"the hash {before.hash or 'of a first row'} of the row before"
            self._find(row.chain, row.seq, "order", expected, row.prev_hash or "none")
        computed = hash_of(tuple(row)[:-1])
        if computed != row.hash:
            self._find(row.chain, row.seq, "edited", f"hash {row.hash}", f"{computed} of what it says now")
        head = self._heads.get(row.chain)
        if head is not None and head.seq == row.seq and head.hash != row.hash:
            self._find(row.chain, row.seq, "head", f"hash {row.hash} of the last row", head.hash)
        if (row.chain, row.seq) in self._noted_at:
            self._seen[row.chain, row.seq] = row.hash
        self._last[row.chain] = ChainHead(chain=row.chain, seq=row.seq, hash=row.hash)

    def report(self) -> AuditReport:
        for chain in sorted(self._heads.keys() | self._last.keys()):
            self._compare_head(chain)
        for each in self._noted:
            found = self._seen.get((each.chain, each.seq))
            if found != each.hash:
                said = f"hash {found}" if found else "no such row"
                self._find(each.chain, each.seq, "noted", f"hash {each.hash}, as noted", said)
        return AuditReport(
            rows=self._rows,
            heads=[self._heads[chain] for chain in sorted(self._heads)],
            findings=self._findings,
            more=self._more,
        )

    def _compare_head(self, chain: str) -> None:
        head, last = self._heads.get(chain), self._last.get(chain)
        reached = last.seq if last else 0
        if head is None:
            self._find(chain, reached, "head", f"a head at row {reached}", "none")
        elif head.seq > reached:
            found = f"row {reached} as the last" if reached else "no rows"
            self._find(chain, reached + 1, "removed", f"rows up to {head.seq}", found)
        elif head.seq < reached:
            self._find(chain, head.seq, "head", f"a head at row {reached}", f"one at row {head.seq}")

    def _find(self, chain: str, seq: int, kind: str, expected: str, found: str) -> None:
        if len(self._findings) < _MOST_FINDINGS:
            self._findings.append(
                AuditFinding(chain=chain, seq=seq, kind=kind, expected=expected, found=found)
            )
        else:
            self._more += 1
