"""A group of 200 plants after twelve days: 10,000 processes, 1 M events, 100,000 calls, in seconds.

Rows are made by the database itself, from numbers. What a page reads in detail (documents of projections,
examples of payloads) is as the product writes it; older events have an empty payload.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine

from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.examples import example
from lineshaft.insight.kpis.facts import FACTS, FORM
from lineshaft.insight.kpis.told_hours import HOUR, pack, replace
from lineshaft.ledger.projections.declared import facts_of
from lineshaft.ledger.projections.folding import State, fold, row_doc
from lineshaft.ledger.projections.told import Told
from lineshaft.store.schema import LATENCY_COLUMNS, activity_marks
from lineshaft.store.statements import put

__all__ = ["NOW", "build_big"]

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PLANTS, PROCESSES, CALLS, EXCEPTIONS, AUDITED = 200, 10_000, 100_000, 20_000, 50_000
_DAYS = 12
EVENTS_TOLD = _DAYS * 86_400
_TYPES = (
    "equipment.state.changed.v1",
    "production.count.aggregated.v1",
    "production.confirmation.recorded.v1",
    "inventory.material.consumed.v1",
    "equipment.condition.threshold_exceeded.v1",
    "maintenance.order.completed.v1",
    "quality.hold.placed.v1",
    "equipment.downtime.started.v1",
)
_OPERATIONS = (
    ("erp.post_consumption", "erp", "finance"),
    ("erp.post_labour_cost", "erp", "finance"),
    ("inventory.reserve", "inventory", "warehouse"),
    ("maintenance.create_request", "cmms", "maintenance"),
    ("maintenance.update_task", "cmms", "maintenance"),
)
_BIG_TABLES = (
    *("events", "business_keys", "calls", "processes", "process_steps", "exceptions", "audit", "activity"),
    *("asset_status", "asset_events"),
)


def build_big(empty: Path, file: Path) -> None:
    """empty: a migrated database"""
    shutil.copy(empty, file)
    connection = sqlite3.connect(file, isolation_level=None)
    for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {setting}")
    with _indexed_afterwards(connection):
        connection.execute("BEGIN")
        _numbers(connection)
        for statement in _statements():
            connection.execute(statement)
        for name in ("n", "d", "s"):
            connection.execute(f"DROP TABLE temp.{name}")
        connection.execute("COMMIT")
    connection.execute("PRAGMA optimize")
    connection.close()
    _pack(file)


def _pack(file: Path) -> None:
    """What KPIs take of each hour, as the node packs it."""
    engine, now = create_engine(f"sqlite:///{file}"), int(NOW.timestamp())
    with engine.begin() as connection:
        for at in range(now - _DAYS * 86_400, now, HOUR):
            replace(connection, {(kind, at): pack(connection, kind, at) for kind in FACTS})
        marks = {"from": 0, "to": now, "seen": now}
        put(connection, activity_marks, [{"name": f"{FORM}.{name}", "at": at} for name, at in marks.items()])
    engine.dispose()


@contextmanager
def _indexed_afterwards(connection: sqlite3.Connection) -> Iterator[None]:
    """Each index is built once, in order, not row by row."""
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN"
        f" ({', '.join('?' * len(_BIG_TABLES))})",
        _BIG_TABLES,
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, statement in found:
        connection.execute(statement)


def _numbers(connection: sqlite3.Connection) -> None:
    """n: numbers for what is made in small quantities; d, s: days and their seconds, for events."""
    for name, most in (("n", CALLS), ("d", _DAYS)):
        connection.execute(
            f"CREATE TEMP TABLE {name} AS WITH RECURSIVE n(i) AS"
            f" (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {most - 1}) SELECT i FROM n"
        )
    payloads = [json.dumps(example(EVENTS[kind])) for kind in _TYPES]
    connection.execute(
        "CREATE TEMP TABLE s AS WITH RECURSIVE s(i) AS"
        " (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < 86399)"
        f" SELECT i, printf('%05d', i) AS number, printf('%05d', i / 10) AS story,"
        " printf('%04d', i / 20) AS po,"
        f" time(i, 'unixepoch') AS at, {_one_of(_TYPES, 'i')} AS type, {_PLANT} AS plant, {_ASSET} AS asset,"
        f" {_one_of(payloads, 'i')} AS data FROM s"
    )


def _statements() -> Sequence[str]:
    return (
        *_events(),
        *_calls(),
        *_processes(),
        _exceptions(),
        *_audit(),
        *_equipment(),
        *_activity(3600, 0, _DAYS - 1),
        *_activity(60, _DAYS - 1, _DAYS),
        f"INSERT INTO activity_marks (name, at) VALUES ('from', 0), ('to', {int(NOW.timestamp())})",
    )


def _at(step_s: float, start: float = _DAYS * 86400, number: str = "i") -> str:
    """SQL of a moment: `start` seconds before now, and so many later with each number."""
    first = NOW.timestamp() - start
    return f"strftime('%Y-%m-%dT%H:%M:%S', {first} + {number} * {step_s}, 'unixepoch') || '.000000Z'"


def _one_of(values: Sequence[str], by: str) -> str:
    """SQL: the value at a place that a number gives."""
    cases = " ".join(f"WHEN {place} THEN {_quoted(value)}" for place, value in enumerate(values))
    return f"CASE ({by}) % {len(values)} {cases} END"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_PLANT = f"printf('plant-%03d', i % {PLANTS} + 1)"
_PROCESS_ID = "printf('00000000-0000-4000-8000-%012d', i)"
_ASSET = f"printf('ASSET-%03d-%02d', i % {PLANTS} + 1, i % 50 + 1)"


def _events() -> Sequence[str]:
    """One a second."""
    day = f"substr({_at(86400, number='d.i')}, 1, 11)"
    days = f"(SELECT {day} AS text, printf('%02d', d.i) AS number, d.i = {_DAYS - 1} AS is_last FROM d)"
    return (
        "INSERT INTO events (event_id, type, eventclass, source, subject, plant, time, recorded_at,"
        " correlation_id, data)"
        " SELECT 'event-' || day.number || s.number, s.type, 'transactional', '/group/plant/mes/1', s.asset,"
        " s.plant, day.text || s.at || '.000000Z', day.text || s.at || '.400000Z',"
        " 'story-' || day.number || s.story, CASE WHEN day.is_last AND s.i > 66400 THEN s.data ELSE '{}' END"
        f" FROM {days} day CROSS JOIN s",
        "INSERT INTO business_keys (key, kind, ref, field)"
        " SELECT 'PO-' || day.number || s.po, 'event', 'event-' || day.number || s.number,"
        f" 'operations_request_id' FROM {days} day CROSS JOIN s",
    )


def _calls() -> Sequence[str]:
    step_s = _DAYS * 86400 / CALLS
    made, ended = _at(step_s), _at(step_s, _DAYS * 86400 - 0.3)
    name, system, owner = (_one_of([row[place] for row in _OPERATIONS], "i") for place in range(3))
    state = (
        "CASE WHEN i % 500 = 7 THEN 'rejected' WHEN i % 1000 = 13 THEN 'unknown'"
        f" WHEN i > {CALLS - 400} AND i % 10 = 3 THEN 'failed'"
        f" WHEN i > {CALLS - 50} AND i % 10 = 4 THEN 'sending' ELSE 'posted' END"
    )
    return (
        "INSERT INTO calls (call_id, operation, system, idempotency_key, fingerprint, state, plant, actor,"
        " owner, correlation_id, request, reply, document, error_code, error, attempts, created_at,"
        " finished_at)"
        f" SELECT printf('call-%06d', i), {name}, {system}, printf('key-%06d', i), 'f', s, {_PLANT},"
        f" 'process:corrective_maintenance', {owner}, printf('story-%06d', i), '{{}}',"
        " CASE s WHEN 'posted' THEN '{}' ELSE '' END,"
        " CASE s WHEN 'posted' THEN printf('DOC-%06d', i) ELSE '' END,"
        " CASE s WHEN 'rejected' THEN 'closed_period' ELSE '' END,"
        " CASE s WHEN 'rejected' THEN 'the period is closed' WHEN 'unknown' THEN 'no answer' ELSE '' END,"
        f" 1, {made}, CASE WHEN s IN ('posted', 'rejected') THEN {ended} ELSE '' END"
        f" FROM (SELECT i, {state} AS s FROM n WHERE i < {CALLS})",
        "INSERT INTO business_keys (key, kind, ref, field)"
        f" SELECT printf('DOC-%06d', i), 'call', printf('call-%06d', i), 'document' FROM n WHERE i < {CALLS}",
    )


def _processes() -> Sequence[str]:
    step_s = _DAYS * 86400 / PROCESSES
    began, ended = _at(step_s), _at(step_s, _DAYS * 86400 - 600)
    state = (
        "CASE i % 20 WHEN 0 THEN 'parked' WHEN 1 THEN 'waiting' WHEN 2 THEN 'waiting' WHEN 3 THEN 'retrying'"
        " WHEN 4 THEN 'aborted' WHEN 5 THEN 'failed' ELSE 'completed' END"
    )
    kind = "CASE i % 3 WHEN 0 THEN 'held_lot' WHEN 1 THEN 'accept_count' ELSE 'corrective_maintenance' END"
    fault = json.dumps({"code": "closed_period", "message": "the period is closed", "owner": "finance"})
    some = f"(SELECT i, {state} AS s FROM n WHERE i < {PROCESSES})"
    return (
        "INSERT INTO processes (process_id, type, version, business_key, state, at_step, plant, input, cause,"
        " owner, correlation_id, wake_at, started_at, updated_at, finished_at)"
        f" SELECT {_PROCESS_ID}, {kind}, 1, printf('%s/KEY-%05d', {_ASSET}, i), s,"
        f" CASE s WHEN 'parked' THEN '3' ELSE '' END, {_PLANT}, '{{}}',"
        " CASE s WHEN 'parked' THEN 'the period ' || i || ' is closed' ELSE '' END,"
        f" {_one_of(('maintenance', 'quality', 'finance'), 'i')},"
        " printf('story-%02d%05d', i / 834, i % 834 * 10),"
        f" CASE WHEN s IN ('waiting', 'retrying') THEN {NOW.timestamp()} + i END, {began}, {began},"
        f" CASE WHEN s IN ('completed', 'aborted', 'failed') THEN {ended} ELSE '' END FROM {some}",
        "INSERT INTO process_steps (process_id, step, kind, name, state, input, output, error, attempts,"
        " started_at, finished_at)"
        f" SELECT {_PROCESS_ID.replace('i)', 'p.i)')}, CAST(k.i AS TEXT),"
        " CASE WHEN k.i = 3 AND s = 'waiting' THEN 'wait' ELSE 'call' END,"
        " CASE WHEN k.i = 3 AND s = 'waiting' THEN 'maintenance.order.completed.v1' ELSE"
        f" {_one_of([row[0] for row in _OPERATIONS], 'k.i')} END,"
        " CASE WHEN k.i < 3 THEN 'done' ELSE CASE s WHEN 'parked' THEN 'rejected' WHEN 'waiting' THEN"
        " 'waiting' WHEN 'retrying' THEN 'retrying' ELSE 'done' END END, '{}', '{}',"
        f" CASE WHEN k.i = 3 AND s IN ('parked', 'retrying') THEN {_quoted(fault)} ELSE '' END, 1,"
        f" {_at(step_s, number='p.i')}, CASE WHEN k.i = 3 AND s = 'waiting' THEN '' ELSE"
        f" {_at(step_s, _DAYS * 86400 - 60, 'p.i')} END"
        f" FROM {some} p, (SELECT 0 AS i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) k",
        "INSERT INTO process_waits (process_id, step, event_type, key)"
        f" SELECT {_PROCESS_ID}, '3', 'maintenance.order.completed.v1', printf('MO-%05d', i) FROM {some}"
        " WHERE s = 'waiting'",
        "INSERT INTO business_keys (key, kind, ref, field)"
        f" SELECT printf('%s/KEY-%05d', {_ASSET}, i), 'process', {_PROCESS_ID}, 'business_key' FROM {some}",
    )


def _exceptions() -> str:
    step_s = _DAYS * 86400 / EXCEPTIONS
    seen = _at(step_s)
    is_open = "i % 10 = 0"
    causes = (
        "'unknown material M-' || i",
        "'the period 2026-' || (i % 12) || ' is closed'",
        "'no tag ' || i",
    )
    cause = f"CASE i % 3 WHEN 0 THEN {causes[0]} WHEN 1 THEN {causes[1]} ELSE {causes[2]} END"
    kinds = ("business_fault", "contract_violation", "unknown_tag")
    return (
        "INSERT INTO exceptions (exception_id, kind, plant, source, owner, cause, payload, ref,"
        " correlation_id, state, count, first_at, last_at, closed_at)"
        f" SELECT printf('10000000-0000-4000-8000-%012d', i), {_one_of(kinds, 'i')}, {_PLANT},"
        f" {_one_of([row[0] for row in _OPERATIONS], 'i')},"
        f" {_one_of(('finance', 'master-data', 'plant-engineering'), 'i')}, {cause},"
        " CAST('{\"material\": \"M-1\"}' AS BLOB), printf('call-%06d', i), printf('story-%06d', i),"
        f" CASE WHEN {is_open} THEN 'open' WHEN i % 10 = 1 THEN 'discarded' ELSE 'resolved' END, 1,"
        f" {seen}, {seen}, CASE WHEN {is_open} THEN '' ELSE {_at(step_s, _DAYS * 86400 - 3600)} END"
        f" FROM n WHERE i < {EXCEPTIONS}"
    )


def _audit() -> Sequence[str]:
    actions = ("exception.redriven", "process.retry", "exception.fixed", "system.paused", "access.login")
    return (
        "INSERT INTO audit (chain, seq, entry_id, at, actor, action, subject, detail, reason, prev_hash,"
        " hash)"
        f" SELECT printf('node-%d', i % 4), i / 4 + 1, printf('20000000-0000-4000-8000-%012d', i),"
        f" {_at(_DAYS * 86400 / AUDITED)}, {_one_of(('jo', 'ada', 'ole', 'vera'), 'i / 7')},"
        f" {_one_of(actions, 'i')}, printf('exception:%d', i), '{{}}', 'the period is open again', '', ''"
        f" FROM n WHERE i < {AUDITED}",
        "INSERT INTO audit_heads (chain, seq, hash) SELECT chain, max(seq), '' FROM audit GROUP BY chain",
    )


def _equipment() -> Sequence[str]:
    """50 machines in each plant, in a state that the newest event told; a change of it every day."""
    assets, machine = PLANTS * 50, "printf('ASSET-%03d-%02d', i / 50 + 1, i % 50 + 1)"
    plant = "printf('plant-%03d', i / 50 + 1)"
    kind = _TYPES[0]
    told = json.dumps(example(EVENTS[kind]) | {"equipment_id": "~", "start_time": "!"})
    change = _quoted(told).replace("~", "' || asset || '").replace("!", "' || at || '")
    return (
        "INSERT INTO asset_status (id, plant, at, condition, doc)"
        f" SELECT {machine}, {plant}, {_at(0.05, 600)}, CASE i % 9 WHEN 0 THEN 'down' WHEN 1 THEN 'standing'"
        f" ELSE 'running' END, x'{_asset_doc(kind).hex()}' FROM n WHERE i < {assets}",
        "INSERT INTO asset_events (asset_id, at, event_id, plant, type, source, correlation_id, data)"
        f" SELECT asset, at, 'told-' || asset || '-' || d.i, plant, '{kind}', '/group/plant/mes/1', '',"
        f" {change} FROM (SELECT {machine} AS asset, {plant} AS plant, d.i AS day,"
        f" strftime('%Y-%m-%dT%H:%M:%S', {NOW.timestamp() - _DAYS * 86400} + d.i * 86400 + n.i * 8,"
        f" 'unixepoch') || '.000000Z' AS at FROM n CROSS JOIN d WHERE n.i < {assets}), d"
        " WHERE d.i = day".replace("i / 50", "n.i / 50").replace("i % 50", "n.i % 50"),
    )


def _asset_doc(kind: str) -> bytes:
    """As the projection writes it after one event."""
    contract, state = EVENTS[kind], State()
    value = contract.schema.decode(json.dumps(example(contract)).encode())
    event = contract.make(value, plant="plant-001", source="/group/mes", identity=("x",), time=NOW)
    fold(state, facts_of(Told(event)))
    return row_doc(next(row for (name, *_), row in state.rows.items() if name == "asset_status"))


def _activity(span: int, first: int, last: int) -> Sequence[str]:
    """What was recorded in each minute or hour, by event type, domain and plant, with their sums."""
    seconds = f"{NOW.timestamp() - _DAYS * 86400:.0f} + d.i * 86400"
    columns = ", ".join(LATENCY_COLUMNS)
    latencies = ", ".join("c" if place == 5 else "0" for place, _ in enumerate(LATENCY_COLUMNS))
    domain = "substr(type, 1, instr(type, '.') - 1)"
    places = (
        ("plant", domain, "type"),
        ("plant", domain, "''"),
        ("plant", "''", "''"),
        ("''", domain, "type"),
        ("''", "''", "''"),
    )
    return [
        "INSERT INTO activity (span, plant, domain, subject, at, kind, outcome, count, late,"
        f" {columns}) SELECT {span}, p, k, t, {seconds} + slot * {span}, 'event', 'recorded', c, 0,"
        f" {latencies} FROM d CROSS JOIN (SELECT {plant} AS p, {key} AS k, {kind} AS t, i / {span} AS slot,"
        f" count(*) AS c FROM s GROUP BY 1, 2, 3, 4) WHERE d.i >= {first} AND d.i < {last}"
        for plant, key, kind in places
    ]
