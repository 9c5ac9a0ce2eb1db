"""Transactions, idempotency claims, lineage, exceptions and their workbench, the audit, retention."""

from lineshaft.ledger.audit import OPERATOR, Audit, AuditEntry
from lineshaft.ledger.audit_check import AuditReport, ChainHead, verify_audit
from lineshaft.ledger.audit_reads import audit_rows
from lineshaft.ledger.claims import Claim, Claims
from lineshaft.ledger.corrections import Corrections
from lineshaft.ledger.desk import Desk
from lineshaft.ledger.eventlog import EventLog
from lineshaft.ledger.exception_changes import ExceptionChanges
from lineshaft.ledger.exception_lists import ExceptionLists
from lineshaft.ledger.exception_rows import GROUPS
from lineshaft.ledger.following import Document, Verdict
from lineshaft.ledger.pauses import Pause, Pauses
from lineshaft.ledger.reads import Reads
from lineshaft.ledger.redriving import Redriving
from lineshaft.ledger.retention import KeepFor, Retention
from lineshaft.ledger.workbench import Fixed, Redriven, Workbench

__all__ = [
    "GROUPS",
    "OPERATOR",
    "Audit",
    "AuditEntry",
    "AuditReport",
    "ChainHead",
    "Claim",
    "Claims",
    "Corrections",
    "Desk",
    "Document",
    "EventLog",
    "ExceptionChanges",
    "ExceptionLists",
    "Fixed",
    "KeepFor",
    "Pause",
    "Pauses",
    "Reads",
    "Redriven",
    "Redriving",
    "Retention",
    "Verdict",
    "Workbench",
    "audit_rows",
    "verify_audit",
]
