from __future__ import annotations

import asyncio
import inspect
from unittest.mock import AsyncMock

import nats.errors
import nats.js.errors
import pytest

from lineshaft.backbone import Backbone, Connection
from lineshaft.backbone.faults import PERMANENT, TRANSIENT, as_fault
from lineshaft.core.errors import PermanentFault, TransientFault

from .conftest import kill_server, until


@pytest.mark.parametrize("module", [nats.errors, nats.js.errors])
def test_every_exception_of_nats_is_mapped(module: object) -> None:
    classes = {
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module.__name__  # type: ignore[attr-defined]
    }
    assert classes
    assert classes - TRANSIENT - PERMANENT == set()
    assert not TRANSIENT & PERMANENT


def test_the_reaction_depends_on_the_code_of_an_api_error() -> None:
    busy, wrong = nats.js.errors.APIError(code=503), nats.js.errors.APIError(code=400)
    assert isinstance(as_fault(busy, "x"), TransientFault)
    assert isinstance(as_fault(wrong, "x"), PermanentFault)


def test_what_is_unknown_is_permanent_and_says_so() -> None:
    fault = as_fault(KeyError("k"), "publish")
    assert isinstance(fault, PermanentFault)
    assert "KeyError" in fault.hint


async def test_nobody_there_is_a_transient_fault() -> None:
    with pytest.raises(TransientFault, match=r"nats://127\.0\.0\.1:1 did not answer"):
        await Connection.open("nats://127.0.0.1:1", timeout_s=0.5)


def test_the_private_methods_that_we_speed_up_are_still_there() -> None:
    """If this fails nats-py has changed: everything works, at a quarter of the rate. See `client`."""
    from nats.aio.client import Client

    from lineshaft.backbone.client import FastClient

    for name in ("_parse_header_lines", "_send_publish", "_flush_pending"):
        theirs, ours = getattr(Client, name), getattr(FastClient, name)
        assert list(inspect.signature(theirs).parameters) == list(inspect.signature(ours).parameters)
    raw = b"A: 1\r\nB:\t2 \r\nno colon\r\n\xc3\xa4: x\r\n\r\n"
    assert FastClient._parse_header_lines(raw) == {"A": "1", "B": "2", "ä": "x"}


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_that_is_just_being_lost_can_be_closed(backbone: Backbone, turns: int) -> None:
    """turns: of the event loop since nats-py has noticed."""
    client = backbone.connection._client
    kill_server(backbone)
    while not client.is_reconnecting:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    await backbone.connection.close()
    assert client.is_closed


async def test_a_subscription_that_is_cancelled_while_it_is_sent_ends(backbone: Backbone) -> None:
    """As when a node is stopped in its first second, and its server with it."""
    client = backbone.connection._client
    honest, client._flush_queue = client._flush_queue, asyncio.Queue[asyncio.Future[None]](1)
    client._flush_queue.put_nowait(asyncio.Future())  # nobody takes it out: the next waits
    asking = asyncio.create_task(backbone.connection.subscribe("x", AsyncMock()))
    await until(lambda: client._flush_queue._putters)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    client._flush_queue = honest
