"""`lineshaft scenario` and `lineshaft demo`."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.scenarios import ScenarioResult, ScenarioStep, chosen_scenario, load_scenarios
from lineshaft.app.terminal import JsonOption, out, run_async
from lineshaft.core.errors import ConfigError

__all__ = ["demo", "scenarios"]

scenarios = typer.Typer(help="Stories that run end to end on the reference estate.", no_args_is_help=True)


@scenarios.command("list")
def scenario_list(as_json: JsonOption = False) -> None:
    """The scenarios and their variants; the first variant is the default."""
    found = load_scenarios()
    if as_json:
        rows = [{"id": one.id, "title": one.title, "variants": list(one.variants)} for one in found.values()]
        print(msgspec.json.encode(rows).decode())
        return
    table = Table("scenario", "story", "variants")
    for one in found.values():
        table.add_row(one.id, one.title, ", ".join(one.variants))
    out.print(table)


@scenarios.command("run")
def scenario_run(
    scenario: Annotated[str, typer.Argument(help="Its id, such as S2.")],
    variant: Annotated[str, typer.Option(help="See `lineshaft scenario list`.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Run a scenario on temporary data and count its effects in the target systems. Exit code 0 or 1."""
    chosen = chosen_scenario(scenario)
    variant = variant or chosen.variants[0]
    if variant not in chosen.variants:
        raise ConfigError(
            f"{scenario} has no variant {variant!r}", hint=f"known: {', '.join(chosen.variants)}"
        )

    def on_step(step: ScenarioStep) -> None:
        mark = "[green]ok  [/]" if step.ok else "[bold red]FAIL[/]"
        out.print(f"{mark} {step.latency_ms:9.0f} ms  {escape(step.name)}", end="", soft_wrap=True)
        out.print(f"  [dim]{escape(step.detail)}[/]" if step.detail else "", soft_wrap=True, highlight=False)

    result = run_async(chosen.run(variant, (lambda _: None) if as_json else on_step))
    if as_json:
        print(msgspec.json.encode(result).decode())
    else:
        _print_result(result)
    raise typer.Exit(0 if result.passed else 1)


def _print_result(result: ScenarioResult) -> None:
    effects = ", ".join(f"{count} {kind}" for kind, count in result.effects.items())
    word = "[bold green]passed[/]" if result.passed else "[bold red]FAILED[/]"
    out.print(
        f"{word} {result.scenario} {result.variant} in {result.duration_s:.1f} s; effects: {escape(effects)}",
        soft_wrap=True,
    )
    keys = [number for numbers in result.documents.values() for number in numbers]
    if keys:
        out.print(f"explain one: lineshaft trace {keys[-1]}", highlight=False, soft_wrap=True)


def demo(
    scenario: Annotated[str, typer.Argument(help="Which story to play.")] = "S2",
) -> None:
    """Play a scenario over and over with a plant that looks alive, until Ctrl-C."""
    chosen = chosen_scenario(scenario)

    async def play() -> None:
        stop = asyncio.Event()
        playing = asyncio.ensure_future(
            chosen.demo(lambda text: out.print(text, highlight=False, soft_wrap=True))
        )
        stopping = asyncio.ensure_future(stop.wait())
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            out.print("stopping …")
            playing.cancel()
        stopping.cancel()
        results = await asyncio.gather(playing, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]

    run_async(play())
