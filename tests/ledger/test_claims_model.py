"""Claims of two workers against a plain model, with crashes, take-overs, late answers and people.

The model keeps the rules of the door: who may send, and who has to look first. What takes effect is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Executable, delete, update

from lineshaft.core.values import OutcomeState
from lineshaft.ledger import Audit, Claim, Claims
from lineshaft.store import Fenced, Outbox, Store, Worker
from lineshaft.store.schema import audit, audit_heads, business_keys, calls, outbox, workers
from tests.books import Books, Posting, booking
from tests.clocks import ManualClock
from tests.rows import rows

POST = Books.operations["post"]
REFERENCES, WORKERS = st.sampled_from("ab"), st.sampled_from(["one", "two"])
NO_EFFECT = (OutcomeState.REJECTED, OutcomeState.FAILED)


@dataclass
class Row:
    state: OutcomeState
    amount: int
    holder: tuple[str, int]


@dataclass
class Held:
    """A claim in the hands of a worker. in_doubt: the door looks before it sends."""

    claim: Claim
    in_doubt: bool


@dataclass
class Life:
    store: Store
    claims: Claims
    number: int
    held: dict[str, Held] = field(default_factory=dict)
    dead: bool = False


class ClaimsAgainstAModel(RuleBasedStateMachine):
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: dict[str, Row] = {}
        self.effects: dict[str, list[int]] = {"a": [], "b": []}
        self.entries = 0
        self.late: list[tuple[str, Claim]] = []
        self.lives: dict[str, Life] = {}

    @initialize(reads_back=st.booleans())
    def begin(self, reads_back: bool) -> None:
        self.reads_back = reads_back
        store = Store.open(self.url)
        for table in (calls, business_keys, outbox, audit, audit_heads, workers):
            self._do(store, delete(table))
        self.runner.run(store.close())
        for name in ("one", "two"):
            self._live(name)

    def _do(self, store: Store, statement: Executable) -> None:
        self.runner.run(store.write(lambda connection: connection.execute(statement) and None))

    def _live(self, name: str) -> None:
        store = Store.open(self.url)
        worker = Worker(store, name, lease_s=3600)
        self.runner.run(worker.join())
        clock = ManualClock()
        claims = Claims(store, Outbox(store), Audit(name, clock), clock, worker)
        self.lives[name] = Life(store, claims, worker.epoch)

    @rule(name=WORKERS)
    def crash(self, name: str) -> None:
        """It starts again; what its requests came to may be told late."""
        life = self.lives[name]
        self.late += [(reference, held.claim) for reference, held in life.held.items()]
        self.runner.run(life.store.close())
        self._live(name)

    @rule(name=WORKERS)
    def is_taken_for_dead(self, name: str) -> None:
        if self.lives[name].dead:
            return
        other = self.lives["two" if name == "one" else "one"]
        if other.dead:
            return
        raised = (
            update(workers).where(workers.c.name == name).values(epoch=workers.c.epoch + 1, expires_at=0.0)
        )
        self.runner.run(other.store.write(lambda connection: connection.execute(raised) and None))
        self.lives[name].dead = True

    @rule(name=WORKERS, reference=REFERENCES, amount=st.sampled_from([1, 1, 1, 2]), reopen=st.booleans())
    def claim(self, name: str, reference: str, amount: int, reopen: bool) -> None:
        life, row = self.lives[name], self.model.get(reference)
        # a person reopens what has an unknown outcome after looking: it did not happen
        if row is not None and row.state is OutcomeState.UNKNOWN and self.effects[reference]:
            reopen = False
        command = msgspec.structs.replace(booking(reference, amount), reopen=reopen)
        asking = life.claims.claim(command, POST, "books")
        if life.dead:
            self._refused(asking)
            return
        claim = self.runner.run(asking)
        assert claim.earlier == (row.state if row else None)
        if row is None:
            self.model[reference] = Row(OutcomeState.SENDING, amount, (name, life.number))
            life.held[reference] = Held(claim, in_doubt=False)
            return
        same = row.amount == amount
        reopened = reopen and (row.state in NO_EFFECT or (row.state is OutcomeState.UNKNOWN and same))
        elsewhere = row.state is OutcomeState.SENDING and self._lives_elsewhere(name, row.holder)
        told = claim.held_elsewhere, claim.same_payload, claim.reopened
        assert told == (elsewhere, same or reopened, reopened)
        if elsewhere or not claim.same_payload or row.state is OutcomeState.POSTED:
            return
        if row.state is OutcomeState.REJECTED and not reopened:
            return
        self.entries += reopened
        doubt = row.state in (OutcomeState.SENDING, OutcomeState.UNKNOWN)
        life.held[reference] = Held(claim, in_doubt=doubt and (self.reads_back or not reopened))
        self.model[reference] = Row(OutcomeState.SENDING, amount, (name, life.number))

    def _lives_elsewhere(self, asking: str, holder: tuple[str, int]) -> bool:
        life = self.lives[holder[0]]
        return holder[0] != asking and not life.dead and life.number == holder[1]

    @rule(name=WORKERS, reference=REFERENCES, takes_effect=st.booleans())
    def send(self, name: str, reference: str, takes_effect: bool) -> None:
        """As the door does it. What was sent, and whether that took effect, nobody knows by this alone."""
        life = self.lives[name]
        held = life.held.get(reference)
        if held is None or life.dead:  # the lease of a dead one ran out before: it sends nothing
            return
        if held.in_doubt and (not self.reads_back or self.effects[reference]):
            return
        if takes_effect:
            self.effects[reference].append(self.model[reference].amount)
        held.in_doubt = True

    @rule(name=WORKERS, reference=REFERENCES, state=st.sampled_from([*NO_EFFECT, OutcomeState.UNKNOWN]))
    def note_not_posted(self, name: str, reference: str, state: OutcomeState) -> None:
        life = self.lives[name]
        held = life.held.get(reference)
        if held is None or (state in NO_EFFECT and self.effects[reference]):
            return
        noting = life.claims.not_posted(held.claim, state, 1, "code", "error")
        if life.dead:
            self._refused(noting)
            return
        self.runner.run(noting)
        del life.held[reference]
        row = self.model[reference]
        if row.state is not OutcomeState.POSTED:
            assert row.holder == (name, life.number)
            row.state = state
            self.entries += 1

    @rule(name=WORKERS, reference=REFERENCES, twice=st.booleans())
    def note_posted(self, name: str, reference: str, twice: bool) -> None:
        life = self.lives[name]
        held = life.held.get(reference)
        if held is None or not self.effects[reference]:
            return
        if life.dead:
            self._refused(life.claims.posted(held.claim, POST, self._reply(reference), 1, None))
            return
        del life.held[reference]
        for _ in range(1 + twice):
            self._posted(life, reference, held.claim)

    @precondition(lambda self: self.late)
    @rule(name=WORKERS, state=st.sampled_from([*NO_EFFECT, OutcomeState.UNKNOWN, OutcomeState.POSTED]))
    def an_answer_comes_late(self, name: str, state: OutcomeState) -> None:
        """Of a claim that its worker lost: only that it did take effect may change the row."""
        life, (reference, claim) = self.lives[name], self.late.pop()
        row = self.model[reference]
        if life.dead or row.holder == (claim.claimed_by.split(":")[0], int(claim.claimed_by.split(":")[1])):
            return
        if state is not OutcomeState.POSTED:
            self.runner.run(life.claims.not_posted(claim, state, 1, "late", "late"))
        elif self.effects[reference]:
            self._posted(life, reference, claim)

    def _posted(self, life: Life, reference: str, claim: Claim) -> None:
        self.runner.run(life.claims.posted(claim, POST, self._reply(reference), 1, None))
        self.entries += self.model[reference].state is not OutcomeState.POSTED
        self.model[reference].state = OutcomeState.POSTED

    def _reply(self, reference: str) -> Posting:
        return Posting(reference=reference, amount=self.effects[reference][0], id=f"D-{reference}")

    def _refused(self, writing: Coroutine[None, None, object]) -> None:
        with pytest.raises(Fenced):
            self.runner.run(writing)

    @invariant()
    def nothing_took_effect_twice(self) -> None:
        assert all(len(effects) <= 1 for effects in self.effects.values())

    @invariant()
    def the_rows_are_the_model(self) -> None:
        if not self.lives:
            return
        store = self.lives["one"].store
        found = {}
        for row in self.runner.run(rows(store, calls)):
            request = msgspec.json.decode(row["request"], type=Posting)
            found[request.reference] = (row["state"], request.amount)
        assert found == {reference: (row.state, row.amount) for reference, row in self.model.items()}
        assert len(self.runner.run(rows(store, audit))) == self.entries

    def teardown(self) -> None:
        for life in self.lives.values():
            self.runner.run(life.store.close())
        self.runner.close()


def test_claims_against_a_model(store_url: str) -> None:
    class Machine(ClaimsAgainstAModel):
        url = store_url

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=15, stateful_step_count=25, deadline=None)
    )
