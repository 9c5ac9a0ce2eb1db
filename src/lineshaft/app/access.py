"""Who may do what at this node: the access file, put to work, and read again when it changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import structlog
import watchfiles

from lineshaft.app.assignees import people_of
from lineshaft.app.settings import Settings, data_dir
from lineshaft.app.web_access import must_know_callers
from lineshaft.app.web_tls import WebTls
from lineshaft.console import LoginPages, PlantView
from lineshaft.core.clock import Clock
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.gateway.identity import Access, AccessFile, make_access, read_access
from lineshaft.ledger import Audit
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions
from lineshaft.store import Store

__all__ = ["NodeAccess", "access_doubts", "access_of", "open_access", "signing_keys_file", "tls_of"]

_LOG = structlog.get_logger(__name__)


def access_of(settings: Settings, path: Path) -> AccessFile | None:
    """path: of the settings file. None: there is no access file. raises  ConfigError with every finding"""
    if not settings.access:
        return None
    return read_access(path.resolve().parent / settings.access, settings.systems)


def access_doubts(settings: Settings, file: YamlFile) -> list[str]:
    """What is wrong with access file, certificates and address. file: the settings"""
    console, has_access = settings.console, bool(settings.access)
    reads: list[tuple[list[str], Callable[[], object]]] = [
        (["access"], lambda: access_of(settings, file.path)),
        (["console", "tls"], lambda: tls_of(settings, file.path)),
        (["console", "host"], lambda: must_know_callers(console.host, has_access=has_access)),
    ]
    findings: list[str] = []
    for place, read in reads:
        try:
            read()
        except ConfigError as error:
            findings += error.findings or [f"{file.where(place)}: {error}"]
    return findings


def tls_of(settings: Settings, path: Path) -> WebTls | None:
    """path: of the settings file. raises  ConfigError for files that cannot be used"""
    return WebTls(settings.console.tls, path.resolve().parent) if settings.console.tls else None


def signing_keys_file(settings: Settings, path: Path) -> Path:
    return data_dir(settings, path) / "signing-keys.json"


class NodeAccess:
    """access: what the gateway needs; run: keeps it as the file says.

    known_as  host name by which a proxy on this machine is reached, of `url` in the file
    """

    def __init__(self, access: Access, settings: Settings, path: Path) -> None:
        self.access = access
        self.known_as = urlsplit(access.directory.access.url).hostname or ""
        self._settings = settings
        self._path = path

    def people(self) -> Mapping[str, str]:
        """Account → title, as the access file is now."""
        return people_of(self.access.directory.access)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.access.run())
            tasks.create_task(self._follow())

    async def _follow(self) -> None:
        file = self._path.resolve().parent / self._settings.access
        async for changed in watchfiles.awatch(file.parent, recursive=False):
            if all(os.path.basename(path) != file.name for _, path in changed):
                continue
            try:
                found = access_of(self._settings, self._path)
            except ConfigError as error:
                _LOG.error("access.file_not_taken", reason=str(error))
                continue
            if found is not None:
                self.access.replace(found)
                _LOG.info("access.file_read", accounts=len(found.accounts))


def open_access(
    settings: Settings, path: Path, store: Store, audit: Audit, clock: Clock, *, plant: PlantView, url: str
) -> NodeAccess | None:
    """path: of the settings file; url: where this node listens. None: there is no access file

    raises  ConfigError with every finding of the access file
    """
    file = access_of(settings, path)
    if file is None:
        return None
    access = make_access(
        file,
        credentials=StoredCredentials(store, audit, clock),
        sessions=StoredSessions(store, audit, clock),
        pages=LoginPages(plant),
        keys_file=signing_keys_file(settings, path),
        url=url,
        tls=settings.console.tls is not None,
        clock=clock,
    )
    return NodeAccess(access, settings, path)
