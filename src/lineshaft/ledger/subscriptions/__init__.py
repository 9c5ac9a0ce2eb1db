"""Webhook subscriptions: who is told of what, what waits to be told, and what became of it."""

from lineshaft.ledger.subscriptions.book import Book, DeclaredSubscription
from lineshaft.ledger.subscriptions.deliveries import Deliveries, Delivery, Outcome
from lineshaft.ledger.subscriptions.handing_out import HandingOut

__all__ = ["Book", "DeclaredSubscription", "Deliveries", "Delivery", "HandingOut", "Outcome"]
