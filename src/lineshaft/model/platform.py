"""What lineshaft tells of itself."""

from __future__ import annotations

from lineshaft.core.values import Key, Moment, Value

__all__ = ["ContractBreach", "DeadLetteredTransaction"]


class ContractBreach(Value, frozen=True, kw_only=True):
    """A payload broke its contract. source: topic, webhook or operation; finding: path and rule of each"""

    contract: Key
    source: str
    finding: list[str]
    detected_at: Moment
    event_id: Key | None = None


class DeadLetteredTransaction(Value, frozen=True, kw_only=True):
    """Something that has to have an effect was put aside for a person.

    original_key   idempotency key or event id of what did not get through
    exception_id   under which it waits in the workbench
    """

    original_key: Key
    exception_id: Key
    kind: str
    source: str
    owner: str
    cause: str
    detected_at: Moment
