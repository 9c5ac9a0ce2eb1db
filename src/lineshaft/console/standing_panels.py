"""The panels of the overview: what is shown of how the plants stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lineshaft.console.figures import count_text
from lineshaft.console.moments import Moment, PlantTime, duration_text
from lineshaft.console.shell import Shell
from lineshaft.console.standing_words import domain_title
from lineshaft.console.tones import Tone, tone_of
from lineshaft.core.standing import Cell, CellState, Flow, Standing

__all__ = ["CellView", "Figure", "Part", "Range", "backlog", "cell_view", "charts", "totals", "worst_first"]

_PROCESSES = ("process", "process", "processes")
_STATES = ("parked", "retrying", "running", "waiting", "unknown", "failed", "sending")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One line below a figure."""

    label: str
    count: str
    tone: Tone
    oldest: Moment | None = None
    href: str = ""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """oldest: since when, of the oldest of all; note: what else is to be said of it"""

    key: str
    title: str
    value: str
    tone: Tone
    href: str = ""
    oldest: Moment | None = None
    parts: Sequence[Part] = ()
    note: str = ""


class CellView(msgspec.Struct, frozen=True, kw_only=True):
    """number: the one that matters; empty where nothing happened"""

    key: str
    title: str
    state: CellState
    tone: Tone
    number: str


class Range(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    seconds: int
    step_s: int


def worst_first(standing: Standing) -> list[str]:
    """The plants, those with the most that is late, parked or open first."""
    late, parked, wrong = Counter[str](), Counter[str](), Counter[str]()
    for each in standing.late:
        late[each.plant] += each.count
    for work in standing.work:
        parked[work.plant] += work.count if work.state == "parked" else 0
    for desk in standing.desks:
        wrong[desk.plant] += desk.count
    return sorted(standing.plants, key=lambda name: (-late[name], -parked[name], -wrong[name], name))


def cell_view(cell: Cell) -> CellView:
    needs = ((cell.late, "late"), (cell.parked, "parked"), (cell.exceptions, "open"))
    number = next((f"{count_text(count)} {word}" for count, word in needs if count), "")
    if not number and cell.in_hour:
        number = f"{count_text(cell.in_hour)} / h"
    return CellView(
        key=f"cell-{cell.plant}-{cell.domain}",
        title=domain_title(cell.domain),
        state=cell.state,
        tone=tone_of(cell.state),
        number=number,
    )


def backlog(standing: Standing, time: PlantTime, now: datetime, plant: str) -> list[Figure]:
    """plant: that the links are to show; empty: all"""

    def moment(texts: Sequence[str]) -> Moment | None:
        return time.moment(min(filter(None, texts), default=None), now)

    def of(kind: str, key: str, title: str, path: str) -> Figure:
        work = [each for each in standing.work if each.kind == kind]
        parts = []
        for state in _STATES:
            some = [each for each in work if each.state == state]
            if some:
                href = Shell.address(path, {"state": state, "plant": plant}) if path else ""
                count, oldest = sum(each.count for each in some), moment([each.oldest for each in some])
                tone = tone_of(state, kind)
                parts.append(Part(label=state, count=count_text(count), tone=tone, oldest=oldest, href=href))
        return Figure(
            key=key,
            title=title,
            value=count_text(sum(each.count for each in work)),
            tone=Tone.PLAIN,
            href=Shell.address(path, {"state": "open", "plant": plant}) if path else "",
            oldest=moment([each.oldest for each in work]),
            parts=parts,
        )

    figures = [
        of("call", "calls", "Calls that wait", ""),
        of("process", "processes", "Open processes", "processes"),
        _exceptions(standing, moment, plant),
    ]
    if standing.outbox is not None:
        tone = Tone.WARN if standing.outbox > 100 else Tone.PLAIN
        figures.append(
            Figure(
                key="outbox",
                title="Events to hand over",
                value=count_text(standing.outbox),
                tone=tone,
                oldest=moment([standing.outbox_oldest]),
                note="to the backbone",
            )
        )
    lag = "–" if standing.lag_s is None else f"≤ {duration_text(standing.lag_s)}"
    note = (
        "no event in the last 5 min" if standing.lag_s is None else "from fact to record, 95 % of last 5 min"
    )
    figures.append(Figure(key="lag", title="Event lag", value=lag, tone=Tone.PLAIN, note=note))
    return figures


def _exceptions(standing: Standing, moment: Callable[[Sequence[str]], Moment | None], plant: str) -> Figure:
    owners = Counter[str]()
    for desk in standing.desks:
        owners[desk.owner] += desk.count
    parts = [
        Part(
            label=owner or "without owner",
            count=count_text(count),
            tone=Tone.WARN,
            oldest=moment([desk.oldest for desk in standing.desks if desk.owner == owner]),
            href=Shell.address("exceptions", {"owner": owner, "plant": plant}),
        )
        for owner, count in owners.most_common()
    ]
    total = sum(owners.values())
    return Figure(
        key="exceptions",
        title="Open exceptions",
        value=count_text(total),
        tone=Tone.WARN if total else Tone.PLAIN,
        href=Shell.address("exceptions", {"plant": plant}),
        oldest=moment([desk.oldest for desk in standing.desks]),
        parts=parts,
    )


def charts(flows: Sequence[Flow], begins: int, ends: int, step_s: int) -> dict[str, Any]:
    """Of chart.js: what happened per minute, and how long it took. Times before `begins` are not known."""
    found = {(flow.at, flow.kind): flow for flow in flows}
    xs = list(range(begins - begins % step_s, ends, step_s))

    def rates(kind: str) -> list[float]:
        return [_rate(found.get((x, kind)), min(step_s, ends - x)) for x in xs]

    def latencies(kind: str, name: str) -> list[float | None]:
        return [getattr(found.get((x, kind)), name, None) for x in xs]

    def line(label: str, y: Sequence[float | None], **looks: Any) -> dict[str, Any]:
        return {"label": label, "y": [None if each is None else round(each, 3) for each in y], **looks}

    return {
        "throughput": {
            "x": xs,
            "unit": "per min",
            "height": 170,
            "lines": [
                line("events", rates("event"), fill=True),
                line("calls", rates("call")),
                line("processes", rates("process")),
            ],
        },
        "latency": {
            "x": xs,
            "unit": "s",
            "height": 170,
            "lines": [
                line("events, 95 %", latencies("event", "p95_s")),
                line("calls, 95 %", latencies("call", "p95_s")),
                line("calls, half", latencies("call", "p50_s"), dash=True),
            ],
        },
    }


def totals(flows: Sequence[Flow]) -> list[Mapping[str, str]]:
    """The same as text: a row for each kind, also for one of which nothing happened."""
    by_kind = {flow.kind: flow for flow in flows}
    rows: list[Mapping[str, str]] = []
    for kind, one, many in (("event", "event", "events"), ("call", "call", "calls"), _PROCESSES):
        flow = by_kind.get(kind, Flow(at=0, kind=kind, count=0, failed=0, late=0, p50_s=None, p95_s=None))
        rows.append(
            {
                "kind": many.capitalize(),
                "says": f"{count_text(flow.count)} {one if flow.count == 1 else many}",
                "count": count_text(flow.count),
                "failed": "" if kind == "event" else count_text(flow.failed),
                "late": count_text(flow.late),
                "half": duration_text(flow.p50_s),
                "most": duration_text(flow.p95_s),
            }
        )
    return rows


def _rate(flow: Flow | None, seconds: int) -> float:
    return flow.count / seconds * 60 if flow else 0.0
