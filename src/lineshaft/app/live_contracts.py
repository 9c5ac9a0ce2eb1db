"""What a node does with contracts when it starts: it takes what was promoted to its environment."""

from __future__ import annotations

from pathlib import Path

import structlog

from lineshaft.app.settings import Settings
from lineshaft.contracts.registry import declared_contracts, drift, live_contracts, read_contracts
from lineshaft.ledger.registry import ContractBook

__all__ = ["take_contracts"]

_LOG = structlog.get_logger(__name__)


async def take_contracts(book: ContractBook, settings: Settings, folder: Path, *, by: str) -> None:
    """folder: of the settings file; by: name of the node, for the audit.

    raises  ConfigError where the files are wrong, or have other documents than those promoted
    """
    found = read_contracts(folder / settings.contracts)
    live = live_contracts(found, settings.environment)
    taken = await book.take(live, found.parties_in(settings.environment), by=by)
    for contract in taken.kept:
        _LOG.warning("contracts.kept", contract=contract, reason="not promoted any more, and has consumers")
    if settings.environment:
        for differs in drift(live, await book.contracts(), declared_contracts()):
            _LOG.warning("contracts.drift", environment=settings.environment, said=str(differs))
