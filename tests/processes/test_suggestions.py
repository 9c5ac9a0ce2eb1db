"""What a value could be: the request that was refused, an answer that the contract takes."""

from __future__ import annotations

from typing import Any

import msgspec

from lineshaft.processes.suggestions import suggested

from .steered import asking, paying


def shown(step: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [{"step": "0", "corrected": None, "key": "", **step}], "input": {"rule": "r1"}}


CALL = {"kind": "call", "name": "books.post", "input": {"reference": "r1-1", "amount": 1}}


def test_a_correction_begins_with_what_was_asked_last() -> None:
    assert suggested(paying, shown(CALL), "correct", "0") == CALL["input"]
    again = CALL | {"corrected": {"reference": "other", "amount": 2}}
    assert suggested(paying, shown(again), "correct", "0") == again["corrected"]
    assert suggested(paying, shown(CALL), "correct", "") == {"rule": "r1"}


def test_a_skipped_call_says_again_what_was_asked() -> None:
    answer = suggested(paying, shown(CALL), "skip", "0")
    assert (answer["reference"], answer["amount"]) == ("r1-1", 1)
    assert answer["id"]
    paying.operations["books.post"].reply_schema.decode(msgspec.json.encode(answer))


def test_a_skipped_wait_has_the_key_that_was_awaited() -> None:
    wait = {"kind": "wait", "name": "finance.posting.booked.v1", "input": {"key": "r1-ext"}}
    assert suggested(asking, shown(wait), "skip", "0")["reference"] == "r1-ext"


def test_nothing_is_suggested_where_nothing_is_needed_or_known() -> None:
    pause = {"kind": "sleep", "name": "60 s", "input": {"seconds": 60}}
    assert suggested(asking, shown(pause), "skip", "0") is None
    assert suggested(paying, shown(CALL | {"name": "books.unknown"}), "skip", "0") is None
    assert suggested(paying, shown(CALL), "retry", "0") is None
