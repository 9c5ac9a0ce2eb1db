"""The proxy does what each fault says: what the client sees, and whether the system has acted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from estate.chaos.proxy import FaultProxy
from estate.systems.cmms import CmmsSystem
from estate.systems.faults import FaultKind
from tests.waiting import PATIENCE_S, until

REQUEST = {"assetNo": "FIL-01", "symptom": "leaks", "priority": "2-HIGH", "externalRef": "key-1"}
BROKEN = (aiohttp.ClientError, OSError, TimeoutError)
PATH = "/api/work-requests"
SHORT_S = 0.5
UNANSWERED = {FaultKind.TIMEOUT_BEFORE_COMMIT, FaultKind.TIMEOUT_AFTER_COMMIT, FaultKind.SLOW_DRIP}


@pytest.fixture
async def cmms(tmp_path: Path) -> AsyncIterator[CmmsSystem]:
    async with CmmsSystem(tmp_path) as system:
        yield system


@pytest.fixture
async def proxy(cmms: CmmsSystem) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(cmms.url) as between:
        yield between


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(proxy.url) as session:
        yield session


async def posted(client: aiohttp.ClientSession, within_s: float = PATIENCE_S) -> tuple[int, str]:
    async with client.post(PATH, json=REQUEST, timeout=aiohttp.ClientTimeout(total=within_s)) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("kind", "status", "happened"),
    [
        (FaultKind.OUTAGE, None, False),
        (FaultKind.RESET, None, False),
        (FaultKind.RESET_AFTER_COMMIT, None, True),
        (FaultKind.TIMEOUT_BEFORE_COMMIT, None, False),
        (FaultKind.TIMEOUT_AFTER_COMMIT, None, True),
        (FaultKind.HTTP_500, 500, False),
        (FaultKind.HTTP_500_AFTER_COMMIT, 500, True),
        (FaultKind.HTTP_503, 503, False),
        (FaultKind.HTTP_429, 429, False),
        (FaultKind.MALFORMED, 201, True),
        (FaultKind.SLOW_DRIP, None, True),
    ],
)
async def test_each_kind_hits_once_and_the_connection_serves_again(
    kind: FaultKind,
    status: int | None,
    happened: bool,
    cmms: CmmsSystem,
    proxy: FaultProxy,
    client: aiohttp.ClientSession,
) -> None:
    proxy.faults.add(kind, times=1, path=f"POST {PATH}")
    if status is None:
        with pytest.raises(BROKEN):
            await posted(client, SHORT_S if kind in UNANSWERED else PATIENCE_S)
    else:
        seen, _ = await posted(client)
        assert seen == status
    await until(lambda: proxy.hits == {kind: 1})  # who gives up waiting may do so before
    await until(lambda: cmms.effect_counts()["work_requests"] == int(happened))
    assert proxy.passed == 0
    assert (await posted(client))[0] == 201
    assert cmms.effect_counts()["work_requests"] == int(happened) + 1
    assert proxy.passed == 1


async def test_every_kind_is_known_to_the_proxy(
    cmms: CmmsSystem, proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    """A kind that is new among the faults must not pass as if nothing was wrong."""
    slow = FaultKind.SLOW_DRIP
    for kind in FaultKind:
        proxy.faults.add(kind, times=1, path="POST", seconds=0.01 if kind is slow else None)
        try:
            status, text = await posted(client, SHORT_S if kind in UNANSWERED - {slow} else PATIENCE_S)
        except BROKEN:
            await until(lambda: kind in proxy.hits)  # noqa: B023 - it is over before the next kind
            continue
        whole = status == 201 and text.endswith("}")
        assert whole is (kind is slow)
    assert set(proxy.hits) == set(FaultKind)


async def test_a_malformed_answer_is_half_of_the_real_one(
    proxy: FaultProxy, client: aiohttp.ClientSession
) -> None:
    proxy.faults.add(FaultKind.MALFORMED)
    _, half = await posted(client)
    _, whole = await posted(client)
    assert whole.startswith(half[:10])
    assert len(half) == len(whole) // 2


async def test_retry_after_is_told(proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    for kind in (FaultKind.HTTP_503, FaultKind.HTTP_429):
        proxy.faults.add(kind, seconds=7)
        async with client.get("/api/assets/FIL-01") as answer:
            assert answer.headers["Retry-After"] == "7"


async def test_a_closed_door_refuses_and_drops_what_was_open(
    proxy: FaultProxy, client: aiohttp.ClientSession, cmms: CmmsSystem
) -> None:
    await posted(client)  # leaves a connection open
    port = proxy.port
    await proxy.refuse()
    await proxy.refuse()
    with pytest.raises(BROKEN):
        await posted(client)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await proxy.admit()
    assert proxy.port == port
    assert (await posted(client))[0] == 201
    assert cmms.effect_counts()["work_requests"] == 2


async def test_a_system_that_is_away_is_a_broken_connection(
    proxy: FaultProxy, client: aiohttp.ClientSession, cmms: CmmsSystem
) -> None:
    await cmms.stop()
    with pytest.raises(BROKEN):
        await posted(client)


async def test_health_is_passed_on_and_not_counted(proxy: FaultProxy, client: aiohttp.ClientSession) -> None:
    async with client.get("/health") as answer:
        assert answer.status == 200
    assert proxy.passed == 0
