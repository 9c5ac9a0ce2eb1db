"""`lineshaft telemetry tags | tail | rules list | rules test | browse`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from lineshaft.app.browsing import browse_command
from lineshaft.app.live_channel import LivePoint, live_now
from lineshaft.app.node_address import node_runs
from lineshaft.app.node_connection import connect_to_node
from lineshaft.app.plant_telemetry import PlantTelemetry, read_telemetry
from lineshaft.app.settings import Settings, data_dir, load_settings
from lineshaft.app.tailing import tail_values
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json, run_async
from lineshaft.app.told_text import detail_of
from lineshaft.core.clock import SystemClock, rfc3339
from lineshaft.core.errors import ConfigError
from lineshaft.core.values import Value, moment_of
from lineshaft.telemetry import Tag
from lineshaft.telemetry.facts import event_of
from lineshaft.telemetry.recording import read_recording
from lineshaft.telemetry.rehearsal import Rehearsal, rehearse

__all__ = ["telemetry"]

telemetry = typer.Typer(help="Readings of devices, and the rules on them.", no_args_is_help=True)
rules = typer.Typer(help="The rules of this plant.", no_args_is_help=True)
telemetry.add_typer(rules, name="rules")
telemetry.command("browse")(browse_command)

PatternsOption = Annotated[
    list[str] | None, typer.Argument(metavar="[PATTERN]…", help="Names of tags; * and ? stand for others.")
]
AssetOption = Annotated[str, typer.Option(help="Only of this equipment or physical asset.")]


@telemetry.command("tags")
def tags_command(
    patterns: PatternsOption = None,
    asset: AssetOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The tags with the rules on them, and their last values while the node runs."""
    settings, path, plant = _plant(config)
    tags = chosen_tags(plant, patterns, asset)
    ruled = _rules_by_tag(plant)
    data, last = data_dir(settings, path), dict[str, LivePoint]()
    if node_runs(data) or settings.backbone.url:
        last = run_async(_last_values(settings, data))
    if as_json:
        print_json([_tag_row(tag, ruled.get(tag.tag, []), last.get(tag.tag)) for tag in tags])
        return
    now = SystemClock().now()
    table = Table("tag", "asset", "property", "unit", "rules", "value", "quality", "age")
    for tag in tags:
        point, told = last.get(tag.tag), ("", "", "")
        if point is not None:
            value = "" if point.value is None else f"{point.value:.6g}"
            told = value, str(point.quality), _age((now - moment_of(point.time)).total_seconds())
        names = ", ".join(ruled.get(tag.tag, []))
        cells = (tag.tag, tag.physical_asset_id, tag.property, tag.target_unit, names, *told)
        table.add_row(*map(escape, cells))
    out.print(table)


@telemetry.command("tail")
def tail_command(
    patterns: PatternsOption = None,
    asset: AssetOption = "",
    events: Annotated[bool, typer.Option("--events", help="Also what telemetry tells.")] = False,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Values as they change, until Ctrl-C."""
    settings, path, plant = _plant(config)
    tags = {tag.tag: tag for tag in chosen_tags(plant, patterns, asset)}

    async def follow() -> None:
        connection = await connect_to_node(settings.backbone, data_dir(settings, path))
        try:
            await tail_values(connection, settings.plant, settings.zone, tags, events=events, as_json=as_json)
        finally:
            await connection.close()

    with suppress(KeyboardInterrupt):
        run_async(follow())


@rules.command("list")
def rules_list_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The rules, and the equipment that each is on."""
    _, _, plant = _plant(config)
    tags: dict[tuple[str, str, str], list[Tag]] = {}
    for kind, specs in plant.rules.specs.items():
        for spec in specs:
            tags.setdefault((spec.rule, spec.rule_version, kind), []).append(spec.tag)
    rows = [
        {
            "rule": rule,
            "version": version,
            "kind": kind,
            "tags": list(dict.fromkeys(tag.tag for tag in on)),
            "equipment": list(dict.fromkeys(tag.equipment_id for tag in on)),
        }
        for (rule, version, kind), on in tags.items()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("rule", "version", "kind", "tags", "equipment")
    for row in rows:
        cells = row["rule"], row["version"], row["kind"], str(len(row["tags"])), ", ".join(row["equipment"])
        table.add_row(*(escape(str(cell)) for cell in cells))
    out.print(table)


@rules.command("test")
def rules_test_command(
    recording: Annotated[
        Path, typer.Argument(help="CSV with time, tag (or topic and metric), value, quality, received.")
    ],
    file: Annotated[
        Path | None, typer.Option("--rules", help="Other rules than those that the settings name.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a recording through the rules and print what they would have told. Nothing is sent or changed.

    A value is in the tag's target unit, or in the device's where the columns are topic and metric. Time
    passes as it did when the readings were received (where the file does not tell: when they were measured).
    """
    settings, _, plant = _plant(config, file)
    found = rehearse(plant.rules, read_recording(recording, plant.rules.tags))
    source = f"/{settings.enterprise}/{settings.plant}/telemetry/main"
    told = [_told_row(fact, settings.plant, source) for fact in found.facts]
    if as_json:
        print_json({"told": told, **_summary(found)})
        return
    if told:
        table = Table("time", "event", "asset", "rule", "detail")
        for row in told:
            table.add_row(*(escape(str(row[name])) for name in ("time", "event", "asset", "rule", "detail")))
        out.print(table)
    _print_summary(found)


def chosen_tags(plant: PlantTelemetry, patterns: Iterable[str] | None, asset: str) -> list[Tag]:
    """Virtual ones too. raises  ConfigError where there are none"""
    wanted = [pattern.lower() for pattern in patterns or ["*"]]
    found = [
        tag
        for tag in plant.rules.tags
        if any(fnmatchcase(tag.tag.lower(), pattern) for pattern in wanted)
        and asset.lower() in {"", tag.equipment_id.lower(), tag.physical_asset_id.lower()}
    ]
    if not found:
        of = f" of asset {asset!r}" if asset else ""
        raise ConfigError(
            f"no tag{of} is called {' or '.join(patterns or ['*'])}", hint="see `lineshaft telemetry tags`"
        )
    return found


def _plant(config: Path | None, rules_file: Path | None = None) -> tuple[Settings, Path, PlantTelemetry]:
    path = known_settings(config)
    settings, _ = load_settings(path)
    told = settings.telemetry
    if told is None:
        raise ConfigError(f"{path} has no telemetry section", hint="name a tag list and rules in it")
    if rules_file is not None:
        told = msgspec.structs.replace(told, rules=str(rules_file.resolve()))
    return settings, path, read_telemetry(told, path.parent)


async def _last_values(settings: Settings, data: Path) -> dict[str, LivePoint]:
    connection = await connect_to_node(settings.backbone, data)
    try:
        return {point.tag: point for point in (await live_now(connection, settings.plant)).points}
    finally:
        await connection.close()


def _rules_by_tag(plant: PlantTelemetry) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for specs in plant.rules.specs.values():
        for spec in specs:
            found.setdefault(spec.tag.tag, {})[spec.rule] = None
    return {tag: list(names) for tag, names in found.items()}


def _tag_row(tag: Tag, ruled: list[str], point: LivePoint | None) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(tag),
        "rules": ruled,
        "value": point.value if point else None,
        "quality": str(point.quality) if point else None,
        "time": rfc3339(moment_of(point.time)) if point else None,
    }


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _told_row(fact: Value, plant: str, source: str) -> dict[str, Any]:
    event = event_of(fact, plant=plant, source=source)
    data = event.payload
    return {
        "time": rfc3339(event.time),
        "event": event.type,
        "asset": data["physical_asset_id"],
        "rule": data["rule"],
        "detail": detail_of(fact),
        "data": data,
    }


def _summary(found: Rehearsal) -> dict[str, Any]:
    faults = [{"kind": str(kind), "cause": cause, "count": n} for (kind, cause), n in found.faults.items()]
    return {"readings": msgspec.structs.asdict(found.counters), "faults": faults}


def _print_summary(found: Rehearsal) -> None:
    counters = found.counters
    parts = [f"{len(found.facts):,} told", f"{counters.taken:,} readings taken"]
    for name, count in msgspec.structs.asdict(counters).items():
        if count and name != "taken":
            parts.append(f"{count:,} {name.replace('_', ' ')}")
    out.print("; ".join(parts), highlight=False, soft_wrap=True)
    for (kind, cause), count in found.faults.items():
        out.print(escape(f"{count:,} × {kind}: {cause}"), highlight=False, soft_wrap=True)
