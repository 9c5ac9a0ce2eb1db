"""Transactions, idempotency claims, lineage and exceptions."""

from lineshaft.ledger.claims import Claim, Claims
from lineshaft.ledger.desk import Desk
from lineshaft.ledger.eventlog import EventLog
from lineshaft.ledger.reads import Reads

__all__ = ["Claim", "Claims", "Desk", "EventLog", "Reads"]
