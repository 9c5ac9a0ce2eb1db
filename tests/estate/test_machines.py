"""The simulated machines against a real broker, the one of our backbone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pysparkplug
import pytest
from paho.mqtt import client as mqtt

from estate.machines.behaviour import FillerBehaviour, SteadyBehaviour
from estate.machines.mqtt_device import FillerDevice
from estate.machines.plant_life import PlantLife
from estate.machines.sparkplug_filler import SparkplugFiller
from estate.machines.stops import EXECUTE, HELD
from estate.plant import MACHINES, REASONS, machine
from lineshaft.backbone.server import MqttUser, NatsServer
from lineshaft.backbone.server_state import free_port
from lineshaft.connectors.calendar import CalendarConnector
from lineshaft.core.ports import CallContext
from lineshaft.core.yamlfile import YamlFile
from lineshaft.model.calendar import EquipmentPeriod
from lineshaft.telemetry.rules.rule_set import read_rules
from lineshaft.telemetry.sparkplug import sparkplug_b_pb2
from lineshaft.telemetry.tags import read_tags
from tests.waiting import PATIENCE_S

LEIPZIG = Path(__file__).parents[2] / "estate/plants/leipzig"
USER = MqttUser(username="devices", password="a secret")
LOGIN = {"username": USER.username, "password": USER.password}


class Listener:
    """Subscribes with a session that the broker keeps, and collects (topic, payload)."""

    def __init__(self, port: int, topics: list[str]) -> None:
        self._topics = topics
        self._changed = threading.Condition()
        self.messages: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(client_id="listener", clean_session=False)
        self._client.username_pw_set(USER.username, USER.password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect_async("127.0.0.1", port)

    async def __aenter__(self) -> Listener:
        self._client.loop_start()
        assert await asyncio.to_thread(self._subscribed.wait, PATIENCE_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def until(self, holds: Callable[[list[tuple[str, bytes]]], object]) -> None:
        def wait() -> bool:
            with self._changed:
                return bool(self._changed.wait_for(lambda: holds(self.messages), PATIENCE_S))

        assert await asyncio.to_thread(wait), f"after {PATIENCE_S:g} s: {self.messages[-5:]}"

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_message(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.messages.append((message.topic, message.payload))
            self._changed.notify_all()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[tuple[NatsServer, int]]:
    server = NatsServer()
    await server.start(tmp_path / "nats", mqtt_port=0, mqtt_users=[USER])
    yield server, int(server.mqtt_url.rsplit(":", 1)[1])
    await server.stop()


def pressures(messages: list[tuple[str, bytes]]) -> list[float]:
    return [json.loads(payload)["value"] for topic, payload in messages if topic.endswith("/pressure")]


def test_pressure_goes_beyond_the_limit_and_back() -> None:
    filler = FillerBehaviour(machine("FILLER-01"))
    assert all(3.1 < filler.values(0.1)["pressure"] < 3.3 for _ in range(50))
    filler.breach()
    risen = [filler.values(0.1)["pressure"] for _ in range(10)]
    assert risen[-1] > 4.5
    assert risen == sorted(risen[:5]) + risen[5:]
    filler.recover()
    assert [filler.values(0.1)["pressure"] for _ in range(10)][-1] < 3.3
    first, second = filler.values(1)["count"], filler.values(10)["count"]
    assert second - first == pytest.approx(60, abs=1)


def test_a_machine_counts_while_it_runs_and_says_why_it_stands_still() -> None:
    behaviour = SteadyBehaviour(machine("CAPPER-01"))
    told = [behaviour.values(1.0) for _ in range(3600)]
    states = [values["state"] for values in told]
    assert set(states) == {EXECUTE, HELD}
    assert 0.6 < states.count(EXECUTE) / len(states) < 0.95
    signals = {reason.signal for reason in REASONS}
    for before, after in pairwise(told):
        assert (after["stop_reason"] == 0) is (after["state"] == EXECUTE)
        assert after["stop_reason"] in signals
        if before["state"] == after["state"] == HELD:
            assert after["count"] == before["count"]
        elif before["state"] == after["state"]:
            assert 5 <= after["count"] - before["count"] <= 7
    assert behaviour.values(86_400.0)["count"] - told[-1]["count"] < 6 * 86_400 * 0.95


def test_machines_stop_at_times_of_their_own_and_each_time_alike() -> None:
    def stops(equipment: str) -> list[float]:
        behaviour = SteadyBehaviour(machine(equipment))
        return [behaviour.values(1.0)["state"] for _ in range(600)]

    assert stops("CAPPER-01") == stops("CAPPER-01") != stops("LABELLER-01")


@pytest.mark.parametrize("tags", ["tags.csv", "tags-sparkplug.csv"])
def test_the_rules_fit_the_tags_and_know_what_the_machines_signal(tags: str) -> None:
    file = YamlFile(LEIPZIG / "rules.yaml")
    rules = read_rules(file.data, read_tags(LEIPZIG / tags), file="rules.yaml", line_of=file.line)
    known = {reason.signal: reason.code for reason in REASONS if reason.signal} | {0: ""}
    states = rules.specs["state"]
    assert [spec.tag.equipment_id for spec in states] == [each.equipment for each in MACHINES]
    assert all(spec.reasons == known for spec in states)
    assert {spec.tag.equipment_id for spec in rules.specs["counter"]} == {each.equipment for each in MACHINES}


async def test_the_calendar_covers_the_week() -> None:
    connector = CalendarConnector("calendar", LEIPZIG / "calendar.yaml", ZoneInfo("Europe/Berlin"))
    call = CallContext(call_id="", operation="", idempotency_key="", deadline_s=1, headers={})
    begin = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)

    async def shifts(equipment: str) -> int:
        week = EquipmentPeriod(
            equipment_id=equipment, start_time=begin, end_time=begin + timedelta(days=5, hours=22)
        )
        found = (await connector.entries(call, week)).entries
        return sum(entry.entry_type == "shift" for entry in found)

    assert (await shifts("FILLER-01"), await shifts("PALLETISER-01")) == (16, 11)


async def test_every_tag_of_the_list_is_published_and_no_other(broker) -> None:
    _, port = broker
    expected = {tag.topic for tag in read_tags(LEIPZIG / "tags.csv")}
    address = {"host": "127.0.0.1", "port": port, **LOGIN, "interval_s": 0.05}
    begun = datetime.now(UTC)
    async with Listener(port, ["plant/#"]) as listener, FillerDevice(**address), PlantLife(**address):
        await listener.until(lambda seen: {topic for topic, _ in seen} >= expected)
    assert {topic for topic, _ in listener.messages} == expected
    reading = json.loads(listener.messages[0][1])
    assert reading["quality"] == "good"
    assert begun <= datetime.fromisoformat(reading["time"]) <= datetime.now(UTC)


async def test_a_breach_and_its_duplicates(broker) -> None:
    _, port = broker
    filler = FillerDevice(host="127.0.0.1", port=port, **LOGIN, interval_s=0.05, duplicates=3)
    async with Listener(port, ["plant/leipzig/bottling/l1/filler-01/pressure"]) as listener, filler:
        await listener.until(pressures)
        assert max(pressures(listener.messages)) < 4.5
        filler.breach()
        await listener.until(lambda seen: max(pressures(seen)) > 4.5)
        filler.recover()
        await listener.until(lambda seen: pressures(seen)[-1] < 3.5 and len(seen) >= 30)
    copies: dict[bytes, int] = {}
    for _, payload in listener.messages[:30]:
        copies[payload] = copies.get(payload, 0) + 1
    assert set(copies.values()) == {3}


async def test_no_reading_is_lost_while_the_broker_is_away(broker, tmp_path: Path) -> None:
    server, port = broker
    filler = FillerDevice(host="127.0.0.1", port=port, **LOGIN, interval_s=0.05)
    async with Listener(port, ["plant/#"]) as listener:
        async with filler:
            await listener.until(lambda seen: len(seen) > 20)
            await server.stop()
            made = filler.published
            while filler.published < made + 40:  # noqa: ASYNC110 - the device has no event of ours
                await asyncio.sleep(0.05)
            await server.start(tmp_path / "nats", mqtt_port=port, mqtt_users=[USER])
            await listener.until(lambda seen: len(set(seen)) > made + 40)
            await asyncio.to_thread(filler.stop, PATIENCE_S)
        assert filler.acknowledged >= filler.published
        await listener.until(lambda seen: len(set(seen)) == filler.published)
    times = [json.loads(payload)["time"] for _, payload in listener.messages]
    assert len(set(times)) == filler.published / 7


def decoded(payload: bytes) -> Any:
    message = sparkplug_b_pb2.Payload()
    message.ParseFromString(payload)
    return message


async def test_the_sparkplug_filler_is_born_and_reborn(broker) -> None:
    _, port = broker
    tags = [
        tag for tag in read_tags(LEIPZIG / "tags-sparkplug.csv") if tag.topic == "leipzig/btl-l1/filler-01"
    ]

    def topics(seen: list[tuple[str, bytes]]) -> list[str]:
        return [topic.split("/")[2] for topic, _ in seen]

    filler = SparkplugFiller(host="127.0.0.1", port=port, **LOGIN, interval_s=0.05)
    async with Listener(port, ["spBv1.0/#"]) as listener:
        async with filler:
            await listener.until(lambda seen: topics(seen).count("DDATA") > 3)
            assert topics(listener.messages)[:3] == ["NBIRTH", "DBIRTH", "DDATA"]
            numbers = [decoded(payload).seq for _, payload in listener.messages[:5]]
            assert numbers == [0, 1, 2, 3, 4]
            birth = decoded(listener.messages[1][1])
            assert {metric.name for metric in birth.metrics} == {tag.metric for tag in tags}
            filler.breach()

            def beyond(seen: list[tuple[str, bytes]]) -> bool:
                return any(
                    metric.name == "pressure" and metric.double_value > 4.5
                    for topic, payload in seen
                    if "/DDATA/" in topic
                    for metric in decoded(payload).metrics
                )

            await listener.until(beyond)
            rebirth = pysparkplug.NCmd(
                timestamp=pysparkplug.get_current_timestamp(),
                metrics=(
                    pysparkplug.Metric(
                        timestamp=pysparkplug.get_current_timestamp(),
                        name="Node Control/Rebirth",
                        datatype=pysparkplug.DataType.BOOLEAN,
                        value=True,
                    ),
                ),
            )
            listener._client.publish(
                "spBv1.0/leipzig/NCMD/btl-l1", rebirth.encode(include_dtypes=True), qos=1
            )
            await listener.until(lambda seen: topics(seen).count("DBIRTH") == 2)
        await listener.until(lambda seen: topics(seen)[-1] == "NDEATH")
    assert filler.births == 2


class Gate:
    """A way to the broker that can be shut."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._server: asyncio.Server | None = None
        self._through: list[asyncio.StreamWriter] = []
        self.port = free_port()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._through:
            writer.transport.abort()
        self._through.clear()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._broker_port)
        self._through += [writer, back]

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    target.write(data)
            target.transport.abort()

        await asyncio.gather(copy(reader, back), copy(there, writer))


def historical(seen: list[tuple[str, bytes]]) -> set[int]:
    return {
        metric.timestamp for _, payload in seen for metric in decoded(payload).metrics if metric.is_historical
    }


async def test_the_sparkplug_filler_sends_history_after_an_outage(broker) -> None:
    _, port = broker
    gate = Gate(port)
    filler = SparkplugFiller(host="127.0.0.1", port=gate.port, **LOGIN, interval_s=0.05)
    async with Listener(port, ["spBv1.0/#"]) as listener, filler:
        while filler.kept < 2:  # noqa: ASYNC110 - the device has no event of ours
            await asyncio.sleep(0.02)
        await gate.open()
        await listener.until(lambda seen: len(historical(seen)) >= 2)
        first = len(historical(listener.messages))
        await gate.shut()
        await listener.until(lambda seen: "/NDEATH/" in seen[-1][0])
        while filler.kept < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await gate.open()
        await listener.until(lambda seen: len(historical(seen)) >= first + 2)
        await listener.until(lambda _: filler.kept == 0)
    await gate.shut()
