"""The source against a real server: what it takes, what it does when the server goes, is silent, refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from opcua_facts import URI, Line, Plant, Sink, running

from lineshaft.connectors.opcua import OpcUaOptions, make_opcua
from lineshaft.connectors.opcua.certificates import Certificates
from lineshaft.connectors.opcua.source import OpcUaSource
from lineshaft.core.errors import PermanentFault
from lineshaft.core.ports import HealthState
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINE = {"user": "line", "password": "secret"}
PRESSURE = f"nsu={URI};s=Pressure"


def source_of(port: int, *metrics: str, folder: Path = Path(), **options: object) -> OpcUaSource:
    quick = {"publishing_ms": 20, "sampling_ms": 0, "gather_ms": 5, "retry_s": 0.5}
    patient = {"timeout_s": PATIENCE_S, "silence_s": PATIENCE_S}
    given = {"url": f"opc.tcp://127.0.0.1:{port}/line1", **quick, **patient, **options}
    return make_opcua("line1", msgspec.convert(given, OpcUaOptions), metrics or (PRESSURE,), folder)


def is_connected(source: OpcUaSource) -> bool:
    return source.health().state is HealthState.ACTIVE


async def test_every_change_is_taken_with_its_time_value_and_quality(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    metrics = (PRESSURE, f"ns={plant.index};s=Count", f"ns={plant.index};s=Running")
    source, sink = source_of(plant.port, *metrics, topic="line1/opcua"), Sink()
    async with running(source, sink):
        await until(lambda: len(sink.readings) == 3)
        for step in range(50):
            await plant.write("Count", step)
        await plant.write("Pressure", 5.5, StatusCodes.UncertainSensorNotAccurate)
        await plant.write("Pressure", 5.6, StatusCodes.BadSensorFailure)
        await plant.write("Running", False)
        await until(lambda: len(sink.readings) == 56)
    assert {topic for topic, _ in sink.messages} == {"line1/opcua"}
    assert sink.of(PRESSURE) == [(4.2, "good"), (5.5, "uncertain"), (None, "bad")]
    assert sink.of(metrics[1])[1:] == [(step, "good") for step in range(50)]
    assert sink.of(metrics[2]) == [(1, "good"), (0, "good")]
    await plant.write("Running", True)


async def test_a_node_that_is_not_there_harms_no_other_and_is_named(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    missing = [f"ns={plant.index};s=Nothing", "nsu=http://example.org/other;s=Pressure"]
    source, sink = source_of(plant.port, missing[0], PRESSURE, missing[1]), Sink()
    async with running(source, sink):
        await until(lambda: len(sink.readings) == 3)
        health = source.health()
    assert sink.of(PRESSURE) == [(4.2, "good")]
    assert [sink.of(metric) for metric in missing] == [[(None, "bad")]] * 2
    assert health.state is HealthState.DEGRADED
    assert f"{missing[0]} BadNodeIdUnknown" in health.detail
    assert "namespace http://example.org/other is not there" in health.detail


async def test_a_lost_connection_is_stale_once_and_then_every_value_is_read_again(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    async with Line(plant.port).serving() as line:
        source, sink = source_of(line.port), Sink()
        async with running(source, sink):
            await until(lambda: sink.of(PRESSURE) == [(4.2, "good")])
            line.cut()
            await until(lambda: len(sink.of(PRESSURE)) == 3)
            await plant.write("Pressure", 4.3)
            await until(lambda: len(sink.of(PRESSURE)) == 4)
    assert sink.of(PRESSURE) == [(4.2, "good"), (None, "stale"), (4.2, "good"), (4.3, "good")]
    times = [got.time for got in sink.readings]
    assert times[2] > times[0]


async def test_a_server_that_is_away_is_stale_and_taken_up_when_it_comes(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    line = Line(plant.port)
    source, sink = source_of(line.port), Sink()
    async with running(source, sink):
        await until(lambda: sink.of(PRESSURE) == [(None, "stale")])
        assert source.health().state is HealthState.DEGRADED
        assert f"127.0.0.1:{line.port}" in source.health().detail
        async with line.serving():
            await until(lambda: sink.of(PRESSURE) == [(None, "stale"), (4.2, "good")])
            assert source.health().state is HealthState.ACTIVE


async def test_silence_counts_as_gone(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    async with Line(plant.port).serving() as line:
        source, sink = source_of(line.port, silence_s=0.3, timeout_s=5.0), Sink()
        async with running(source, sink):
            await until(lambda: sink.of(PRESSURE)[-1:] == [(4.2, "good")])
            line.silent()
            await until(lambda: sink.of(PRESSURE)[-1] == (None, "stale"))
            assert "nothing was heard" in source.health().detail
            line.silent(False)
            await until(lambda: sink.of(PRESSURE)[-1] == (4.2, "good"))
    told = sink.of(PRESSURE)
    assert set(told) == {(4.2, "good"), (None, "stale")}
    assert all(one != other for one, other in pairwise(told))  # each loss and each return once


@asynccontextmanager
async def pauses() -> AsyncIterator[list[float]]:
    """For how many seconds this machine stood still at each look, as a busy one may."""
    found: list[float] = []
    loop = asyncio.get_running_loop()

    async def look() -> None:
        while True:
            began = loop.time()
            await asyncio.sleep(0.05)
            found.append(loop.time() - began - 0.05)

    looking = asyncio.create_task(look())
    try:
        yield found
    finally:
        looking.cancel()


async def test_signs_of_life_keep_a_quiet_connection(plant: Plant) -> None:
    stood_still, sink = [1.0], Sink()
    while max(stood_still) > 0.3:
        source, sink = source_of(plant.port, silence_s=1.0), Sink()
        async with pauses() as stood_still, running(source, sink):
            await until(lambda: is_connected(source))  # noqa: B023
            await asyncio.sleep(2.5)  # more than twice the silence after which a server counts as gone
    assert [got.quality for got in sink.readings] == ["good"]


async def test_a_backbone_that_is_away_for_a_while_costs_nothing(plant: Plant) -> None:
    metric = f"ns={plant.index};s=Count"
    source, sink = source_of(plant.port, metric), Sink()
    sink.refuses = 3
    async with running(source, sink):
        await until(lambda: is_connected(source) or bool(source.outgoing.trouble))
        for step in range(1000, 1020):
            await plant.write("Count", step)
        await until(lambda: len(sink.of(metric)) == 21)
    assert sink.of(metric)[1:] == [(step, "good") for step in range(1000, 1020)]
    assert not source.outgoing.trouble


async def test_more_items_than_one_call_may_name_come_in_groups(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = plant.server.get_node(
        ua.NodeId(ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)
    )
    before = await limit.read_value()
    calls: list[int] = []
    from asyncua.client.ua_session import UaSession

    real = UaSession.create_monitored_items

    async def counted(session: UaSession, wanted: ua.CreateMonitoredItemsParameters) -> object:
        calls.append(len(wanted.ItemsToCreate))
        return await real(session, wanted)

    monkeypatch.setattr(UaSession, "create_monitored_items", counted)
    await limit.write_value(ua.Variant(2, ua.VariantType.UInt32))
    try:
        metrics = [PRESSURE, f"ns={plant.index};s=Count", f"ns={plant.index};s=Running"]
        source, sink = source_of(plant.port, *metrics), Sink()
        async with running(source, sink):
            await until(lambda: {got.metric for got in sink.readings} == set(metrics))
    finally:
        await limit.write_value(ua.Variant(before, ua.VariantType.UInt32))
    assert calls == [2, 1]


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
async def test_secured_with_a_user(plant: Plant, tmp_path: Path, policy: str, mode: str) -> None:
    await plant.write("Pressure", 4.2)
    source = source_of(
        plant.port,
        folder=tmp_path,
        policy=policy,
        mode=mode,
        trust_first=True,
        user="line",
        password="secret",
    )
    sink = Sink()
    async with running(source, sink):
        await until(lambda: sink.of(PRESSURE) == [(4.2, "good")])
    own = tmp_path / "opcua-certificates" / "own"
    assert {file.name for file in own.iterdir()} == {"lineshaft.der", "lineshaft.pem"}
    assert (own / "lineshaft.pem").stat().st_mode & 0o077 == 0


async def test_a_user_by_certificate(plant: Plant, tmp_path: Path) -> None:
    user = Certificates(tmp_path / "user", pinned=None, trust_first=False)
    user.make_own("urn:user")
    source = source_of(
        plant.port,
        folder=tmp_path,
        policy="Basic256Sha256",
        trust_first=True,
        user_certificate="user/own/lineshaft.der",
        user_key="user/own/lineshaft.pem",
    )
    sink = Sink()
    async with running(source, sink):
        await until(lambda: sink.of(PRESSURE) != [])
    assert plant.server.iserver.user_manager.certificate == user.own.read_bytes()


async def test_an_untrusted_server_is_named_with_its_fingerprint_and_trusted_by_copying(
    plant: Plant, tmp_path: Path
) -> None:
    source = source_of(plant.port, folder=tmp_path, policy="Basic256Sha256")
    sink = Sink()
    async with running(source, sink):
        await until(lambda: source.health().state is HealthState.DEGRADED)
        detail = source.health().detail
        folder = tmp_path / "opcua-certificates"
        assert "fingerprint is" in detail
        assert str(folder / "trusted") in detail
        (rejected,) = (folder / "rejected").iterdir()
        await until(lambda: sink.of(PRESSURE) == [(None, "stale")])
        (folder / "trusted").mkdir()
        (folder / "trusted" / rejected.name).write_bytes(rejected.read_bytes())
        await until(lambda: is_connected(source))


async def test_a_wrong_password_ends_the_run(plant: Plant, tmp_path: Path) -> None:
    source = source_of(
        plant.port,
        folder=tmp_path,
        policy="Basic256Sha256",
        trust_first=True,
        **{**LINE, "password": "wrong"},
    )
    with pytest.raises(PermanentFault, match="refuses the login of line") as raised:
        await asyncio.wait_for(source.run(Sink()), PATIENCE_S)
    assert "wrong" not in str(raised.value)


async def test_a_policy_that_the_server_does_not_offer_tells_what_it_offers(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plant.server.iserver, "endpoints", plant.server.iserver.endpoints[:1])
    health = await source_of(plant.port, folder=tmp_path, policy="Basic256Sha256").look()
    assert health.state is HealthState.STOPPED
    assert "it offers: None None_" in health.detail


async def test_look_reads_every_metric_once(plant: Plant) -> None:
    await plant.write("Pressure", 4.2)
    assert (await source_of(plant.port).look()).state is HealthState.ACTIVE
    health = await source_of(plant.port, PRESSURE, "ns=2;s=Nothing").look()
    assert health.state is HealthState.DEGRADED
    assert "1 of 2 metrics" in health.detail
    assert "ns=2;s=Nothing BadNodeIdUnknown" in health.detail


async def test_look_at_a_server_that_is_away() -> None:
    health = await source_of(1).look()
    assert health.state is HealthState.STOPPED
    assert "opc.tcp://127.0.0.1:1/line1" in health.detail
