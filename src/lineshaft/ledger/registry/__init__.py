"""The contracts that are live in this environment, and who registered for them."""

from lineshaft.ledger.registry.contract_book import ContractBook, Taken

__all__ = ["ContractBook", "Taken"]
