"""SQLite and PostgreSQL: engine, group commit, leases of workers, migrations, outbox."""

from lineshaft.store.engine import Store
from lineshaft.store.outbox import Outbox
from lineshaft.store.size import database_bytes
from lineshaft.store.telemetry_state import TelemetryState
from lineshaft.store.workers import Worker
from lineshaft.store.writer import Fenced, Unit

__all__ = ["Fenced", "Outbox", "Store", "TelemetryState", "Unit", "Worker", "database_bytes"]
