"""Values and events of telemetry as they come, a line each."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from nats.aio.msg import Msg
from rich.markup import escape

from lineshaft.app.live_channel import LivePoint, live_messages
from lineshaft.app.terminal import err, out, print_json
from lineshaft.app.told_text import detail_of
from lineshaft.backbone import Connection, event_subject, from_message
from lineshaft.contracts.catalogue import (
    COUNT_AGGREGATED,
    DOWNTIME_ENDED,
    DOWNTIME_STARTED,
    EVENTS,
    READINGS_AGGREGATED,
    SIGNAL_LOST,
    STATE_CHANGED,
    THRESHOLD_EXCEEDED,
)
from lineshaft.core.clock import rfc3339
from lineshaft.core.values import Event, Quality, moment_of
from lineshaft.telemetry import Tag

__all__ = ["tail_values"]

_TOLD = (
    COUNT_AGGREGATED,
    DOWNTIME_ENDED,
    DOWNTIME_STARTED,
    READINGS_AGGREGATED,
    SIGNAL_LOST,
    STATE_CHANGED,
    THRESHOLD_EXCEEDED,
)
_REMEMBERED = 10_000


async def tail_values(
    connection: Connection,
    plant: str,
    zone: ZoneInfo,
    tags: Mapping[str, Tag],
    *,
    events: bool,
    as_json: bool,
) -> None:
    """Until cancelled. Events of other assets than those of the tags are left out."""
    assets = {tag.physical_asset_id for tag in tags.values()}
    seen: dict[str, None] = {}

    async def take(message: Msg) -> None:
        event = from_message(message.headers or {}, message.data)
        if event.id not in seen and event.payload.get("physical_asset_id") in assets:
            seen[event.id] = None  # one that is published again is no news
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            _print_event(event, zone, as_json=as_json)

    async with live_messages(connection, plant) as messages:
        for contract in _TOLD if events else ():  # until the connection is closed
            await connection.subscribe(event_subject(contract.eventclass, plant, contract.type), take)
        problem = ""
        async for message in messages:
            if message.problem and message.problem != problem:
                err.print(f"[bold red]{escape(message.problem)}[/]", highlight=False, soft_wrap=True)
            problem = message.problem
            for point in message.points:
                if point.tag in tags:
                    _print_point(point, tags[point.tag], zone, as_json=as_json)
            sys.stdout.flush()


def _print_point(point: LivePoint, tag: Tag, zone: ZoneInfo, *, as_json: bool) -> None:
    moment, quality = moment_of(point.time), str(point.quality)
    if as_json:
        told = {"tag": point.tag, "time": rfc3339(moment), "value": point.value, "unit": tag.target_unit}
        print_json(told | {"quality": quality})
        return
    value = "-" if point.value is None else f"{point.value:.6g}"
    mark = "" if point.quality is Quality.GOOD else f"  [yellow]{quality}[/]"
    line = f"{_clock(moment, zone)}  {escape(point.tag):<32} {value:>12} {tag.target_unit}{mark}"
    out.print(line, highlight=False, soft_wrap=True)


def _print_event(event: Event, zone: ZoneInfo, *, as_json: bool) -> None:
    fact = EVENTS[event.type].decode(event)
    if as_json:
        told = {
            "event": event.type,
            "id": event.id,
            "time": rfc3339(event.time),
            "data": msgspec.Raw(event.data),
        }
        print_json(told)
        return
    what = f"{event.payload['physical_asset_id']}  {detail_of(fact)}"
    line = f"{_clock(event.time, zone)}  [bold]{event.type}[/]  {escape(what)}"
    out.print(line, highlight=False, soft_wrap=True)


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M:%S.%f}"[:-3]
