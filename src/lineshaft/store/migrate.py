"""Bring a database to the schema of this version; refuse one that a newer version has written."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from lineshaft.core.errors import ConfigError

__all__ = ["HEAD", "migrate"]

_MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))[:4]
"""The revision of this version: the files are one line and begin with their revision."""


def migrate(engine: Engine) -> None:
    """raises  ConfigError when the database was migrated by a newer lineshaft"""
    with engine.connect() as connection:
        current = _revision(connection)
        connection.rollback()
        if current == HEAD:
            return
        if connection.dialect.name == "postgresql":  # two starting products must not migrate at once
            connection.execute(text("select pg_advisory_lock(4711)"))
            # a migration that is at work on many rows is not taken for one that stalls
            connection.execute(text("set idle_in_transaction_session_timeout = 0"))
            connection.commit()
        try:
            _upgrade(connection)
        finally:
            connection.rollback()
            if connection.dialect.name == "postgresql":
                connection.execute(text("reset idle_in_transaction_session_timeout"))
                connection.execute(text("select pg_advisory_unlock(4711)"))
                connection.commit()


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("select version_num from alembic_version")).scalar() or ""


def _upgrade(connection: Connection) -> None:
    # half a second, which a database of this version does not cost
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        current = _revision(connection)
        raise ConfigError(
            f"the database is at schema {current!r}, which this version does not know",
            hint="run the lineshaft version that wrote it, or a newer one",
        ) from error
    connection.commit()
