"""The tables. Times are RFC 3339 text in UTC (text order is time order); wake-up times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

__all__ = [
    "CLOSED",
    "EMPTY",
    "ENDED",
    "LATENCY_BOUNDS_S",
    "LATENCY_COLUMNS",
    "METADATA",
    "OPEN",
    "OPEN_STEP",
    "OPEN_WAIT",
    "UNSETTLED",
    "access_changes",
    "activity",
    "activity_marks",
    "api_requests",
    "archived_processes",
    "asset_events",
    "asset_status",
    "audit",
    "audit_heads",
    "business_keys",
    "calls",
    "contract_parties",
    "contract_versions",
    "credentials",
    "deliveries",
    "delivery_positions",
    "equipment_places",
    "events",
    "exceptions",
    "order_status",
    "outbox",
    "process_actions",
    "process_steps",
    "process_waits",
    "processes",
    "projection_marks",
    "projection_parts",
    "quality_lots",
    "quality_outcomes",
    "quota_use",
    "request_claims",
    "retention_marks",
    "sessions",
    "signals",
    "stock_levels",
    "subscriptions",
    "system_pauses",
    "telemetry_state",
    "told_hours",
    "workers",
]

METADATA = MetaData()


def _text(name: str, **facets: object) -> Column[str]:
    facets.setdefault("nullable", False)
    facets.setdefault("server_default", "")
    return Column(name, Text, **facets)  # type: ignore[arg-type]


# Conditions as the partial indexes below have them: a question finds its index only by the same words.
EMPTY: ColumnElement[str] = literal_column("''")  # compared with it, a column finds its partial index, too
OPEN, ENDED = text("finished_at = ''"), text("finished_at <> ''")
UNSETTLED = text("state IN ('sending', 'failed', 'unknown')")  # of a call that may still take effect

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
    Index(
        "ix_calls_unsettled",
        "plant",
        "operation",
        "state",
        "created_at",
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    ),
    Index("ix_calls_finished", "finished_at", sqlite_where=ENDED, postgresql_where=ENDED),
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
    _text("sequence"),
    _text("recorded_at"),
    _text("correlation_id"),
    _text("causation_id"),
    _text("traceparent"),
    _text("data"),
    Index("ix_events_correlation", "correlation_id"),
    Index("ix_events_recorded", "recorded_at"),
    Index("ix_events_type", "type", "time", "plant"),
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

CLOSED = text("closed_at <> ''")
_REDRIVEN, _UNSOLVED = text("redrive_ref <> ''"), text("state = 'open'")

# Beside what exceptions are grouped by: what counting takes, so that it need not read the rows.
_COUNTED = ("last_at", "exception_id", "plant", "count", "first_at")

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
    _text("assignee"),  # who looks after it, empty: nobody yet
    _text("pattern"),  # of the cause, as core.causes makes it
    Index("ix_exceptions_open", "state", "last_at", "exception_id"),
    Index("ix_exceptions_groups", "state", "owner", "pattern", "kind", "assignee", *_COUNTED),
    Index("ix_exceptions_correlation", "correlation_id"),
    Index("ix_exceptions_closed", "closed_at", sqlite_where=CLOSED, postgresql_where=CLOSED),
    Index("ix_exceptions_redrive", "redrive_ref", sqlite_where=_REDRIVEN, postgresql_where=_REDRIVEN),
    Index(
        "ix_exceptions_desks",
        "plant",
        "owner",
        "first_at",
        "state",  # so that the index alone answers
        sqlite_where=_UNSOLVED,
        postgresql_where=_UNSOLVED,
    ),
)

_WANTED, _CHILD = text("wanted <> ''"), text("parent_id <> ''")
OPEN_STEP, OPEN_WAIT = text("state IN ('waiting', 'retrying', 'reopened')"), text("event_id = ''")
_BEGINNINGS = {"business_key": "text_pattern_ops"}  # for LIKE 'x%' in any collation

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
    Index("ix_processes_state", "state", "started_at", "process_id", "type", "plant"),
    Index("ix_processes_plant", "plant", "started_at"),
    Index("ix_processes_key", "business_key", postgresql_ops=_BEGINNINGS),
    Index(
        "ix_processes_open",
        "plant",
        "type",
        "state",
        "updated_at",
        "finished_at",  # so that the index alone answers
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    ),
    Index("ix_processes_finished", "finished_at", sqlite_where=ENDED, postgresql_where=ENDED),
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
    Index("ix_steps_open", "name", sqlite_where=OPEN_STEP, postgresql_where=OPEN_STEP),
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
    Index("ix_archived_key", "business_key", postgresql_ops=_BEGINNINGS),
)

# Who may write. A worker that was taken for dead has its epoch raised, and with it its right withdrawn.
workers = Table(
    "workers",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
    _text("plant"),
    Column("seen_at", Float, nullable=False, server_default="0"),  # when it last renewed, epoch seconds
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
    Index("ix_waits_open", "key", sqlite_where=OPEN_WAIT, postgresql_where=OPEN_WAIT),
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
    Index("ix_audit_action", "action", "at"),
    Index("ix_audit_actor", "actor", "action", "at"),
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

# What was asked over HTTP under a key that makes a repeat recognisable, and what it was answered.
request_claims = Table(
    "request_claims",
    METADATA,
    Column("claim_id", String(36), primary_key=True),  # business_key(scope, caller, key)
    _text("scope"),  # name of the route; `event`: caller is empty and the key is `source|id` of the event
    _text("caller"),
    _text("key"),
    _text("fingerprint"),
    _text("state"),  # in_flight, done
    Column("status", Integer, nullable=False, server_default="0"),
    _text("headers"),  # JSON object
    Column("body", LargeBinary, nullable=False, server_default=""),
    _text("claimed_by"),  # as in calls
    _text("created_at"),
    _text("finished_at"),
    Index("ix_request_claims_created", "created_at"),
)

# Every request to the HTTP gateway: who asked what, and what came of it.
api_requests = Table(
    "api_requests",
    METADATA,
    Column("request_id", String(36), primary_key=True),  # in order of time
    _text("at"),
    _text("caller"),
    _text("account"),
    _text("method"),
    _text("route"),
    _text("path"),
    _text("plant"),
    Column("status", Integer, nullable=False),
    _text("code"),  # of the problem; empty: none
    Column("duration_ms", Float, nullable=False),
    _text("correlation_id"),
    _text("ref"),  # call, process or event that came of it
    Index("ix_api_requests_at", "at"),
    Index("ix_api_requests_correlation", "correlation_id"),
)

# Requests of an account on a UTC day, as each worker counted them.
quota_use = Table(
    "quota_use",
    METADATA,
    Column("account", String(200), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("worker", String(100), primary_key=True),
    Column("used", BigInteger, nullable=False),
)

# Contract versions that this environment has, or had, live; `live` is 0 or 1.
contract_versions = Table(
    "contract_versions",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("version", String(20), primary_key=True),
    Column("major", Integer, nullable=False),
    _text("kind"),
    _text("owner"),
    _text("state"),
    _text("sunset"),
    _text("digest"),
    _text("document"),
    Column("live", Integer, nullable=False, server_default="0"),
    _text("at"),
    _text("actor"),
    _text("reason"),
)

# Who consumes or produces which major of a contract.
contract_parties = Table(
    "contract_parties",
    METADATA,
    Column("party", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("major", Integer, primary_key=True, autoincrement=False),
    Column("role", String(10), primary_key=True),
    _text("fields"),  # JSON
    _text("contact"),
    _text("origin"),  # file or api
    _text("at"),
    _text("actor"),
)

# What callers prove themselves with: hashes only.
credentials = Table(
    "credentials",
    METADATA,
    Column("credential_id", String(100), primary_key=True),
    _text("kind"),  # key, client, password
    Column("account", String(100), nullable=False),
    _text("hash"),
    _text("title"),
    _text("created_at"),
    _text("created_by"),
    _text("expires_at"),
    _text("revoked_at"),
    _text("last_used_at"),
    Index("ix_credentials_account", "account"),
)

# People who are logged in to the console.
sessions = Table(
    "sessions",
    METADATA,
    Column("session_id", String(64), primary_key=True),
    _text("name"),
    _text("account"),
    _text("issuer"),
    _text("roles"),  # JSON array, of what an OIDC issuer said
    _text("plants"),  # JSON array
    _text("address"),
    _text("created_at"),
    _text("seen_at"),
    _text("ends_at"),
    _text("ended_at"),
    Index("ix_sessions_ends", "ends_at"),
)

# One row, whose number grows with each change of credentials and sessions: what is remembered of them is old.
access_changes = Table(
    "access_changes",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("number", BigInteger, nullable=False),
)


# What events say about one thing, for consumer APIs. doc: the row as ledger.projections folds it; at: time of
# its newest fact. The other columns are what rows are asked for by.
order_status = Table(
    "order_status",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("plant", String(100), primary_key=True),
    _text("state"),
    _text("at"),
    Column("doc", LargeBinary, nullable=False, server_default=""),
    Index("ix_order_status_plant", "plant", "id"),
    Index("ix_order_status_state", "state", "plant", "id"),
)

asset_status = Table(
    "asset_status",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("plant", String(100), primary_key=True),
    _text("at"),
    _text("condition"),  # down, alarm, running, standing; empty: not known
    Column("equipment_id", String(200), nullable=False, server_default=""),  # that the asset is in, if known
    Column("doc", LargeBinary, nullable=False, server_default=""),
    Index("ix_asset_status_plant", "plant", "condition", "equipment_id", "id", "at"),
)

# Where equipment is in the plant's hierarchy, as master data say.
equipment_places = Table(
    "equipment_places",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("plant", String(100), primary_key=True),
    _text("at"),
    Column("doc", LargeBinary, nullable=False, server_default=""),
    Index("ix_equipment_places_plant", "plant", "id"),
)

asset_events = Table(
    "asset_events",
    METADATA,
    Column("asset_id", String(200), primary_key=True),
    Column("at", String(40), primary_key=True),
    Column("event_id", String(200), primary_key=True),
    _text("plant"),
    _text("type"),
    _text("source"),
    _text("correlation_id"),
    _text("data"),
    Index("ix_asset_events_at", "at"),
)

stock_levels = Table(
    "stock_levels",
    METADATA,
    Column("material_definition_id", String(200), primary_key=True),
    Column("site", String(200), primary_key=True),
    Column("plant", String(100), primary_key=True),
    _text("at"),
    Column("doc", LargeBinary, nullable=False, server_default=""),
    Index("ix_stock_levels_plant", "plant", "material_definition_id", "site"),
    Index("ix_stock_levels_site", "site", "plant", "material_definition_id"),
)

quality_lots = Table(
    "quality_lots",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("plant", String(100), primary_key=True),
    _text("state"),
    _text("at"),
    Column("doc", LargeBinary, nullable=False, server_default=""),
)

quality_outcomes = Table(
    "quality_outcomes",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("plant", String(100), primary_key=True),
    _text("state"),
    _text("material_lot_id"),
    _text("at"),
    Column("doc", LargeBinary, nullable=False, server_default=""),
    Index("ix_quality_outcomes_plant", "plant", "id", "kind"),
    Index("ix_quality_outcomes_state", "state", "plant", "id", "kind"),
    Index("ix_quality_outcomes_lot", "material_lot_id", "plant", "id", "kind"),
)

# What counts for a row by its own identity, so that a fact counts once.
projection_parts = Table(
    "projection_parts",
    METADATA,
    Column("part_id", String(36), primary_key=True),
    Column("doc", LargeBinary, nullable=False),
)

# One row: up to which recorded event the projections have everything. replay_from: how far applying the event
# log anew has come, if that is under way.
projection_marks = Table(
    "projection_marks",
    METADATA,
    Column("name", String(20), primary_key=True),
    _text("up_to"),
    _text("replay_from"),
    Column("applied", BigInteger, nullable=False, server_default="0"),
    _text("applied_at"),
)

# Who is told of which events by webhook.
subscriptions = Table(
    "subscriptions",
    METADATA,
    Column("subscription_id", String(36), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    _text("account"),  # whose fields and plants apply
    _text("url"),
    _text("types"),  # JSON list
    _text("subject"),  # only this one; empty: any
    _text("plants"),  # JSON list
    _text("secret"),  # as made here; empty: it is a reference, and in the file of subscriptions
    _text("owner"),  # the desk for what cannot be delivered
    _text("state"),  # active, paused, suspended, ended
    _text("cause"),  # of a state other than active
    _text("created_by"),
    _text("created_at"),
    _text("held_by"),  # worker and epoch that sends
)

_UNSENT = text("state <> 'delivered'")

# What a subscriber is to be told, or was told.
deliveries = Table(
    "deliveries",
    METADATA,
    Column("delivery_id", String(36), primary_key=True),  # of subscription and event: the webhook-id
    Column("subscription_id", String(36), nullable=False),
    Column("event_id", String(200), nullable=False),
    _text("stream"),
    Column("seq", BigInteger, nullable=False),  # of the event in its stream
    _text("order_key"),
    _text("event"),  # JSON; empty once it is over
    _text("state"),  # waiting, delivered, failed, dropped
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", Float, nullable=False, server_default="0"),
    Column("status", Integer, nullable=False, server_default="0"),  # of the last answer
    _text("error"),
    _text("created_at"),
    _text("finished_at"),
    Index(
        "ix_deliveries_unsent",
        "subscription_id",
        "order_key",
        "seq",
        sqlite_where=_UNSENT,
        postgresql_where=_UNSENT,
    ),
    Index("ix_deliveries_created", "subscription_id", "created_at"),
)

# How far the events of each stream have been handed out to subscriptions.
delivery_positions = Table(
    "delivery_positions",
    METADATA,
    Column("stream", String(100), primary_key=True),
    _text("created"),
    Column("seq", BigInteger, nullable=False),
)

LATENCY_BOUNDS_S = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0),
    *(14_400.0, 86_400.0),
)
LATENCY_COLUMNS = tuple(f"latency_{number}" for number in range(len(LATENCY_BOUNDS_S) + 1))
"""How many took at most the bound of the same number, and more than the one before; the last: than all."""

_LATE = text("late > 0")

# What happened in each minute (span 60) and hour (span 3600) that begins at `at`, epoch seconds. An empty
# plant, domain or subject stands for all: sums are kept beside what they sum up, but none of a domain of all.
activity = Table(
    "activity",
    METADATA,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("plant", String(100), primary_key=True),
    Column("domain", String(100), primary_key=True),
    Column("subject", String(200), primary_key=True),  # event type, operation or process
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(10), primary_key=True),  # event, call or process
    Column("outcome", String(20), primary_key=True),  # `recorded`, or the state in which it ended or parked
    Column("count", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),  # longer than its service level
    *(Column(name, BigInteger, nullable=False) for name in LATENCY_COLUMNS),
    Index("ix_activity_at", "span", "at"),
    Index("ix_activity_late", "span", "at", sqlite_where=_LATE, postgresql_where=_LATE),
    sqlite_with_rowid=False,
)

# The time that `activity` covers: `from` and `to`, epoch seconds.
activity_marks = Table(
    "activity_marks",
    METADATA,
    Column("name", String(20), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

# What KPIs take of the events of an hour that begins at `at`, epoch seconds: JSON, (plant, time, fact) each.
# form: of what they take. `activity_marks` has which hours are there, as `<form>.from` and `<form>.to`.
told_hours = Table(
    "told_hours",
    METADATA,
    Column("form", String(8), primary_key=True),
    Column("kind", String(200), primary_key=True),  # event type; or `decision`, of the audit
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("doc", LargeBinary, nullable=False),
    Index("ix_told_hours_at", "at"),
)
