"""What is over leaves the store after its time: by a task of the node, and by `lineshaft retention`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import structlog
import typer

from lineshaft.app.settings import RetentionSettings, load_settings, store_url
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json, run_async
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import Clock, SystemClock, rfc3339
from lineshaft.core.errors import TransientFault
from lineshaft.ledger import KeepFor, Retention
from lineshaft.ledger.projections import Projections
from lineshaft.processes.archive import Archive
from lineshaft.store import Store

__all__ = ["Sweeper", "archive_of", "retention_command"]

_LOG = structlog.get_logger(__name__)
_EVERY_S = 3600.0


def archive_of(store: Store, keep: RetentionSettings, clock: Clock) -> Archive:
    live, archived = timedelta(days=keep.processes_days), timedelta(days=keep.archive_days)
    return Archive(store, clock, keep=live, keep_archived=archived)


class Sweeper:
    def __init__(self, store: Store, keep: RetentionSettings, clock: Clock) -> None:
        kept = KeepFor(
            events=timedelta(days=keep.events_days),
            signals=timedelta(days=keep.signals_days),
            exceptions=timedelta(days=keep.exceptions_days),
            call_payloads=timedelta(days=keep.call_payloads_days),
            requests=timedelta(days=keep.requests_days),
        )
        self._ledger = Retention(store, EVENTS, clock, kept)
        self._archive = archive_of(store, keep, clock)
        self._projections = Projections(store, EVENTS, clock)
        self._clock = clock
        self._keep_events = kept.events

    async def sweep(self, *, dry_run: bool = False) -> dict[str, int]:
        """How many of each went, or in a dry run would go: finished processes first, as they hold the rest.

        raises  TransientFault when the store is away
        """
        swept = await self._archive.sweep_all(dry_run=dry_run)
        found = {"processes_archived": swept.archived, "archived_processes": swept.deleted}
        before = rfc3339(self._clock.now() - self._keep_events)
        found["asset_events"] = await self._projections.forget_events(before, dry_run=dry_run)
        return found | await self._ledger.sweep(dry_run=dry_run)

    async def run(self) -> None:
        """Every hour, until cancelled."""
        while True:
            try:
                found = await self.sweep()
            except TransientFault as fault:
                _LOG.warning("retention.waiting", reason=str(fault))
            else:
                if any(found.values()):
                    _LOG.info("retention.swept", **found)
            await asyncio.sleep(_EVERY_S)


def retention_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what is over and older than `retention` in the settings says. A node does it every hour.

    The keys, outcomes and document numbers of calls stay for ever, and so does the audit.
    """
    path = known_settings(config)
    settings, _ = load_settings(path)

    async def sweep() -> dict[str, int]:
        store = Store.open(store_url(settings, path))
        try:
            return await Sweeper(store, settings.retention, SystemClock()).sweep(dry_run=dry_run)
        finally:
            await store.close()

    found = run_async(sweep())
    if as_json:
        print_json({"dry_run": dry_run, **found})
        return
    for name, count in found.items():
        out.print(f"{count:>9} {name.replace('_', ' ')}{' would go' if dry_run else ''}", highlight=False)
