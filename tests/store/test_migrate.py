"""The migrations lead to exactly the declared tables, on both databases."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, insert, inspect, text
from sqlalchemy.engine import make_url

import lineshaft.store
from lineshaft.core.errors import ConfigError
from lineshaft.store import Store
from lineshaft.store.migrate import HEAD
from lineshaft.store.schema import METADATA, asset_status, calls, exceptions
from tests.databases import Postgres
from tests.rows import rows


@pytest.fixture
def engine(empty_url: str) -> Engine:
    url = make_url(empty_url)
    driver = "postgresql+psycopg" if url.get_backend_name() == "postgresql" else "sqlite"
    return create_engine(url.set(drivername=driver))


def scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(lineshaft.store.__file__).parent / "migrations"))
    return config


def close(store: Store) -> None:
    asyncio.run(store.close())


def test_the_migrated_database_is_the_declared_one(empty_url: str, engine: Engine) -> None:
    close(Store.open(empty_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # alembic cannot compare an empty text as default on SQLite
                "compare_server_default": connection.dialect.name == "postgresql",
            },
        )
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


async def test_every_text_has_a_default(empty_url: str) -> None:
    store = Store.open(empty_url)
    await store.write(
        lambda connection: connection.execute(insert(calls).values(call_id="c", idempotency_key="k")) and None
    )
    (row,) = await rows(store, calls)
    assert None not in row.values()
    await store.close()


def test_primary_keys_and_unique_constraints_are_there(empty_url: str, engine: Engine) -> None:
    """What exactly-once rests on; alembic does not compare primary keys."""
    close(Store.open(empty_url))
    found = inspect(engine)
    for table in METADATA.sorted_tables:
        declared = [column.name for column in table.primary_key]
        assert found.get_pk_constraint(table.name)["constrained_columns"] == declared
    assert [u["column_names"] for u in found.get_unique_constraints("calls")] == [
        ["operation", "idempotency_key"]
    ]
    assert [u["column_names"] for u in found.get_unique_constraints("processes")] == [
        ["type", "business_key"]
    ]
    assert [u["column_names"] for u in found.get_unique_constraints("outbox")] == [["event_id"]]
    engine.dispose()


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    close(Store.open(empty_url))
    close(Store.open(empty_url))


async def test_rows_of_every_earlier_schema_are_kept(empty_url: str, engine: Engine) -> None:
    config = scripts()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text("insert into calls (call_id, idempotency_key, state) values ('c', 'k', 'posted')")
        )
        connection.commit()
    store = Store.open(empty_url)
    (row,) = await rows(store, calls)
    assert (row["call_id"], row["state"], row["claimed_by"], row["attempts"]) == ("c", "posted", "", 0)
    await store.close()
    engine.dispose()


async def test_exceptions_of_an_earlier_schema_get_their_pattern(empty_url: str, engine: Engine) -> None:
    config = scripts()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
        for number in range(3):
            connection.execute(
                text("insert into exceptions (exception_id, cause, state) values (:id, :cause, 'open')"),
                {"id": str(number), "cause": f"unknown material M-{number}"},
            )
        connection.commit()
    store = Store.open(empty_url)
    found = await rows(store, exceptions)
    assert [(row["pattern"], row["assignee"]) for row in found] == [("unknown material …", "")] * 3
    await store.close()
    engine.dispose()


async def test_assets_of_an_earlier_schema_get_their_condition(empty_url: str, engine: Engine) -> None:
    def said(value: object) -> object:
        return {"/mes": [[0, "", "2026-01-01", "e1"], {}], "/iot": [[0, "", "2026-01-02", "e2"], value]}

    ids = {"ids": said({"equipment_id": "FILLER", "physical_asset_id": "PUMP"})}
    docs = {
        "down": {"items": {"downtime:F:1": {}, "alarm:F:A": {}}, "registers": ids},
        "running": {"registers": {"state": said({"state": 6})}},
        "standing": {"registers": {"state": said({"state": 2})}, "items": {"order:P:1": {}}},
        "": {},
    }
    config = scripts()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")
        for condition, doc in docs.items():
            connection.execute(
                text("insert into asset_status (id, plant, doc) values (:id, 'leipzig', :doc)"),
                {"id": f"is {condition}", "doc": json.dumps(doc).encode()},
            )
        connection.commit()
    store = Store.open(empty_url)
    found = {row["id"]: (row["condition"], row["equipment_id"]) for row in await rows(store, asset_status)}
    assert found == {f"is {each}": (each, "FILLER" if each == "down" else "") for each in docs}
    await store.close()
    engine.dispose()


def test_a_newer_schema_is_refused(empty_url: str, engine: Engine) -> None:
    close(Store.open(empty_url))
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(ConfigError, match="9999"):
        Store.open(empty_url)
    with engine.begin() as connection:  # and not touched
        assert connection.execute(text("select version_num from alembic_version")).scalar() == "9999"
    engine.dispose()


def test_two_starting_products_migrate_once(postgres: Postgres) -> None:
    url = postgres.url(postgres.database())
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(Store.open(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    for store in opened:
        close(store)


def test_the_revisions_are_one_line() -> None:
    assert ScriptDirectory.from_config(scripts()).get_heads() == [HEAD]
