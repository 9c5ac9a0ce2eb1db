# mypy: ignore-errors
# (pathway is not installed where we are checked)
"""Pathway doing what our rules do, in its own environment: MQTT in, tables, MQTT out. Ends with its input."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

import pathway as pw


class Single(pw.Schema):
    tag: str
    value: float
    time: int


class Batch(pw.Schema):
    tag: str
    value: list[float]
    time: list[int]


def main() -> None:
    asked = json.loads(sys.argv[1])
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    logging.disable(logging.INFO)
    uri = "mqtt://" + urlsplit(asked["mqtt_url"]).netloc + "?client_id="
    limit, release = asked["limit"], asked["release"]
    readings = pw.io.mqtt.read(
        uri + "in",
        asked["input"] + "/#",
        qos=0,
        schema=Batch if asked["batches"] else Single,
        format="json",
        autocommit_duration_ms=20,
    )
    if asked["stateful"]:
        episodes = _in_batches if asked["batches"] else _changes
        breaches = episodes(readings, limit, release)
    if asked["batches"]:

        @pw.udf(deterministic=True)
        def pairs(values: list[float], times: list[int]) -> list[tuple[float, int]]:
            return list(zip(values, times, strict=True))

        flat = readings.select(pw.this.tag, each=pairs(pw.this.value, pw.this.time)).flatten(pw.this.each)
        readings = flat.select(pw.this.tag, value=pw.this.each[0], time=pw.this.each[1])
    if asked["stateful"]:
        windows = readings.windowby(
            pw.this.time,
            window=pw.temporal.tumbling(duration=60_000),
            instance=pw.this.tag,
            behavior=pw.temporal.exactly_once_behavior(),
        ).reduce(
            tag=pw.this._pw_instance,
            start=pw.this._pw_window_start,
            count=pw.reducers.count(),
            min=pw.reducers.min(pw.this.value),
            max=pw.reducers.max(pw.this.value),
            mean=pw.reducers.avg(pw.this.value),
        )
        pw.io.mqtt.write(windows, uri + "windows", "results/window", qos=0)
    else:
        breaches = readings.filter(pw.this.value > limit).select(pw.this.tag, at=pw.this.time)
    pw.io.mqtt.write(breaches, uri + "breaches", "results/breach", qos=0)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def _changes(readings: pw.Table, limit: float, release: float) -> pw.Table:
    settled = readings.filter((pw.this.value > limit) | (pw.this.value <= release))
    states = settled.select(pw.this.tag, state=pw.make_tuple(pw.this.time, pw.this.value > limit))
    changes = states.deduplicate(
        value=pw.this.state, instance=pw.this.tag, acceptor=lambda new, old: new[1] != old[1]
    )
    return changes.filter(pw.this.state[1]).select(pw.this.tag, at=pw.this.state[0])


def _in_batches(readings: pw.Table, limit: float, release: float) -> pw.Table:
    """`deduplicate` tells what is so at the end of a minibatch; an episode may begin and end in one."""

    @pw.reducers.stateful_many
    def episodes(state: Any, rows: Any) -> Any:
        high, _ = state or (False, ())
        began = []
        for (times, values), count in sorted(rows):
            if count > 0:
                for time, value in zip(times, values, strict=True):
                    if value > limit and not high:
                        began.append(time)
                    high = value > (release if high else limit)
        return high, tuple(began)

    state = readings.groupby(pw.this.tag).reduce(pw.this.tag, state=episodes(pw.this.time, pw.this.value))
    began = state.select(pw.this.tag, at=pw.unwrap(pw.this.state.get(1)))
    return began.flatten(pw.this.at)


if __name__ == "__main__":
    main()
