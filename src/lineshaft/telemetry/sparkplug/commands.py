"""What a Sparkplug B host application sends: requests for rebirth, and its own state.

Source: Sparkplug 3.0.0 §5 and §6.4. STATE is retained, at QoS 1. The death is the will of the connection, and
goes out before an intended end too; the birth that follows a connection carries the time stamp of its will. A
host to which its own death is delivered while it is there sends its birth again.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from lineshaft.telemetry.sparkplug.metric import BOOLEAN
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Payload

__all__ = ["NAMESPACE", "contradicts", "rebirth_request", "state_message"]

NAMESPACE = "spBv1.0/"


class _State(msgspec.Struct):
    online: bool
    timestamp: int


def rebirth_request(group: str, node: str, *, at: datetime) -> tuple[str, bytes]:
    """(topic, payload) of the command that asks an edge node for all its births; to be sent with QoS 0."""
    payload = Payload(timestamp=int(at.timestamp() * 1000))
    payload.metrics.add(name="Node Control/Rebirth", datatype=BOOLEAN, boolean_value=True)
    return f"{NAMESPACE}{group}/NCMD/{node}", payload.SerializeToString()


def state_message(host: str, *, online: bool, at: datetime) -> tuple[str, bytes]:
    """(topic, payload) of the birth or death of a host application; to be sent retained, with QoS 1.

    at  for a birth, when its connection with the death as will was made
    """
    payload = msgspec.json.encode(_State(online, int(at.timestamp() * 1000)))
    return f"{NAMESPACE}STATE/{host}", payload


def contradicts(topic: str, payload: bytes, host: str) -> bool:
    """Whether this message tells others that `host`, which is online, is not."""
    if topic != f"{NAMESPACE}STATE/{host}":
        return False
    try:
        return not msgspec.json.decode(payload, type=_State).online
    except msgspec.DecodeError:
        return True
