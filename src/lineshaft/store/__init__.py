"""SQLite and PostgreSQL: engine, group commit, migrations."""
