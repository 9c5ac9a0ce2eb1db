"""Requests over HTTP in the ledger: who asked what, claims on their keys, what accounts have used."""

from lineshaft.ledger.requests.claims import RequestClaims
from lineshaft.ledger.requests.log import RequestLog
from lineshaft.ledger.requests.quotas import Quotas

__all__ = ["Quotas", "RequestClaims", "RequestLog"]
