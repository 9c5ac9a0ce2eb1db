"""Rows as plain values, also from many threads at once."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select

from lineshaft.store import Store
from lineshaft.store.rows import converter, plain
from lineshaft.store.schema import telemetry_state
from lineshaft.store.statements import insert_new


class Kind(StrEnum):
    ONE = "one"


class Named(msgspec.Struct):
    name: str
    value: bytes


class Counted(msgspec.Struct):
    kind: Kind
    count: int


async def test_a_row_has_its_columns_by_plain_names(store: Store) -> None:
    await store.write(
        lambda connection: insert_new(connection, telemetry_state, [{"name": "n", "value": b"v"}])
    )

    def question(connection: Connection) -> dict[str, Any]:
        return plain(connection.execute(select(telemetry_state)).one())

    def in_binary(connection: Connection) -> list[Any]:
        return list(connection.execute(select(telemetry_state).execution_options(in_binary=True)))

    found = await store.read(question)
    assert await store.read(in_binary) == [("n", b"v")]
    assert {type(name) for name in found} == {str}
    assert converter(Named)(found) == Named("n", b"v")


def test_what_a_type_cannot_be_made_of_is_refused_unless_it_is_not_strict() -> None:
    with pytest.raises(msgspec.ValidationError):
        converter(Counted)({"kind": "one", "count": "2"})
    assert converter(Counted, strict=False)({"kind": "one", "count": "2"}) == Counted(Kind.ONE, 2)
    with pytest.raises(msgspec.ValidationError):
        converter(Counted)({"kind": "two", "count": 2})


def test_the_types_of_the_journal_are_known_when_they_are_imported() -> None:
    """Before a first row is read: in two threads at once that would crash."""
    asked = (
        "from lineshaft.processes.records import Instance, ProcessState, Step, StepState\n"
        "print([hasattr(each, '__msgspec_cache__') for each in (ProcessState, StepState)])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, True]"
