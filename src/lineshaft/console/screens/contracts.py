"""The contracts: events and operations, their versions and fields, who tells and who uses them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from starlette.responses import Response

from lineshaft.console.catalogue import Catalogue
from lineshaft.console.moments import duration_text
from lineshaft.console.page import Page, Visit
from lineshaft.console.shell import Paging, Shell
from lineshaft.console.tones import tone_of
from lineshaft.contracts.registry.contract import Kind
from lineshaft.contracts.registry.live import ContractRegistry
from lineshaft.core.errors import LineshaftError

__all__ = ["ContractsScreen", "Use", "Uses"]

_HOURS = 24
_FILTERS = ("q", "kind", "owner")
_CSV = ("contract", "kind", "domain", "owner", "state", "version", "in_time", "consumers", "summary")


class Use(Protocol):
    @property
    def count(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def late(self) -> int:
        """Over its service level."""
        ...

    @property
    def p95_s(self) -> float | None: ...


class Uses(Protocol):
    async def of(self, id: str, *, is_event: bool, plants: Collection[str] | None, hours: int) -> Use: ...


class ContractsScreen:
    """registry: of this environment; None: the contracts that come with the product are shown."""

    def __init__(self, shell: Shell, registry: ContractRegistry | None, uses: Uses) -> None:
        self._shell = shell
        self._catalogue = Catalogue(registry)
        self._uses = uses

    def pages(self) -> Iterable[Page]:
        return [
            Page(path="/catalogue", name="console-catalogue", show=self._show, permission="read:contracts")
        ]

    async def _show(self, visit: Visit) -> Response:
        view = await self._catalogue.view(visit.query)
        if visit.asked("format") == "csv":
            return await self._shell.csv("contracts", _CSV, view.table)
        filters = {name: visit.asked(name) for name in _FILTERS}
        return await self._shell.page(
            visit,
            "catalogue.html",
            here="catalogue",
            view=view,
            tones=tone_of,
            page=Paging(csv=self._shell.address("catalogue", filters, format="csv"), count=view.count),
            used=await self._used(visit, view.entry.id, view.entry.kind) if view.entry else "",
        )

    async def _used(self, visit: Visit, id: str, kind: Kind) -> str:
        """`1 240 in the last 24 h, 3 late, 95 % within 1.2 s`; empty for what is not counted."""
        if kind not in (Kind.EVENT, Kind.OPERATION):
            return ""
        try:
            use = await self._uses.of(id, is_event=kind is Kind.EVENT, plants=visit.plants, hours=_HOURS)
        except LineshaftError:
            return ""  # the page says why by itself, where it asks the registry
        told = [f"{use.count:,} in the last {_HOURS} h".replace(",", "\u202f")]
        told += [f"{use.failed} failed"] if use.failed else []
        told += [f"{use.late} late"] if use.late else []
        told += [f"95 % within {duration_text(use.p95_s)}"] if use.p95_s is not None else []
        return ", ".join(told)
