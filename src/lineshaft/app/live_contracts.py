"""What a node does with contracts when it starts: it takes what was promoted to its environment."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import structlog

from lineshaft.app.settings import Settings
from lineshaft.contracts.registry import (
    Kind,
    State,
    declared_contracts,
    drift,
    live_contracts,
    read_contracts,
)
from lineshaft.gateway.route import Retiring
from lineshaft.ledger.registry import ContractBook

__all__ = ["retiring_operations", "take_contracts"]

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


async def retiring_operations(book: ContractBook) -> dict[str, Retiring]:
    """Of the deprecated ones with a date of their sunset, by operation."""
    return {
        live.name: Retiring(
            since=datetime.fromisoformat(live.at).date(), sunset=date.fromisoformat(live.sunset)
        )
        for live in await book.contracts()
        if live.kind is Kind.OPERATION and live.state is State.DEPRECATED and live.sunset
    }
