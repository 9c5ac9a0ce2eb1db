"""`lineshaft chaos`: many instances of a scenario, disturbed at random moments, counted in the targets."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.scenarios import ChaosPlan, ChaosResult, chosen_scenario
from lineshaft.app.terminal import JsonOption, err, out, print_json, run_async

__all__ = ["chaos"]


def chaos(
    scenario: Annotated[str, typer.Option(help="Its id; see `lineshaft scenario list`.")] = "S2",
    seconds: Annotated[float, typer.Option(min=1, help="How long facts are told and disturbed.")] = 60.0,
    seed: Annotated[int, typer.Option(help="The same seed disturbs in the same way.")] = 1,
    db: Annotated[str, typer.Option(help="sqlite, postgres (a server of its own), or a URL.")] = "sqlite",
    instances: Annotated[int, typer.Option(min=1, help="Of the process, at about the same time.")] = 32,
    faults: Annotated[str, typer.Option(help="Kinds, separated by commas, or `none`; default: all.")] = "",
    kills: Annotated[str, typer.Option(help="Of node, nats, postgres, or `none`; default: all.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Run many instances at once, disturb everything, and count the effects. Exit code 0 or 1."""
    plan = ChaosPlan(
        seconds=seconds,
        seed=seed,
        db=db,
        instances=instances,
        faults=_chosen(faults),
        kills=_chosen(kills),
    )

    def say(text: str) -> None:
        err.print(escape(text), style="dim", highlight=False, soft_wrap=True)

    result = run_async(chosen_scenario(scenario).chaos(plan, say))
    if as_json:
        print_json(result)
    else:
        _print(result)
    raise typer.Exit(0 if result.passed else 1)


def _chosen(names: str) -> list[str] | None:
    if not names:
        return None
    return [] if names == "none" else [name.strip() for name in names.split(",")]


def _print(result: ChaosResult) -> None:
    effects = Table("effect", "asked", "held")
    for name, (asked, held) in result.effects.items():
        effects.add_row(name, str(asked), str(held), style="" if asked == held else "bold red")
    out.print(effects)
    disturbed = Table("disturbance", "times", "requests hit", "recovery p50 s", "p99 s")
    for name in sorted({*result.disturbances, *result.requests_hit, *result.recovery_s}):
        times = result.recovery_s.get(name, {})
        cells = (
            result.disturbances.get(name),
            result.requests_hit.get(name),
            times.get("p50"),
            times.get("p99"),
        )
        disturbed.add_row(name, *("" if cell is None else str(cell) for cell in cells))
    out.print(disturbed)
    for finding in result.findings:
        out.print(escape(finding), style="bold red", highlight=False, soft_wrap=True)
    for cause, count in result.causes.items():
        out.print(f"{count} × {escape(cause)}", highlight=False, soft_wrap=True)
    word = "[bold green]passed[/]" if result.passed else "[bold red]FAILED[/]"
    out.print(
        f"{word} {result.scenario} seed {result.seed} on {result.db}: {result.facts} facts"
        f" ({result.facts_per_s:g}/s) asked for {result.asked} effects; {result.posted} posted,"
        f" {result.lost} lost, {result.duplicated} duplicated, {result.parked} parked,"
        f" {result.unsettled} unsettled; {result.duration_s:g} s",
        soft_wrap=True,
        highlight=False,
    )
    out.print(f"explain one: lineshaft trace FIL-001  [dim]({escape(result.data)})[/]", soft_wrap=True)
