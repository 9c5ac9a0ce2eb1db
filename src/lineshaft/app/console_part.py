"""The console of a node, wired: each screen with what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from lineshaft.app.assignees import People
from lineshaft.app.console_processes import ConsoleProcesses
from lineshaft.app.sent_form import sent_form
from lineshaft.app.service_levels import USUAL_LEVELS
from lineshaft.calls.system import System
from lineshaft.console import (
    Assets,
    Changes,
    Headline,
    LiveValue,
    Page,
    PlantView,
    Pulse,
    Screen,
    Shell,
    SystemView,
    console_pages,
    environment,
)
from lineshaft.console.routes import Proof
from lineshaft.console.screens.asset import AssetScreen
from lineshaft.console.screens.audit import AuditScreen
from lineshaft.console.screens.contracts import ContractsScreen
from lineshaft.console.screens.exception import ExceptionScreen
from lineshaft.console.screens.exceptions import ExceptionsScreen
from lineshaft.console.screens.kpis import Kpis, KpiScreen
from lineshaft.console.screens.overview import OverviewScreen
from lineshaft.console.screens.plants import PlantsScreen
from lineshaft.console.screens.process import ProcessScreen
from lineshaft.console.screens.processes import ProcessesScreen
from lineshaft.console.screens.systems import SystemsAtWork, SystemsScreen
from lineshaft.console.screens.trace import TraceScreen
from lineshaft.console.views import Line
from lineshaft.core.clock import Clock
from lineshaft.insight.call_times import CallHistory
from lineshaft.insight.contract_use import ContractUse
from lineshaft.insight.machine_history import MachineHistory
from lineshaft.insight.overview import Overview
from lineshaft.insight.service_levels import ServiceLevels
from lineshaft.ledger import ExceptionLists, Workbench
from lineshaft.ledger.audit_reads import AuditReads
from lineshaft.ledger.audit_verifying import Verifier
from lineshaft.ledger.exception_rows import count_open
from lineshaft.ledger.projections import PlantReads, ProjectionReads
from lineshaft.ledger.pulse import pulse
from lineshaft.ledger.registry import ContractBook
from lineshaft.ledger.trace_reads import TraceReads
from lineshaft.store import Store

__all__ = ["console_part"]


def console_part(
    store: Store,
    plant: PlantView,
    systems: Callable[[], Mapping[str, SystemView]],
    values: Callable[[], Sequence[LiveValue]],
    changes: Changes,
    contracts: ContractBook | None,
    clock: Clock,
    *,
    levels: ServiceLevels | None = None,
    processes: ConsoleProcesses | None = None,
    kpis: Kpis | None = None,
    workbench: Workbench | None = None,
    people: People | None = None,
    connected: Sequence[System] = (),
    work: SystemsAtWork | None = None,
    line: Line | None = None,
    worker: str = "",
    verifier: Verifier | None = None,
    proof: Proof | None = None,
) -> list[Page]:
    """systems, values   what memory knows now, in the order to be shown
    changes           rung after writes; closed before the server stops
    levels            None: those of the contracts alone
    processes         None: without their screens
    kpis              None: without their screen
    workbench         None: without the screens of exceptions
    people            who can be given exceptions; None: anybody, by name
    connected         whose mappings say how a call is sent
    work              None: without the screens of systems
    line              None where no device values are taken in
    worker            name of this node among those of the database
    verifier          of the audit; None: nobody can ask for a verification here
    proof             see console_pages; None on a node that does not know its callers
    raises            ConfigError for an unknown time zone
    """
    assets = Assets()
    shell = Shell(
        environment({"plant": plant, "asset": assets.url}),
        plant,
        Headline(systems, values, partial(count_open, store), clock, plant.name),
        clock,
        signed_in=proof is not None,
    )
    screens: list[Screen] = [
        OverviewScreen(shell, Overview(store, levels or USUAL_LEVELS, clock, plant.name), systems, values),
        TraceScreen(shell, TraceReads(store), sent_form(connected)),
        ContractsScreen(shell, contracts, ContractUse(store, levels or USUAL_LEVELS, clock)),
        PlantsScreen(shell, PlantReads(store), line, worker),
        AssetScreen(shell, ProjectionReads(store, clock), MachineHistory(store), line),
        AuditScreen(shell, AuditReads(store), verifier),
    ]
    if work is not None:
        screens.append(SystemsScreen(shell, systems, work, CallHistory(store, clock)))
    if processes is not None:
        screens += [ProcessesScreen(shell, processes), ProcessScreen(shell, processes)]
    if kpis is not None:
        screens.append(KpiScreen(shell, kpis))
    if workbench is not None:
        screens += [
            ExceptionsScreen(shell, ExceptionLists(store), people),
            ExceptionScreen(shell, workbench.show, people),
        ]
    beat = Pulse(partial(pulse, store), changes, clock)
    return console_pages(screens, assets, beat, clock, away=shell.away, proof=proof)
