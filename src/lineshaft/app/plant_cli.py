"""`lineshaft check` and `lineshaft doctor`: are the settings right, and is this machine fit to run them?"""

from __future__ import annotations

import msgspec
import typer
from rich.markup import escape

from lineshaft.app.access import access_of
from lineshaft.app.described_routes import described_routes
from lineshaft.app.doctor import examine
from lineshaft.app.field_rules import field_rule_doubts
from lineshaft.app.plant_data import PlantData, read_plant
from lineshaft.app.terminal import ConfigOption, JsonOption, out, run_async, settings_path
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError

__all__ = ["check", "doctor"]


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read the settings and every file they name; say everything that is wrong. Exit code 0 or 1."""
    path = settings_path(config)
    findings: list[str] = []
    try:
        plant = read_plant(path, SystemClock())
        findings = _field_doubts(plant)
    except ConfigError as error:
        findings = error.findings or [error.message]
    if as_json:
        print(msgspec.json.encode({"ok": not findings, "findings": findings}).decode())
    elif findings:
        for finding in findings:
            out.print(escape(finding), highlight=False, soft_wrap=True)
        out.print(f"[bold red]{len(findings)} error(s)[/]")
    else:
        tags = len(plant.telemetry.tags) if plant.telemetry else 0
        kinds = plant.telemetry.rules.specs.values() if plant.telemetry else ()
        rules = len({spec.rule for specs in kinds for spec in specs})
        out.print(
            f"[green]ok[/] {path}: {len(plant.systems)} systems, {tags} tags, {rules} rules,"
            f" {len(plant.processes)} processes"
        )
    raise typer.Exit(1 if findings else 0)


def _field_doubts(plant: PlantData) -> list[str]:
    access = access_of(plant.settings, plant.path)
    if access is None:
        return []
    return field_rule_doubts(access, plant.path.parent / plant.settings.access, described_routes(plant))


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at this machine, the data folder, the ports, the database and every connected system."""
    plant = read_plant(settings_path(config), SystemClock())

    async def collect() -> bool:
        found = [finding async for finding in examine(plant)]
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            for finding in found:
                mark = "[green]ok  [/]" if finding.ok else "[bold red]FAIL[/]"
                out.print(f"{mark} {finding.what:<16} {escape(finding.detail)}", soft_wrap=True)
        return all(finding.ok for finding in found)

    raise typer.Exit(0 if run_async(collect()) else 1)
