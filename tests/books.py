"""A small system of record with its own capability: it counts what takes effect and misbehaves to order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from lineshaft.contracts.capability import Capability, command, query
from lineshaft.contracts.event import EventContract
from lineshaft.core.errors import BusinessFault, OutcomeUnknown, PermanentFault, TransientFault
from lineshaft.core.ports import CallContext, Health, HealthState, Manifest
from lineshaft.core.values import Command, EventClass, Key, Origin, Value

__all__ = ["BOOKED", "Account", "Balance", "Books", "Ledgerman", "Posting", "booking"]

PLANT = "NSP"
ACTOR = "process:test"


class Posting(Value, frozen=True, kw_only=True):
    reference: Key
    amount: int
    account: str = "4711"
    id: Key | None = None


class Account(Value, frozen=True, kw_only=True):
    account: Key


class Balance(Value, frozen=True, kw_only=True):
    account: Key
    amount: int


BOOKED = EventContract(
    "finance.posting.booked.v1",
    Posting,
    eventclass=EventClass.TRANSACTIONAL,
    owner="finance",
    key="reference",
    sla_s=60,
    summary="A posting is in the books",
)


class Books(Capability, name="books", system_kind="erp"):
    @command(key=("reference",), owner="finance", entity="posting", emits=BOOKED, document="id")
    async def post(self, request: Posting) -> Posting:
        """Book an amount."""

    @query(owner="finance", entity="account")
    async def balance(self, request: Account) -> Balance:
        """The sum of an account."""


Turn = Callable[["Ledgerman", CallContext, Posting], Awaitable[Posting]]


class Ledgerman:
    """Implements core.ports.Connector for Books.

    turns    what happens at each `post`, in order; then `booked` for ever
    effects  every posting that took effect, by idempotency key: it keeps nobody from posting twice
    """

    def __init__(self, turns: Sequence[Turn] = (), *, reads_back: bool = True) -> None:
        self.turns = list(turns)
        self.effects: list[tuple[str, Posting]] = []
        self.sends = 0
        self.lookups = 0
        self.lookup_faults: list[Exception] = []
        self.at_work: set[asyncio.Task[None]] = set()
        self._reads_back = ["books.post"] if reads_back else []

    @property
    def manifest(self) -> Manifest:
        return Manifest(name="books", title="Books", capabilities=["books"], reads_back=self._reads_back)

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def health(self) -> Health:
        return Health(state=HealthState.ACTIVE)

    async def post(self, call: CallContext, request: Posting) -> Posting:
        self.sends += 1
        turn = self.turns.pop(0) if self.turns else booked
        return await turn(self, call, request)

    async def find_post(self, call: CallContext, request: Posting) -> Posting | None:
        self.lookups += 1
        if self.lookup_faults:
            raise self.lookup_faults.pop(0)
        for number, (key, posting) in enumerate(self.effects, start=1):
            if key == call.idempotency_key:
                return self._document(number, posting)
        return None

    async def balance(self, call: CallContext, request: Account) -> Balance:
        amount = sum(posting.amount for _, posting in self.effects if posting.account == request.account)
        return Balance(account=request.account, amount=amount)

    def take_effect(self, call: CallContext, request: Posting) -> Posting:
        self.effects.append((call.idempotency_key, request))
        return self._document(len(self.effects), request)

    @property
    def most_effects_of_one_key(self) -> int:
        return max(Counter(key for key, _ in self.effects).values(), default=0)

    @staticmethod
    def _document(number: int, posting: Posting) -> Posting:
        return Posting(
            reference=posting.reference, amount=posting.amount, account=posting.account, id=f"D{number}"
        )


async def booked(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    await asyncio.sleep(0)
    return target.take_effect(call, request)


async def refused_connection(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    raise TransientFault("connection refused")


async def answer_lost(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    """It took effect, and nobody heard."""
    target.take_effect(call, request)
    raise OutcomeUnknown("no answer")


async def request_lost(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    raise OutcomeUnknown("no answer")


async def unknown_material(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    raise BusinessFault("no such account", code="unknown_account", owner="controlling", hint="create it")


async def no_credentials(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    raise PermanentFault("401", code="credentials")


async def breaks_after_effect(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    """A bug of the connector, after the target did its part."""
    target.take_effect(call, request)
    raise KeyError("surprise")


async def hangs_after_effect(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
    target.take_effect(call, request)
    await asyncio.sleep(3600)
    raise AssertionError("unreachable")


def commits_late(after_s: float) -> Turn:
    """No answer; the target is still at work on it for a while."""

    async def turn(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        async def finish() -> None:
            await asyncio.sleep(after_s)
            target.take_effect(call, request)

        task = asyncio.create_task(finish())
        target.at_work.add(task)
        task.add_done_callback(target.at_work.discard)
        raise OutcomeUnknown("gateway timed out")

    return turn


def answers(what: object) -> Turn:
    """It took effect, and the answer is not what the contract says."""

    async def turn(target: Ledgerman, call: CallContext, request: Posting) -> Posting:
        target.take_effect(call, request)
        return what  # type: ignore[return-value]

    return turn


def booking(reference: str = "R1", amount: int = 100, **origin: str) -> Command:
    return Command(
        operation="books.post",
        request=Posting(reference=reference, amount=amount),
        origin=Origin(**{"plant": PLANT, "actor": ACTOR, "correlation_id": "story-1"} | origin),
    )
