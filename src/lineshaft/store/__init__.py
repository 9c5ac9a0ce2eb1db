"""SQLite and PostgreSQL: engine, group commit, migrations, outbox."""

from lineshaft.store.engine import Store
from lineshaft.store.outbox import Outbox
from lineshaft.store.telemetry_state import TelemetryState
from lineshaft.store.writer import Unit

__all__ = ["Outbox", "Store", "TelemetryState", "Unit"]
