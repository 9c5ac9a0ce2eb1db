"""The tables. Times are RFC 3339 text in UTC (text order is time order); wake-up times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "METADATA",
    "business_keys",
    "calls",
    "events",
    "exceptions",
    "outbox",
    "process_steps",
    "process_waits",
    "processes",
    "signals",
    "telemetry_state",
]

METADATA = MetaData()


def _text(name: str, **facets: object) -> Column[str]:
    facets.setdefault("nullable", False)
    facets.setdefault("server_default", "")
    return Column(name, Text, **facets)  # type: ignore[arg-type]


# The ledger of transactions: one row per command that passed the one door.
calls = Table(
    "calls",
    METADATA,
    Column("call_id", String(36), primary_key=True),
    _text("operation"),
    _text("system"),
    Column("idempotency_key", String(36), nullable=False),
    _text("fingerprint"),
    _text("state"),
    _text("plant"),
    _text("actor"),
    _text("owner"),
    _text("correlation_id"),
    _text("causation_id"),
    _text("traceparent"),
    _text("request"),
    _text("reply"),
    _text("document"),
    _text("error_code"),
    _text("error"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _text("claimed_by"),  # token of the claim under way: a claim whose commit was not answered knows itself
    _text("created_at"),
    _text("finished_at"),
    UniqueConstraint("operation", "idempotency_key", name="uq_calls_claim"),
    Index("ix_calls_correlation", "correlation_id"),
    Index("ix_calls_created", "created_at"),
)

# Every event seen on the operational and transactional streams.
events = Table(
    "events",
    METADATA,
    Column("event_id", String(200), primary_key=True),
    _text("type"),
    _text("eventclass"),
    _text("source"),
    _text("subject"),
    _text("plant"),
    _text("time"),
    _text("recorded_at"),
    _text("correlation_id"),
    _text("causation_id"),
    _text("traceparent"),
    _text("data"),
    Index("ix_events_correlation", "correlation_id"),
    Index("ix_events_recorded", "recorded_at"),
)

# Which event, call or process mentions which business key: the index behind `trace`.
business_keys = Table(
    "business_keys",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("ref", String(200), primary_key=True),
    _text("field"),
)

# What a person has to look at.
exceptions = Table(
    "exceptions",
    METADATA,
    Column("exception_id", String(36), primary_key=True),
    _text("kind"),
    _text("plant"),
    _text("source"),
    _text("owner"),
    _text("cause"),
    Column("payload", LargeBinary, nullable=False, server_default=""),
    _text("ref"),
    _text("correlation_id"),
    _text("state"),
    Column("count", Integer, nullable=False, server_default="1"),
    _text("first_at"),
    _text("last_at"),
    Index("ix_exceptions_open", "state", "last_at"),
)

processes = Table(
    "processes",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    _text("type"),
    Column("version", Integer, nullable=False),
    Column("business_key", String(200), nullable=False),
    _text("state"),
    _text("plant"),
    _text("input"),
    _text("result"),
    _text("cause"),
    _text("owner"),
    _text("correlation_id"),
    _text("causation_id"),
    _text("traceparent"),
    Column("wake_at", Float, nullable=True),
    _text("started_at"),
    _text("updated_at"),
    _text("finished_at"),
    UniqueConstraint("type", "business_key", name="uq_processes_start"),
    Index("ix_processes_due", "state", "wake_at"),
    Index("ix_processes_correlation", "correlation_id"),
    Index("ix_processes_started", "started_at"),
)

# The journal: one row per step that has an outcome, or is being retried.
process_steps = Table(
    "process_steps",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    Column("step", Integer, primary_key=True),
    _text("kind"),
    _text("name"),
    _text("state"),
    _text("input"),
    _text("output"),
    _text("error"),
    _text("ref"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _text("started_at"),
    _text("finished_at"),
)

# What waiting instances wait for: an event (type and key), or only a time.
process_waits = Table(
    "process_waits",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("event_type", String(200), nullable=False),
    Column("key", String(200), nullable=False),
    Column("event_id", String(200), nullable=False, server_default=""),
    Index("ix_waits_match", "event_type", "key"),
    Index("ix_waits_event", "event_id"),
)

# Events that some process waits for, kept whether the wait or the event came first.
signals = Table(
    "signals",
    METADATA,
    Column("event_id", String(200), primary_key=True),
    Column("event_type", String(200), nullable=False),
    Column("key", String(200), nullable=False),
    _text("data"),
    _text("received_at"),
    Index("ix_signals_match", "event_type", "key"),
)

# Events on their way to the backbone, written in the transaction of what they tell.
outbox = Table(
    "outbox",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String(200), nullable=False, unique=True),
    _text("event"),
)

telemetry_state = Table(
    "telemetry_state",
    METADATA,
    Column("name", String(300), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
