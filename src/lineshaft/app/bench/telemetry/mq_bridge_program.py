# mypy: ignore-errors
# (mq_bridge is not installed where we are checked)
"""mq-bridge doing what our rules do, in its own environment: NATS in, NATS out. Ends with its input.

Its `aggregate` keeps a document per tag in memory, which an expression replaces with every message.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import mq_bridge

_EPISODES = (
    "value > LIMIT ? {high: true, raised: not (state.high ?? false)}"
    " : {high: value > RELEASE and (state.high ?? false), raised: false}"
)
_WINDOWS = (
    "floor(time / 60000) == (state.minute ?? -1)"
    " ? {minute: state.minute, count: state.count + 1, sum: state.sum + value,"
    " min: min([state.min, value]), max: max([state.max, value]), turned: false}"
    " : {minute: floor(time / 60000), count: 1, sum: value, min: value, max: value,"
    " turned: state != null, closed: state}"
)


def _steps(asked: dict[str, Any]) -> list[dict[str, Any]]:
    if asked["stateful"]:
        key = "${payload:tag}"
        entries = [
            {"key": key, "into": "limit", "expression": _EPISODES},
            {"key": key, "into": "window", "expression": _WINDOWS},
        ]
        state = {"aggregate": {"consistency": "single_writer", "entries": entries}}
        told = "{tag: tag, at: limit.raised ? time : null, closed: window.closed}"
        return [state, {"filter": "limit.raised or window.turned"}, {"transform": {"expression": told}}]
    if asked["batches"]:
        # an expression cannot tell the place of a value; the load has the first of an episode here
        return [{"filter": "max(value) > LIMIT"}, {"transform": {"expression": "{tag: tag, at: time[10]}"}}]
    return [{"filter": "value > LIMIT"}, {"transform": {"expression": "{tag: tag, at: time}"}}]


def main() -> None:
    asked = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.ERROR)
    mq_bridge.init_logging()
    steps = json.dumps(_steps(asked))
    steps = steps.replace("LIMIT", str(asked["limit"])).replace("RELEASE", str(asked["release"]))
    server = {
        "url": asked["url"],
        "username": asked["user"],
        "password": asked["password"],
        "no_jetstream": True,
    }
    source = {"subject": asked["input"] + ".>", "stream": "none", "subscriber_mode": True}
    route = {
        # the last of the list is the first to see a message
        "input": {"nats": {**server, **source}, "middlewares": json.loads(steps)[::-1]},
        "output": {"nats": {**server, "subject": "results.breach"}},
    }
    with mq_bridge.Route.from_config(route):
        sys.stdin.read()


if __name__ == "__main__":
    main()
