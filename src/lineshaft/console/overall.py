"""One sentence about the whole plant, for the head of every page."""

from __future__ import annotations

import msgspec

from lineshaft.console.snapshot import Snapshot
from lineshaft.console.tones import Tone, tone_of, worst
from lineshaft.console.views import ValueState
from lineshaft.core.ports import HealthState

__all__ = ["Overall", "overall"]

_MOST_NAMES = 3


class Overall(msgspec.Struct, frozen=True, kw_only=True):
    word: str
    tone: Tone
    reasons: list[str]


def overall(snapshot: Snapshot) -> Overall:
    """The worst state of any system gives the word; what else needs a person is named beside it."""
    reasons: list[str] = []
    if snapshot.fault:
        reasons.append("the ledger does not answer")
    for state in (HealthState.STOPPED, HealthState.DEGRADED, HealthState.STARTING):
        titles = [system.title for system in snapshot.systems if system.state == state]
        if titles:
            more = f" and {len(titles) - _MOST_NAMES} more" if len(titles) > _MOST_NAMES else ""
            reasons.append(f"{', '.join(titles[:_MOST_NAMES])}{more} {state}")
    breaches = sum(value.state == ValueState.BREACH for value in snapshot.values)
    if breaches:
        reasons.append(f"{breaches} {'limit' if breaches == 1 else 'limits'} exceeded")
    exceptions = snapshot.counts.get("exceptions.open", 0)
    if exceptions:
        reasons.append(f"{exceptions} open {'exception' if exceptions == 1 else 'exceptions'}")
    tone = worst(*(tone_of(system.state) for system in snapshot.systems))
    if snapshot.fault:
        tone = Tone.BAD
    elif breaches or exceptions:
        tone = worst(tone, Tone.WARN)
    if not snapshot.systems and not snapshot.fault:
        reasons.insert(0, "no system is connected")
    return Overall(word=_word(snapshot, tone), tone=tone, reasons=reasons)


def _word(snapshot: Snapshot, tone: Tone) -> str:
    if tone is Tone.GOOD:
        count = len(snapshot.systems)
        return f"All {count} systems active" if count > 1 else "Active"
    return {Tone.BAD: "Disturbed", Tone.WARN: "Needs attention", Tone.BUSY: "Starting"}.get(tone, "Idle")
