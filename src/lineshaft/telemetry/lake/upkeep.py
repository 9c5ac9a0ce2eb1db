"""What keeps a lake small and quick: old days go, small files become large ones, unused files are deleted.

Works beside the writer, in any process. Of two at once, one fails and leaves all as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lineshaft.core.lake_policy import LakePolicy
from lineshaft.telemetry.lake.facts_tables import FACTS
from lineshaft.telemetry.lake.parts import write_part
from lineshaft.telemetry.lake.readings_table import READINGS
from lineshaft.telemetry.lake.tables import LakeTable, Part, lake_faults

__all__ = ["Holding", "Upkeep", "holdings", "maintain"]

_SMALL_BYTES = 64 * 2**20
_ROWS_AT_ONCE = 4_000_000  # 400 MB while they are sorted


class Upkeep(msgspec.Struct, kw_only=True):
    """What was done. expired: rows; compacted: files, into so many; deleted: files"""

    expired: int = 0
    compacted: int = 0
    into: int = 0
    deleted: int = 0


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a table has of one retention class, empty for facts. oldest, newest: days"""

    table: str
    keep: str
    rows: int
    files: int
    bytes: int
    oldest: str
    newest: str


def maintain(root: str, policy: LakePolicy, now: datetime, *, eager: bool = False) -> Upkeep:
    """Blocks; call it every few minutes. raises  TransientFault; what was done by then stays done.

    eager   the day that lasts is compacted, however few its files are
    """
    done = Upkeep()
    today = now.date()
    with lake_faults(root):
        for table in _tables(root, policy):
            kept: list[Part] = []
            expired: list[Part] = []
            for part in table.parts():
                (expired if _is_expired(part, policy, today) else kept).append(part)
            if expired:
                table.commit([], without=expired)
                done.expired += sum(part.rows for part in expired)
            for partition, bins in _bins(kept, today, 2 if eager else policy.compact_files):
                for small in bins:
                    table.commit([_merged(table, partition, small)], without=small)
                    done.compacted += len(small)
                    done.into += 1
            done.deleted += len(
                table.table().vacuum(
                    policy.vacuum_hours, dry_run=False, enforce_retention_duration=False, full=True
                )
            )
    return done


def holdings(root: str, policy: LakePolicy) -> list[Holding]:
    """raises  TransientFault"""
    found = []
    with lake_faults(root):
        for table in _tables(root, policy):
            by_class: dict[str, list[Part]] = {}
            for part in table.parts():
                by_class.setdefault(part.partition.get("keep", ""), []).append(part)
            for keep, parts in sorted(by_class.items()):
                days = [part.partition["day"] for part in parts]
                found.append(
                    Holding(
                        table=table.shape.name,
                        keep=keep,
                        rows=sum(part.rows for part in parts),
                        files=len(parts),
                        bytes=sum(part.size for part in parts),
                        oldest=min(days),
                        newest=max(days),
                    )
                )
    return found


def _tables(root: str, policy: LakePolicy) -> Iterator[LakeTable]:
    for shape in (READINGS, *(kind.shape for kind in FACTS)):
        table = LakeTable(root, shape, policy.storage_options)
        if table.exists:
            yield table


def _is_expired(part: Part, policy: LakePolicy, today: date) -> bool:
    """A class that the settings do not name any more stays."""
    keep = part.partition.get("keep")
    days = policy.facts_days if keep is None else policy.classes.get(keep)
    return days is not None and date.fromisoformat(part.partition["day"]) < today - timedelta(days=days)


def _bins(
    parts: Sequence[Part], today: date, open_day_files: int
) -> Iterator[tuple[Mapping[str, str], list[list[Part]]]]:
    """By partition, small files that become one each."""
    by_partition: dict[tuple[tuple[str, str], ...], list[Part]] = {}
    for part in parts:
        if part.size < _SMALL_BYTES:
            by_partition.setdefault(tuple(part.partition.items()), []).append(part)
    for key, small in by_partition.items():
        partition = dict(key)
        if len(small) < (open_day_files if partition["day"] >= today.isoformat() else 2):
            continue
        bins: list[list[Part]] = [[]]
        for part in sorted(small, key=lambda part: part.rows):
            if sum(other.rows for other in bins[-1]) + part.rows > _ROWS_AT_ONCE:
                bins.append([])
            bins[-1].append(part)
        yield partition, [chosen for chosen in bins if len(chosen) > 1]


def _merged(table: LakeTable, partition: Mapping[str, str], parts: Sequence[Part]) -> Part:
    is_readings, files = table.shape is READINGS, table.files
    names = ["tag", "equipment_id", "quality", "stream"] if is_readings else None
    rows = pa.concat_tables(
        pq.ParquetFile(part.path, filesystem=files, read_dictionary=names).read(use_threads=False)
        for part in parts
    )
    return write_part(table, partition, _by_tag(rows) if is_readings else rows, is_sorted=is_readings)


def _by_tag(rows: pa.Table) -> pa.Table:
    """Sorted by tag and time, so that a query for a tag reads few of the groups."""
    rows = rows.unify_dictionaries().combine_chunks()
    tag = rows["tag"].chunk(0)
    names = tag.dictionary.to_pylist()
    rank = np.empty(len(names), np.int32)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names), dtype=np.int32)
    time = rows["time"].chunk(0).cast(pa.int64()).to_numpy()
    return rows.take(np.lexsort((time, rank[tag.indices.to_numpy()])))
