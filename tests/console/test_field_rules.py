"""What an account's rules hide in one place is hidden in all: pages, their CSV, the API."""

from __future__ import annotations

import html
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lineshaft.gateway.policies import UNLIMITED, AccountPolicy, FieldRules
from lineshaft.ledger import Audit, AuditEntry
from lineshaft.store import Store
from tests.console.exception_tower import Tower
from tests.ledger.exceptions_at_work import dead_event

SECRET = "4711-SECRET"


@pytest.fixture
async def store(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """Without the plant that other screens look at."""
    opened = Store.open(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'rules.db')}")
    yield opened
    await opened.close()


class RulesOfAnna:
    """Implements gateway.policies.Policies."""

    def __init__(self, **fields: FieldRules) -> None:
        self._annas = AccountPolicy(rate_per_s=0, fields=fields)

    def policy(self, account: str) -> AccountPolicy:
        return self._annas if account == "anna" else UNLIMITED


def tower_with(store: Store, **fields: FieldRules) -> Tower:
    return Tower(store, RulesOfAnna(**fields))


async def told(tower: Tower, target: str, who: str) -> str:
    answer = await tower.reply(target, who)
    assert answer.status == 200, (target, answer.body)
    return html.unescape(answer.body.decode())


@pytest.mark.parametrize(
    ("route", "rules"),
    [
        ("*", FieldRules(deny=["unit"])),
        ("show_exception", FieldRules(deny=["payload.unit"])),
        ("show_exception", FieldRules(mask={"payload.unit": "hidden"})),
        ("show_exception", FieldRules(allow=["exception_id", "payload.property"])),
        ("console-exception", FieldRules(mask={"unit": "last4"})),
        ("trace", FieldRules(mask={"stories.nodes.payload.unit": "hash"})),
        ("read_events", FieldRules(deny=["data.unit"])),
    ],
)
async def test_a_field_of_a_payload_is_hidden_wherever_the_payload_is_told(
    route: str, rules: FieldRules, store: Store
) -> None:
    tower = tower_with(store, **{route: rules})
    payload = dead_event().payload.replace(b'"unit":7', f'"unit":"{SECRET}"'.encode())
    dead = dead_event(data=payload, cause="it was refused")
    assert dead.event is not None
    await tower.bench.log.record([dead.event])
    (one,) = await tower.report(dead)
    changed = AuditEntry(
        actor="x", action="process.corrected", subject="p", detail={"after": payload.decode()}
    )
    await store.write(lambda connection: Audit("n", tower.bench.clock).append(connection, [changed]))
    shown = (await tower.reply(f"/api/exceptions/{one}", "chief")).json
    targets = [f"/exception?id={one}", f"/api/exceptions/{one}"]
    targets += [f"{path}{shown['correlation_id']}" for path in ("/trace?key=", "/api/v1/trace/")]
    if not rules.allow:  # of one answer alone
        targets += ["/audit", "/audit?format=csv"]
    for target in targets:
        assert SECRET in await told(tower, target, "chief"), target
        assert (SECRET in await told(tower, target, "anna")) == (bool(rules.allow) and "trace" in target), (
            target
        )
    fix = await tower.reply(f"/api/exceptions/{one}/fix", "anna", {"set": ["unit=BAR"], "reason": "r"})
    assert (fix.status, fix.code) == (403, "fields_hidden")
    assert 'class="editor"' not in await told(tower, f"/exception?id={one}", "anna")


@pytest.mark.parametrize("route", ["list_exceptions", "console-exceptions", "*"])
async def test_a_fact_of_a_list_is_hidden_on_the_page_in_its_file_and_in_the_api(
    route: str, store: Store
) -> None:
    tower = tower_with(store, **{route: FieldRules(deny=["cause", "pattern"], mask={"source": "hidden"})})
    (one,) = await tower.report(dead_event(cause=f"no such {SECRET}", source=f"line {SECRET}"))
    for target in (
        "/exceptions",
        "/exceptions?view=rows",
        "/exceptions?format=csv",
        "/api/exceptions",
        *([f"/exception?id={one}", f"/api/exceptions/{one}"] if route == "*" else []),
    ):
        assert SECRET in await told(tower, target, "chief"), target
        hidden = await told(tower, target, "anna")
        assert SECRET not in hidden, target
        assert one in hidden, target


async def test_who_has_no_rules_sees_everything(store: Store) -> None:
    tower = tower_with(store)
    (one,) = await tower.report(dead_event())
    shown = (await tower.reply(f"/api/exceptions/{one}")).json
    assert shown["findings"]
    assert shown["payload"]["unit"] == 7
