"""Bring a database to the schema of this version; refuse one that a newer version has written."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from lineshaft.core.errors import ConfigError

__all__ = ["migrate"]


def migrate(engine: Engine) -> None:
    """raises  ConfigError when the database was migrated by a newer lineshaft"""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":  # two starting products must not migrate at once
            connection.execute(text("select pg_advisory_lock(4711)"))
            connection.commit()
        try:
            _upgrade(config, connection)
        finally:
            connection.rollback()
            if connection.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_unlock(4711)"))
                connection.commit()


def _upgrade(config: Config, connection: Connection) -> None:
    head = ScriptDirectory.from_config(config).get_current_head()
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    if current == head:
        return
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            f"the database is at schema {current!r}, which this version does not know",
            hint="run the lineshaft version that wrote it, or a newer one",
        ) from error
    connection.commit()
