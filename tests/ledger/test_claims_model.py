"""Claims of two workers against a plain model, with crashes, take-overs, late answers and people.

The model keeps the rules of the door: who may send, and who has to look first. What takes effect is counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import Phase, settings
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

from lineshaft.core.ids import new_id
from lineshaft.core.values import OutcomeState
from lineshaft.ledger import Audit, Claim, Claims
from lineshaft.store import Fenced, Outbox, Store, Worker
from lineshaft.store.engine import _engine
from lineshaft.store.schema import audit, audit_heads, business_keys, calls, outbox, workers
from tests.books import Books, Posting, booking
from tests.clocks import ManualClock
from tests.examples import examples
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
    name: str
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
        store = Store(_engine(self.url))
        for table in (calls, business_keys, outbox, audit, audit_heads, workers):
            self._do(store, delete(table))
        self.runner.run(store.close())
        for name in ("one", "two"):
            self._live(name)

    def _do(self, store: Store, statement: Executable) -> None:
        self.runner.run(store.write(lambda connection: connection.execute(statement) and None))

    def _live(self, name: str) -> None:
        store = Store(_engine(self.url))  # migrated, and this is quick
        worker = Worker(store, name, lease_s=3600)
        self.runner.run(worker.join())
        clock = ManualClock()
        claims = Claims(store, Outbox(store), Audit(name, clock), clock, worker)
        self.lives[name] = Life(name, store, claims, worker.epoch)

    def _held(self) -> list[tuple[str, str]]:
        return [(name, reference) for name, life in self.lives.items() for reference in life.held]

    @precondition(lambda self: any(life.held or life.dead for life in self.lives.values()))
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """It starts again; what its requests came to may be told late."""
        life = data.draw(st.sampled_from([life for life in self.lives.values() if life.held or life.dead]))
        self.late += [(reference, held.claim) for reference, held in life.held.items()]
        self.runner.run(life.store.close())
        self._live(life.name)

    @precondition(lambda self: self._held() and not any(life.dead for life in self.lives.values()))
    @rule(data=st.data())
    def is_taken_for_dead(self, data: st.DataObject) -> None:
        name, _ = data.draw(st.sampled_from(self._held()))
        other = self.lives["two" if name == "one" else "one"]
        raised = {"epoch": workers.c.epoch + 1, "expires_at": 0.0}
        self._do(other.store, update(workers).where(workers.c.name == name).values(raised))
        self.lives[name].dead = True

    @rule(
        name=WORKERS,
        reference=REFERENCES,
        amount=st.sampled_from([1, 1, 1, 2]),
        reopen=st.booleans(),
        then=st.sampled_from(["is lost", "takes effect"]),
    )
    def call(self, name: str, reference: str, amount: int, reopen: bool, then: str) -> None:
        """Claim, and send as the door does; what the request came to is known by a note at the earliest."""
        life, row = self.lives[name], self.model.get(reference)
        if row is not None and row.state is OutcomeState.UNKNOWN and self.effects[reference]:
            reopen = False  # a person looks before saying that it did not happen
        asking = life.claims.claim(
            msgspec.structs.replace(booking(reference, amount), reopen=new_id() if reopen else ""),
            POST,
            "books",
        )
        if life.dead:
            self._refused(asking)
            return
        claim = self.runner.run(asking)
        assert claim.earlier == (row.state if row else None)
        if row is not None and not self._takes(name, row, claim, amount, reopen):
            return
        in_doubt = claim.earlier in (OutcomeState.SENDING, OutcomeState.UNKNOWN)
        held = Held(claim, in_doubt and (self.reads_back or not claim.reopened))
        life.held[reference] = held
        self.model[reference] = Row(OutcomeState.SENDING, amount, (name, life.number))
        if then != "crosses nothing" and not (
            held.in_doubt and (not self.reads_back or self.effects[reference])
        ):
            self.effects[reference] += [amount] if then == "takes effect" else []

    def _takes(self, name: str, row: Row, claim: Claim, amount: int, reopen: bool) -> bool:
        same = row.amount == amount
        reopened = reopen and (row.state in NO_EFFECT or (row.state is OutcomeState.UNKNOWN and same))
        elsewhere = row.state is OutcomeState.SENDING and self._lives_elsewhere(name, row.holder)
        told = claim.held_elsewhere, claim.same_payload, claim.reopened
        assert told == (elsewhere, same or reopened, reopened)
        self.entries += reopened
        replayed = row.state is OutcomeState.POSTED or (row.state is OutcomeState.REJECTED and not reopened)
        return claim.same_payload and not elsewhere and not replayed

    def _lives_elsewhere(self, asking: str, holder: tuple[str, int]) -> bool:
        life = self.lives[holder[0]]
        return holder[0] != asking and not life.dead and life.number == holder[1]

    @precondition(_held)
    @rule(data=st.data(), state=st.sampled_from([*NO_EFFECT, OutcomeState.UNKNOWN, OutcomeState.POSTED]))
    def note(self, data: st.DataObject, state: OutcomeState) -> None:
        """What the target says: posted when it took effect, and no effect when there was none."""
        name, reference = data.draw(st.sampled_from(self._held()))
        life, took_effect = self.lives[name], bool(self.effects[reference])
        if took_effect == (state in NO_EFFECT) or (state is OutcomeState.POSTED and not took_effect):
            state = OutcomeState.UNKNOWN
        claim = life.held[reference].claim
        if life.dead:
            self._refused(self._noting(life, reference, claim, state))
            return
        del life.held[reference]
        self.runner.run(self._noting(life, reference, claim, state))
        row = self.model[reference]
        if row.state is not OutcomeState.POSTED:
            assert row.holder == (name, life.number)
            row.state = state
            self.entries += 1

    @precondition(lambda self: self.late)
    @rule(name=WORKERS, state=st.sampled_from([*NO_EFFECT, OutcomeState.UNKNOWN, OutcomeState.POSTED]))
    def an_answer_comes_late(self, name: str, state: OutcomeState) -> None:
        """To a claim whose worker lost it: only that it did take effect may change the row."""
        life, (reference, claim) = self.lives[name], self.late.pop()
        row = self.model[reference]
        worker, epoch, _ = claim.claimed_by.rsplit(":", 2)
        if life.dead or row.holder == (worker, int(epoch)):
            return
        if state is OutcomeState.POSTED and not self.effects[reference]:
            return
        self.runner.run(self._noting(life, reference, claim, state))
        if state is OutcomeState.POSTED and row.state is not OutcomeState.POSTED:
            row.state = OutcomeState.POSTED
            self.entries += 1

    def _noting(
        self, life: Life, reference: str, claim: Claim, state: OutcomeState
    ) -> Coroutine[None, None, None]:
        if state is OutcomeState.POSTED:
            return life.claims.posted(claim, POST, self._reply(reference), 1, None)
        return life.claims.not_posted(claim, state, 1, "code", "error")

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


@pytest.mark.hypothesis
def test_claims_against_a_model(store_url: str) -> None:
    class Machine(ClaimsAgainstAModel):
        url = store_url

    run_state_machine_as_test(
        Machine,
        settings=settings(  # to make a failure smaller takes minutes here
            max_examples=examples(10), stateful_step_count=25, phases=[Phase.generate]
        ),
    )
