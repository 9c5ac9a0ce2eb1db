"""One sentence about the whole plant."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineshaft.console.tones import Tone, tone_of, worst
from lineshaft.console.views import LiveValue, SystemView, ValueState
from lineshaft.core.ports import HealthState

__all__ = ["Overall", "overall"]

_MOST_NAMES = 3


class Overall(msgspec.Struct, frozen=True, kw_only=True):
    """fault: why the ledger does not answer; empty when it does"""

    word: str
    tone: Tone
    reasons: list[str]
    fault: str = ""


def overall(
    systems: Sequence[SystemView] | None, values: Sequence[LiveValue], exceptions: int, fault: str = ""
) -> Overall:
    """The worst state of any system gives the word; what else needs a person is named beside it.

    systems: None for who does not see the plant that has them; exceptions: how many are open
    """
    is_empty = systems is not None and not systems
    reasons = ["no system is connected"] if is_empty and not fault else []
    systems = systems or []
    if fault:
        reasons.append("the ledger does not answer")
    for state in (HealthState.STOPPED, HealthState.DEGRADED, HealthState.STARTING):
        titles = [system.title for system in systems if system.state == state]
        if titles:
            more = f" and {len(titles) - _MOST_NAMES} more" if len(titles) > _MOST_NAMES else ""
            reasons.append(f"{', '.join(titles[:_MOST_NAMES])}{more} {state}")
    breaches = sum(value.state == ValueState.BREACH for value in values)
    if breaches:
        reasons.append(f"{breaches} {'limit' if breaches == 1 else 'limits'} exceeded")
    if exceptions:
        reasons.append(f"{exceptions} open {'exception' if exceptions == 1 else 'exceptions'}")
    tone = worst(*(tone_of(system.state) for system in systems))
    if fault:
        tone = Tone.BAD
    elif breaches or exceptions:
        tone = worst(tone, Tone.WARN)
    return Overall(word=_word(len(systems), tone), tone=tone, reasons=reasons, fault=fault)


def _word(systems: int, tone: Tone) -> str:
    if tone is Tone.GOOD:
        return f"All {systems} systems active" if systems > 1 else "Active"
    return {Tone.BAD: "Disturbed", Tone.WARN: "Needs attention", Tone.BUSY: "Starting"}.get(tone, "Idle")
