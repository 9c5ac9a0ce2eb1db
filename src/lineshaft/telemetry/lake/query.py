"""SQL over a lake by DuckDB: reads only, and sees the lake as it was when the query began."""

from __future__ import annotations

from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from lineshaft.core.errors import ConfigError, TransientFault
from lineshaft.core.lake_policy import LakePolicy
from lineshaft.telemetry.lake.facts_tables import FACTS
from lineshaft.telemetry.lake.readings_table import READINGS
from lineshaft.telemetry.lake.tables import LakeTable, lake_faults

__all__ = ["query", "write_csv"]

_VIEWS = {READINGS.name: "select *, stream || ':' || sequence as position from readings_rows"} | {
    kind.shape.name: kind.view for kind in FACTS
}
_SELECT = duckdb.StatementType.SELECT
_SETTINGS = (
    "set TimeZone = 'UTC'",
    "set temp_directory = ''",
    "set python_enable_replacements = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)


def query(root: str, sql: str, policy: LakePolicy, *, memory_mb: int = 1024, threads: int = 2) -> pa.Table:
    """The rows of one SELECT over the views `readings`, `aggregates`, `counts` and `states`.

    A condition on `day` and `keep` reads only those files, one on `time` and `tag` skips most others. Of
    facts the newest revision is seen; all rows, as they were written, are in `aggregates_rows` and so on.

    raises  ConfigError for SQL that is wrong, asks for more memory, or for anything outside the lake;
            TransientFault when the lake cannot be read
    """
    with lake_faults(root), duckdb.connect(":memory:") as connection:
        try:
            _bring_all(connection, root, policy, memory_mb, threads)
            if [statement.type for statement in connection.extract_statements(sql)] != [_SELECT]:
                raise ConfigError(f"the lake did not take {sql!r}: it is not one SELECT", hint="write one")
            return connection.sql(sql).to_arrow_table()
        except duckdb.IOException as error:
            raise TransientFault(f"lake {root} cannot be read: {error}", hint="ask again") from error
        except duckdb.Error as error:
            raise ConfigError(
                f"the lake did not take {sql!r}: {error}",
                hint=f"views: {', '.join(_VIEWS)}; `describe readings` lists columns",
            ) from error


def _bring_all(
    connection: duckdb.DuckDBPyConnection, root: str, policy: LakePolicy, memory_mb: int, threads: int
) -> None:
    """The views, and the bounds of what may be done to them."""
    connection.execute(f"set memory_limit = '{memory_mb}MB'")
    connection.execute(f"set threads = {threads}")
    for shape in (READINGS, *(kind.shape for kind in FACTS)):
        _bring(connection, LakeTable(root, shape, policy.storage_options))
        connection.execute(f"create view {shape.name} as {_VIEWS[shape.name]}")
    if "://" not in root:
        connection.execute(f"set allowed_directories = [{_quoted(root)}]")
    for setting in _SETTINGS:
        connection.execute(setting)


def _bring(connection: duckdb.DuckDBPyConnection, table: LakeTable) -> None:
    """As `<table>_rows`. DuckDB reads the files of a folder itself, four times as fast as through pyarrow;
    for object stores it would need an extension."""
    name = f"{table.shape.name}_rows"
    parts = table.parts() if table.exists else []
    if not parts:
        connection.register(name, table.shape.schema.empty_table())
    elif table.folder is None:
        connection.register(name, table.table().to_pyarrow_dataset(filesystem=table.files))
    else:
        files = ", ".join(_quoted(str(table.folder / part.path)) for part in parts)
        kinds = ", ".join(
            f"{_quoted(field.name)}: {'date' if field.type == pa.date32() else 'varchar'}"
            for field in table.shape.partition
        )
        scan = f"read_parquet([{files}], hive_partitioning = true, hive_types = {{{kinds}}})"
        connection.execute(f"create view {name} as from {scan}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def write_csv(rows: pa.Table, to: IO[bytes]) -> None:
    """With a header; lists and maps as text."""
    plain = [
        column.cast(pa.string())
        if not (pa.types.is_nested(column.type) or pa.types.is_interval(column.type))
        else pa.array(map(str, column.to_pylist()))
        for column in rows.columns
    ]
    pacsv.write_csv(pa.table(plain, names=rows.column_names), to)
