"""Delta tables: made, opened, and extended so that a commit, once told, outlives a power cut.

A commit of readings also holds, for each source, the sequence of the last message in the table (as an
application transaction of Delta): rows and mark are there together or not at all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import msgspec
import pyarrow as pa
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError, SchemaMismatchError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from lineshaft.core.errors import PermanentFault, TransientFault

__all__ = ["LakeTable", "Part", "Shape", "lake_faults"]

_UPKEEP = "upkeep"
_CONFIGURATION = {
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.enableExpiredLogCleanup": "true",
}


class Shape(msgspec.Struct, frozen=True):
    """fields: of the files; partition: of their folders, not in the files"""

    name: str
    fields: pa.Schema
    partition: pa.Schema

    @property
    def configuration(self) -> dict[str, str]:
        """Says which columns have bounds: deltalake's datasets skip a file in which one's are missing."""
        skipping = {"delta.dataSkippingStatsColumns": "time"} if "time" in self.fields.names else {}
        return _CONFIGURATION | (skipping or {"delta.dataSkippingNumIndexedCols": "0"})

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([field.with_nullable(True) for field in (*self.partition, *self.fields)])


class Part(msgspec.Struct, frozen=True):
    """One file. path: in the table; stats: JSON, as the Delta protocol has it"""

    path: str
    size: int
    rows: int
    partition: Mapping[str, str]
    stats: str = ""


@contextmanager
def lake_faults(where: str) -> Iterator[None]:
    """raises  TransientFault for what can pass (disk, rights, another writer), PermanentFault for the rest"""
    try:
        yield
    except OSError as error:
        raise TransientFault(
            f"lake {where} cannot be written or read: {error.strerror or error}",
            hint="make room on the disk, or give this user the right to write there; it is tried again",
        ) from error
    except (SchemaMismatchError, DeltaProtocolError) as error:
        raise PermanentFault(
            f"lake {where} holds a table of another make: {error}",
            hint="move the folder away, or name another",
        ) from error
    except DeltaError as error:
        raise TransientFault(
            f"lake {where} did not take a commit: {error}",
            hint="look whether another program writes there, and whether the disk is full; it is tried again",
        ) from error
    except pa.ArrowException as error:
        raise PermanentFault(f"lake {where}: rows that no file can hold: {error}") from error


class LakeTable:
    """One table, by one thread at a time. root: a folder, or the URL of an object store

    folder   of the table, None in an object store
    """

    def __init__(self, root: str, shape: Shape, options: Mapping[str, str]) -> None:
        self.shape = shape
        self.uri = f"{root.rstrip('/')}/{shape.name}"
        self.folder = None if "://" in root else Path(self.uri)
        self._options = dict(options)
        self._table: DeltaTable | None = None
        self._synced = -1

    @property
    def exists(self) -> bool:
        return DeltaTable.is_deltatable(self.uri, self._options)

    def table(self) -> DeltaTable:
        """As it is now; made where there is none."""
        if self._table is not None:
            self._table.update_incremental()
        elif self.exists:
            if self.folder:
                _drop_torn_commit(self.folder / "_delta_log")
            self._table = DeltaTable(self.uri, storage_options=self._options)
        else:
            if self.folder:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._table = DeltaTable.create(
                self.uri,
                self.shape.schema,
                partition_by=self.shape.partition.names,
                configuration=self.shape.configuration,
                storage_options=self._options,
            )
            self._sync_log()
        return self._table

    def marks(self, sources: Iterable[str]) -> dict[str, int]:
        """Sequence of the last message in the table, by source; 0 for none."""
        table = self.table()
        return {source: table.transaction_version(source) or 0 for source in sources}

    @property
    def files(self) -> pafs.FileSystem:
        """With the paths of parts."""
        if self.folder:
            return pafs.SubTreeFileSystem(str(self.folder), pafs.LocalFileSystem())
        return pafs.PyFileSystem(DeltaStorageHandler(self.uri, self._options))

    @contextmanager
    def writing(self, partition: Mapping[str, str]) -> Iterator[tuple[IO[bytes], str]]:
        """A new file and its path in the table, on disk when the block is left; gone when that raises."""
        folder = "/".join(f"{name}={value}" for name, value in partition.items())
        path = f"{folder}/part-{uuid4().hex}.zstd.parquet"
        if self.folder is None:
            with self.files.open_output_stream(path) as stream:
                yield stream, path
            return
        whole = self.folder / path
        if not whole.parent.exists():
            whole.parent.mkdir(parents=True)
            _sync(whole.parent.parent)
            _sync(self.folder)
        try:
            with whole.open("wb") as file:
                yield file, path
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            whole.unlink(missing_ok=True)
            raise

    def parts(self) -> list[Part]:
        """The files that make the table now."""
        names = self.shape.partition.names
        return [
            Part(
                row["path"],
                row["size_bytes"],
                row["num_records"],
                {n: str(row[f"partition.{n}"]) for n in names},
            )
            for row in pa.table(self.table().get_add_actions(flatten=True)).to_pylist()
        ]

    def commit(
        self,
        parts: Sequence[Part],
        *,
        marks: Mapping[str, int] | None = None,
        without: Sequence[Part] = (),
    ) -> None:
        """Name files and name others no more, all at once.

        marks     sequence of the last message that is then in the table, by source
        without   files of the table; with `parts`, these hold the same rows
        """
        table = self.table()
        if self.folder:
            for folder in {(self.folder / part.path).parent for part in parts}:
                _sync(folder)
        now = int(time.time() * 1000)
        added = [AddAction(p.path, p.size, p.partition, now, not without, p.stats) for p in parts]
        removed = [RemoveAction(p.path, not parts, now, p.size, dict(p.partition)) for p in without]
        transactions = [Transaction(source, upto) for source, upto in (marks or {}).items()]
        if without:
            transactions.append(Transaction(_UPKEEP, now))  # two at the same time exclude each other
        try:
            if without and not {part.path for part in without} <= {part.path for part in self.parts()}:
                raise CommitFailedError("files of it were merged or deleted by another upkeep meanwhile")
            table.create_write_transaction(
                [*added, *removed],
                "append",
                table.schema(),
                self.shape.partition.names,
                commit_properties=CommitProperties(app_transactions=transactions),
            )
        except (DeltaError, OSError):
            named = {part.path for part in self.parts()}
            if not any(part.path in named for part in parts):
                self.discard(parts)
                raise  # else it was taken, and only the answer was lost
        table.update_incremental()
        self._sync_log()

    def discard(self, parts: Sequence[Part]) -> None:
        """Take away files that no commit names. At an object store `vacuum` does it."""
        if self.folder:
            for part in parts:
                (self.folder / part.path).unlink(missing_ok=True)

    def _sync_log(self) -> None:
        if self.folder and self._table:
            log = self.folder / "_delta_log"
            last = self._table.version()
            for version in range(max(self._synced, last - 100) + 1, last + 1):
                _sync(_commit_file(log, version))
            _sync(log)
            self._synced = last


def _commit_file(log: Path, version: int) -> Path:
    return log / f"{version:020}.json"


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # an old commit that was cleaned up
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop_torn_commit(log: Path) -> None:
    """The last commit, if a power cut left it empty: it was never told."""
    commits = sorted(path for path in log.glob("*.json") if path.stem.isdigit())
    if commits and commits[-1].stat().st_size == 0:
        commits[-1].unlink()
