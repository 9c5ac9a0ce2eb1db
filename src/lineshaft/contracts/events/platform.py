"""Events of the domain platform."""

from __future__ import annotations

from lineshaft.contracts.event import EventContract
from lineshaft.core.values import EventClass
from lineshaft.model.platform import ContractBreach, DeadLetteredTransaction
from lineshaft.model.systems import SystemKind as K

__all__ = ["CONTRACT_VIOLATED", "TRANSACTION_DEAD_LETTERED"]

CONTRACT_VIOLATED = EventContract(
    "platform.contract.violated.v1",
    ContractBreach,
    eventclass=EventClass.ANALYTICAL,
    owner="integration",
    key="contract",
    sla_s=300,
    summary="A payload broke its contract",
    producers=(K.PLATFORM,),
    consumers=(K.PLATFORM,),
)
TRANSACTION_DEAD_LETTERED = EventContract(
    "platform.transaction.dead_lettered.v1",
    DeadLetteredTransaction,
    eventclass=EventClass.OPERATIONAL,
    owner="integration",
    key="original_key",
    sla_s=60,
    summary="Something that has to have an effect waits for a person",
    producers=(K.PLATFORM,),
    consumers=(K.PLATFORM,),
)
