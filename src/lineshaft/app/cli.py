"""The command line: `lineshaft`."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from lineshaft import __version__
from lineshaft.app.log import log_to_stderr
from lineshaft.app.on_demand import on_demand
from lineshaft.app.terminal import err
from lineshaft.core.errors import LineshaftError

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = {
    "run": (
        "run_cli:run",
        "Run this node until Ctrl-C: backbone, telemetry, processes, calls, console.",
    ),
    "check": (
        "plant_cli:check",
        "Read the settings and every file they name; say everything that is wrong. Exit code 0 or 1.",
    ),
    "doctor": (
        "plant_cli:doctor",
        "Look at this machine, the data folder, the ports, the database and every connected system.",
    ),
    "trace": (
        "trace_cli:trace",
        "Explain: from device reading through event, process and call to the document number, and back.",
    ),
    "exceptions": ("exceptions_cli:exceptions", "What went wrong, and what people do about it."),
    "processes": ("processes_cli:processes", "Instances of processes: see them, and steer them."),
    "systems": ("systems_cli:systems", "Connected systems, and when they are not to be called."),
    "devices": ("devices_cli:devices", "Who may publish by MQTT, and what devices do."),
    "telemetry": ("telemetry_cli:telemetry", "Readings of devices, and the rules on them."),
    "lake": ("lake_cli:lake", "Readings, windows, counts and states as they were kept."),
    "contracts": (
        "contracts_cli:contracts",
        "Contracts: versions, who uses them, what would break, what is live where.",
    ),
    "access": ("access_cli:access", "Who may do what here, and by what it is proved."),
    "audit": ("audit_cli:audit", "Who did what, to what, and why, in chains that show every change."),
    "kpis": ("kpis_cli:kpis", "Key figures over a period, from OEE to the backlog, against their targets."),
    "projections": (
        "projections_cli:projections",
        "What consumer APIs read: rows that events keep up to date.",
    ),
    "webhooks": ("webhooks_cli:webhooks", "Who is told of events by webhooks, and what became of it."),
    "retention": (
        "retention:retention_command",
        "Remove what is over and older than `retention` in the settings says. A node does it every hour.",
    ),
    "scenario": ("scenarios_cli:scenarios", "Stories that run end to end on the reference estate."),
    "demo": (
        "scenarios_cli:demo",
        "Play a scenario over and over with a plant that looks alive, until Ctrl-C.",
    ),
    "chaos": (
        "chaos_cli:chaos",
        "Run many instances at once, disturb everything, and count the effects. Exit code 0 or 1.",
    ),
    "bench": (
        "bench.commands:bench",
        "Measure this machine: three rounds, their medians, beside what one would use instead.",
    ),
    "version": ("cli:version", "Print the version."),
}

app = typer.Typer(
    name="lineshaft", cls=on_demand(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback()
def _root() -> None:
    """Keeps a manufacturer's systems turning together."""


def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """Errors that people can mend are said in one place, without a stack."""
    # the store's writer waits for Python's lock behind a busy event loop: 5 ms each time, by default
    sys.setswitchinterval(0.0002)
    log_to_stderr()
    try:
        app()
    except LineshaftError as error:
        err.print(f"[bold red]{error.code}[/]: {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
