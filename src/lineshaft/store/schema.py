"""The tables. Times are RFC 3339 text in UTC (text order is time order); wake-up times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
    text,
)

__all__ = [
    "METADATA",
    "archived_processes",
    "audit",
    "audit_heads",
    "business_keys",
    "calls",
    "events",
    "exceptions",
    "outbox",
    "process_actions",
    "process_steps",
    "process_waits",
    "processes",
    "retention_marks",
    "signals",
    "system_pauses",
    "telemetry_state",
    "workers",
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
    _text("reopened_by"),  # a person's decision to try it again, which counts once
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

_REDRIVEN = text("redrive_ref <> ''")

# What a person has to look at, and how far it has come: open, redriven, resolved or discarded.
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
    _text("envelope"),  # JSON of what the payload came in: an event's attributes, a message's topic
    Column("corrected", LargeBinary, nullable=False, server_default=""),  # beside the payload, empty: none
    Column("revision", Integer, nullable=False, server_default="0"),  # of the corrected payload
    Column("redrives", Integer, nullable=False, server_default="0"),
    _text("redrive_ref"),  # event, process or raw message that the last redrive went out as
    _text("closed_at"),
    Index("ix_exceptions_open", "state", "last_at"),
    Index("ix_exceptions_correlation", "correlation_id"),
    Index("ix_exceptions_redrive", "redrive_ref", sqlite_where=_REDRIVEN, postgresql_where=_REDRIVEN),
)

_WANTED, _CHILD = text("wanted <> ''"), text("parent_id <> ''")

processes = Table(
    "processes",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    _text("type"),
    Column("version", Integer, nullable=False),
    Column("business_key", String(200), nullable=False),
    _text("state"),
    _text("worker"),  # who runs it, while it runs
    _text("wanted"),  # what a person asked of it: abort, cancel, terminate
    _text("at_step"),  # the step at which it parked
    _text("parent_id"),  # the process that it is a step of
    _text("forked_from"),
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
    Index("ix_processes_wanted", "process_id", sqlite_where=_WANTED, postgresql_where=_WANTED),
    Index("ix_processes_parent", "parent_id", sqlite_where=_CHILD, postgresql_where=_CHILD),
    Index("ix_processes_correlation", "correlation_id"),
    Index("ix_processes_started", "started_at"),
)

# The journal: one row per step that has an outcome, or is being retried.
process_steps = Table(
    "process_steps",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    Column("step", String(100), primary_key=True),  # a path: 3, and in branch 1 of a gather at 3: 3.1.0
    _text("kind"),
    _text("name"),
    _text("state"),
    _text("input"),
    _text("corrected"),  # what a person had asked instead of the input
    _text("output"),
    _text("error"),
    _text("ref"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _text("started_at"),
    _text("finished_at"),
)

# What people did to an instance.
process_actions = Table(
    "process_actions",
    METADATA,
    Column("action_id", String(36), primary_key=True),
    Column("process_id", String(36), nullable=False),
    _text("at"),
    _text("actor"),
    _text("action"),
    _text("step"),
    _text("reason"),
    _text("detail"),
    Index("ix_actions_process", "process_id"),
)

# Finished instances that are kept for the record only: journal and actions as one document.
archived_processes = Table(
    "archived_processes",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    _text("type"),
    Column("business_key", String(200), nullable=False),
    _text("state"),
    _text("correlation_id"),
    _text("finished_at"),
    Column("document", LargeBinary, nullable=False),  # JSON, zlib
    Index("ix_archived_correlation", "correlation_id"),
    Index("ix_archived_finished", "finished_at"),
)

# Who may write. A worker that was taken for dead has its epoch raised, and with it its right withdrawn.
workers = Table(
    "workers",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# What waiting instances wait for: an event (type and key), or only a time.
process_waits = Table(
    "process_waits",
    METADATA,
    Column("process_id", String(36), primary_key=True),
    Column("step", String(100), primary_key=True),
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

# Systems that a person does not want to be called until some time.
system_pauses = Table(
    "system_pauses",
    METADATA,
    Column("system", String(100), primary_key=True),
    _text("until"),
    _text("reason"),
    _text("actor"),
    _text("at"),
)

telemetry_state = Table(
    "telemetry_state",
    METADATA,
    Column("name", String(300), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# Who did what and why: hash chains, one per writer, that are only ever added to.
audit = Table(
    "audit",
    METADATA,
    Column("chain", String(100), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", String(36), nullable=False),
    _text("at"),
    _text("actor"),
    _text("action"),
    Column("subject", String(200), nullable=False, server_default=""),
    _text("detail"),
    _text("reason"),
    _text("prev_hash"),
    _text("hash"),
    Index("ix_audit_entry", "entry_id", unique=True),
    Index("ix_audit_subject", "subject"),
)

# The last row of each chain: that it is missing shows here.
audit_heads = Table(
    "audit_heads",
    METADATA,
    Column("chain", String(100), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    _text("hash"),
)

# How far the sweeps of retention have come, so that none looks at the same rows again.
retention_marks = Table(
    "retention_marks",
    METADATA,
    Column("name", String(100), primary_key=True),
    _text("up_to"),
)
