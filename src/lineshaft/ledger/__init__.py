"""Transactions, idempotency claims, lineage and exceptions."""
