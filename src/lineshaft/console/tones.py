"""How a state looks. The word is always shown; tone gives shape and colour, and adds nothing to the word."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Tone", "tone_of", "worst"]


class Tone(StrEnum):
    """From calm to urgent. The name is the CSS class."""

    PLAIN = "plain"
    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"


_TONES = {
    Tone.GOOD: "active posted completed done normal good ok succeeded closed resolved published",
    Tone.BUSY: "starting sending running waiting pending sleeping claimed scheduled compensating redriven",
    Tone.WARN: (
        "degraded failed retrying timed_out uncertain stale half-open suspended cancelled held open "
        "deprecated"
    ),
    Tone.BAD: "stopped parked rejected unknown bad breach error dead stuck",
}
_BY_STATE = {state: tone for tone, states in _TONES.items() for state in states.split()}
# A failed call will be tried again; a failed process or step has ended.
_BY_SUBJECT = {("process", "failed"): Tone.BAD, ("step", "failed"): Tone.BAD}


def tone_of(state: str, subject: str = "") -> Tone:
    """subject: `process`, `step` or `call`, where the same word means more or less."""
    word = state.lower()
    return _BY_SUBJECT.get((subject, word)) or _BY_STATE.get(word, Tone.PLAIN)


def worst(*tones: Tone) -> Tone:
    order = list(Tone)
    return max(tones, key=order.index, default=Tone.PLAIN)
