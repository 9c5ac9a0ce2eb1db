"""What kinds of exceptions are, in words of the plant."""

from __future__ import annotations

from lineshaft.core.exceptions import ExceptionState
from lineshaft.core.values import ExceptionKind

__all__ = ["EXPLAINED", "KINDS", "kind_words", "state_words"]

KINDS = {
    ExceptionKind.MALFORMED_READING: "unreadable reading",
    ExceptionKind.UNKNOWN_TAG: "reading without a tag",
    ExceptionKind.UNPOSTABLE_READING: "reading that cannot be posted",
    ExceptionKind.CONTRACT_VIOLATION: "payload breaks its contract",
    ExceptionKind.BUSINESS_FAULT: "refused on business grounds",
    ExceptionKind.OUTCOME_UNKNOWN: "outcome unknown",
    ExceptionKind.TECHNICAL_FAULT: "technical fault",
    ExceptionKind.DEAD_LETTER: "given up after retries",
    ExceptionKind.DEVICE_VIOLATION: "device did what it may not",
    ExceptionKind.FLOOD: "device sends too much",
}

EXPLAINED = {
    ExceptionKind.MALFORMED_READING: "A device sent a message whose content cannot be read as a value.",
    ExceptionKind.UNKNOWN_TAG: "A device sent a value for which the tag list has no row. It was not used.",
    ExceptionKind.UNPOSTABLE_READING: "A reading was understood, but must not be posted as it is.",
    ExceptionKind.CONTRACT_VIOLATION: (
        "Something arrived that is not as its contract says. It was taken in nowhere until it is put right."
    ),
    ExceptionKind.BUSINESS_FAULT: (
        "The system that was asked understood and refused. Nothing is tried again until somebody decides."
    ),
    ExceptionKind.OUTCOME_UNKNOWN: (
        "Something was sent and never answered, and a look into the system found no trace of it. Look there"
        " before it is sent again."
    ),
    ExceptionKind.TECHNICAL_FAULT: "A system could not be reached or did not work as it should.",
    ExceptionKind.DEAD_LETTER: "It was tried many times, never worked, and is tried no more.",
    ExceptionKind.DEVICE_VIOLATION: "A device tried something that it is not allowed to do.",
    ExceptionKind.FLOOD: "A device sends more than it was declared to; what is too much is not used.",
}


def state_words(state: str) -> str:
    return {ExceptionState.REDRIVEN.value: "on its way"}.get(state, state)


def kind_words(kind: str) -> str:
    return KINDS.get(ExceptionKind(kind), kind) if kind in set(ExceptionKind) else kind.replace("_", " ")
