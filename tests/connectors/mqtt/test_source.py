from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from lineshaft.connectors.mqtt import MqttSource
from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.core.mqtt_packets import Will, read_packet
from lineshaft.core.ports import HealthState
from tests.certificates import Authority

from .conftest import Mosquitto, Sink, acknowledged, device, options, running, until


async def test_what_devices_send_is_put_in_order_many_at_once(broker: tuple[str, str]) -> None:
    url, protocol = broker
    source, sink = MqttSource(options(url, protocol=protocol)), Sink()
    async with running(source, sink):
        sink.is_open.clear()
        with device(url) as sender:
            sent = [sender.publish("plant/leipzig/l1/t", b"%d" % n, qos=1) for n in range(300)]
            await acknowledged(sender, sent)
        await until(lambda: source._unstored > 20)
        sink.is_open.set()
        await until(lambda: len(sink.stored) == 300)
    assert sink.stored == [("plant/leipzig/l1/t", b"%d" % n) for n in range(300)]
    assert max(sink.puts) > 10
    assert source.taken == 300


async def test_what_came_while_we_were_away_is_put_when_we_are_back(broker: tuple[str, str]) -> None:
    url, protocol = broker
    first = Sink()
    async with running(MqttSource(options(url, protocol=protocol)), first):
        pass
    with device(url) as sender:
        await acknowledged(sender, [sender.publish("plant/a", b"%d" % n, qos=1) for n in range(50)])
    second = Sink()
    source = MqttSource(options(url, protocol=protocol))
    async with running(source, second):
        await until(lambda: len(second.stored) == 50)
    assert second.payloads == [b"%d" % n for n in range(50)]
    assert source.sessions_lost == 0


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_acknowledgements_wait_for_the_store_and_keep_the_order(protocol: str) -> None:
    got, empty = asyncio.Queue[tuple[int, bytes]](), b"\x00" if protocol == "5" else b""

    async def scripted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, body = await read_packet(reader)
            if kind == 1:
                writer.write(bytes([0x20, 2 + len(empty), 0, 0]) + empty)
            elif kind == 8:
                writer.write(bytes([0x90, 3 + len(empty)]) + body[:2] + empty + b"\x01")
                for packet_id, topic in ((7, b"plant/a"), (3, b"else/b"), (9, b"plant/c")):
                    head = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + empty
                    writer.write(bytes([0x32, len(head) + 1]) + head + b"x")
            else:
                got.put_nowait((kind, body))
                if kind == 12:
                    writer.write(b"\xd0\x00")

    server = await asyncio.start_server(scripted, "127.0.0.1", 0)
    url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    source, sink = MqttSource(options(url, protocol=protocol, keepalive_s=4)), Sink()
    sink.is_open.clear()
    async with running(source, sink):
        assert await got.get() == (12, b"")  # a ping comes, and no acknowledgement before it
        sink.is_open.set()
        answers: list[tuple[int, bytes]] = []
        while len(answers) < 3:
            answers += [each for each in [await got.get()] if each != (12, b"")]
    assert answers == [(4, b"\x00\x07"), (4, b"\x00\x03"), (4, b"\x00\x09")]
    assert [topic for topic, _ in sink.stored] == ["plant/a", "plant/c"]
    server.close()


async def test_nothing_is_acknowledged_before_it_is_stored(prompt_broker: tuple[str, str]) -> None:
    url, protocol = prompt_broker
    never = Sink()
    never.is_open.clear()
    async with running(MqttSource(options(url, protocol=protocol)), never):
        with device(url) as sender:
            await acknowledged(sender, [sender.publish("plant/a", b"%d" % n, qos=1) for n in range(20)])
    again = Sink()
    async with running(MqttSource(options(url, protocol=protocol)), again):
        await until(lambda: len(again.stored) >= 20)
    assert again.payloads == [b"%d" % n for n in range(20)]


@pytest.mark.parametrize("qos", [0, 1])
async def test_no_more_than_the_window_waits_in_memory(broker: tuple[str, str], qos: int) -> None:
    url, protocol = broker
    source, sink = MqttSource(options(url, protocol=protocol, window=16, qos=qos)), Sink()
    async with running(source, sink):
        sink.is_open.clear()
        with device(url) as sender:
            await acknowledged(sender, [sender.publish("plant/a", b"%d" % n, qos=1) for n in range(200)])
        sink.is_open.set()
        await until(lambda: len(sink.stored) == 200)
    assert max(sink.puts) <= 16
    assert sink.payloads == [b"%d" % n for n in range(200)]


async def test_a_put_that_is_refused_is_put_again_whole(broker: tuple[str, str]) -> None:
    url, protocol = broker
    source, sink = MqttSource(options(url, protocol=protocol)), Sink()
    sink.refuse = sys.maxsize
    async with running(source, sink):
        with device(url) as sender:
            await acknowledged(sender, [sender.publish("plant/a", b"x", qos=1)])
        await until(lambda: "does not take 1 messages" in source.health().detail)
        assert source.health().state is HealthState.DEGRADED
        sink.refuse = 0
        await until(lambda: sink.stored)
        await until(lambda: source.health().state is HealthState.ACTIVE)
    assert sink.stored == [("plant/a", b"x")]


_OUR_SIDE = """
import asyncio, sys
from lineshaft.connectors.mqtt import MqttOptions, MqttSource

class Disk:
    async def put(self, messages):
        await asyncio.sleep(0.002)
        with open(sys.argv[3], "ab") as file:
            file.write(b"".join(payload + b"\\n" for _, payload in messages))

options = MqttOptions(name="hall2", url=sys.argv[1], protocol=sys.argv[2], topics=["plant/#"], window=50)
asyncio.run(MqttSource(options).run(Disk()))
"""


async def test_kill_9_of_our_side_loses_nothing(prompt_broker: tuple[str, str], tmp_path: Path) -> None:
    url, protocol = prompt_broker
    disk = tmp_path / "stored"
    async with running(MqttSource(options(url, protocol=protocol)), Sink()):
        pass  # the broker has our session
    command = [sys.executable, "-c", _OUR_SIDE, url, protocol, str(disk)]
    ours = await asyncio.create_subprocess_exec(*command)
    try:
        with device(url) as sender:
            sent = []
            for part in range(2):
                before = disk.stat().st_size if disk.exists() else 0
                sent += [sender.publish("plant/a", b"%d" % (part * 400 + n), qos=1) for n in range(400)]
                await until(lambda: disk.exists() and disk.stat().st_size > before)  # noqa: B023
                ours.kill()
                await ours.wait()
                ours = await asyncio.create_subprocess_exec(*command)
            await acknowledged(sender, sent)
        await until(lambda: len(set(disk.read_bytes().split())) == 800)
    finally:
        ours.kill()
        await ours.wait()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_kill_9_of_the_broker_loses_nothing(mosquitto: Mosquitto, protocol: str) -> None:
    await mosquitto.start()
    source, sink = MqttSource(options(mosquitto.url, protocol=protocol)), Sink()
    async with running(source, sink):
        with device(mosquitto.url) as sender:
            for part in range(2):
                sink.is_open.set()
                first = [sender.publish("plant/a", b"%d" % (part * 300 + n), qos=1) for n in range(20)]
                await until(lambda: len(set(sink.payloads)) == part * 300 + 20)  # noqa: B023
                sink.is_open.clear()  # the others are under way when it dies
                rest = [sender.publish("plant/a", b"%d" % (part * 300 + n), qos=1) for n in range(20, 300)]
                await acknowledged(sender, [*first, *rest])
                await mosquitto.saved(sender)
                await mosquitto.kill()
                await until(lambda: source.health().state is HealthState.DEGRADED)
                await mosquitto.start()
            sink.is_open.set()
        await until(lambda: len(set(sink.payloads)) == 600)
    assert source.sessions_lost == 0


async def test_a_broker_that_forgot_us_is_told_of(mosquitto: Mosquitto) -> None:
    await mosquitto.start()
    source, sink = MqttSource(options(mosquitto.url)), Sink()
    async with running(source, sink):
        await mosquitto.kill()
        await until(lambda: source.health().state is HealthState.DEGRADED)
        assert "is not connected" in source.health().detail
        mosquitto.forget()
        await mosquitto.start()
        await until(lambda: source.health().state is HealthState.ACTIVE)
        assert "forgot our session 1 times" in source.health().detail


async def test_topics_of_two_brokers_stay_apart_and_sparkplug_keeps_its_own(mosquitto: Mosquitto) -> None:
    await mosquitto.start()
    source, sink = MqttSource(options(mosquitto.url, topics=["#"], prefix="hall2")), Sink()
    async with running(source, sink):
        with device(mosquitto.url) as sender:
            for topic in ("plant/a b", "spBv1.0/G/DDATA/E/D", "ls/operational/x"):
                await acknowledged(sender, [sender.publish(topic, b"x", qos=1)])
        await until(lambda: len(sink.stored) == 3)
    assert [topic for topic, _ in sink.stored] == [
        "hall2/plant/a%20b",
        "spBv1.0/G/DDATA/E/D",
        "hall2/ls/operational/x",
    ]


async def test_what_cannot_be_put_is_acknowledged_and_counted(mosquitto: Mosquitto) -> None:
    """Too long, or of a filter that an earlier run has subscribed to and the session still has."""
    await mosquitto.start()
    async with running(MqttSource(options(mosquitto.url, topics=["old/#"])), Sink()):
        pass
    source, sink = MqttSource(options(mosquitto.url, protocol="3.1.1", largest_bytes=10)), Sink()
    async with running(source, sink):
        with device(mosquitto.url) as sender:
            for topic, payload in (("old/a", b"x"), ("plant/a", b"x" * 11), ("plant/a", b"x" * 10)):
                await acknowledged(sender, [sender.publish(topic, payload, qos=1)])
        await until(lambda: sink.stored)
    assert sink.stored == [("plant/a", b"x" * 10)]
    assert "1 messages left out: longer than 10 bytes" in source.health().detail
    assert "1 messages left out: a topic that is not asked for" in source.health().detail


@pytest.mark.parametrize("wanted", [True, False])
async def test_retained_messages_are_taken_at_a_new_subscription(mosquitto: Mosquitto, wanted: bool) -> None:
    await mosquitto.start()
    with device(mosquitto.url) as sender:
        await acknowledged(sender, [sender.publish("plant/a", b"old", qos=1, retain=True)])
        source, sink = MqttSource(options(mosquitto.url, retained=wanted)), Sink()
        async with running(source, sink):
            await acknowledged(sender, [sender.publish("plant/a", b"new", qos=1)])
            await until(lambda: b"new" in sink.payloads)
    assert sink.payloads == ([b"old", b"new"] if wanted else [b"new"])


async def test_a_rebirth_request_reaches_the_edge_node(broker: tuple[str, str]) -> None:
    url, protocol = broker
    source, got = MqttSource(options(url, protocol=protocol)), []
    async with running(source, Sink()):
        with device(url) as node:
            listening = asyncio.Event()
            loop = asyncio.get_running_loop()
            node.on_subscribe = lambda *_: loop.call_soon_threadsafe(listening.set)
            node.on_message = lambda _c, _u, message: got.append((message.topic, message.payload))
            node.subscribe("spBv1.0/G/NCMD/E", 1)
            await listening.wait()
            await source.publish("spBv1.0/G/NCMD/E", b"rebirth")
            await until(lambda: got)  # with another QoS, the next may overtake it
            await source.publish("spBv1.0/G/NCMD/E", b"again", qos=0)
            await until(lambda: len(got) == 2)
    assert got == [("spBv1.0/G/NCMD/E", b"rebirth"), ("spBv1.0/G/NCMD/E", b"again")]
    with pytest.raises(TransientFault, match="was not acknowledged"):
        await source.publish("spBv1.0/G/NCMD/E", b"x", deadline_s=0.05)
    with pytest.raises(PermanentFault, match="QoS 2"):
        await source.publish("spBv1.0/G/NCMD/E", b"x", qos=2)


async def test_a_state_is_told_at_each_connect_and_taken_back_at_the_end(broker: tuple[str, str]) -> None:
    """As a Sparkplug host application does with its STATE."""
    url, protocol = broker
    topic, got = "spBv1.0/STATE/host", []
    said = asyncio.Event()

    async def say_online() -> None:
        await source.publish(topic, b"online", retain=True)
        said.set()

    will = Will(topic=topic, payload=b"offline", retain=True)
    source = MqttSource(options(url, protocol=protocol), will=will, on_connect=say_online)
    with device(url) as node:
        node.on_message = lambda _c, _u, message: got.append((message.payload, message.retain))
        async with running(source, Sink()) as stop:
            await said.wait()  # who subscribes before it is retained gets it as a new message
            node.subscribe(topic, 1)
            await until(lambda: (b"online", 1) in got)
            await stop()
            await until(lambda: (b"offline", 0) in got)


async def test_a_refusal_is_told_and_tried_again(mosquitto: Mosquitto, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    guarded = ("allow_anonymous false", f"password_file {passwords}")
    await mosquitto.start(*guarded)
    source = MqttSource(options(mosquitto.url, user="us", password="wrong"))
    run = asyncio.create_task(source.run(Sink()))
    await until(lambda: "refused: not authorised" in source.health().detail)
    await mosquitto.kill()
    await mosquitto.start()
    await until(lambda: source.health().state is HealthState.ACTIVE)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


@pytest.mark.parametrize(
    ("granted", "said"),
    [(b"\x87", "'plant/#' is refused: not authorised"), (b"\x00", "'plant/#' is granted at QoS 0")],
)
async def test_a_filter_that_is_not_granted_as_asked_is_told(granted: bytes, said: str) -> None:
    async def scripted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_packet(reader)
        writer.write(b"\x20\x03\x00\x00\x00")
        _, body = await read_packet(reader)
        writer.write(b"\x90\x04" + body[:2] + b"\x00" + granted)
        await reader.read()

    server = await asyncio.start_server(scripted, "127.0.0.1", 0)
    source = MqttSource(options(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    run = asyncio.create_task(source.run(Sink()))
    await until(lambda: said in source.health().detail)
    assert source.health().state is HealthState.DEGRADED
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    server.close()


async def test_an_mqtt_5_client_at_a_broker_without_it_is_told_what_to_do(tmp_path: Path) -> None:
    """What our own listener answers to MQTT 5, and a broker that answers nothing at all."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x02\x00\x01")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    source = MqttSource(options(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    run = asyncio.create_task(source.run(Sink()))
    await until(lambda: "set protocol to '3.1.1'" in source.health().detail)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    server.close()


async def test_tls_with_a_certificate_of_ours(mosquitto: Mosquitto, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("broker", server=True)
    await mosquitto.start(
        "allow_anonymous true",
        f"cafile {authority.ca}",
        f"certfile {certificate}",
        f"keyfile {key}",
        "require_certificate true",
    )
    url, (ours, our_key) = f"mqtts://localhost:{mosquitto.port}", authority.issue("lineshaft")
    source, sink = (
        MqttSource(
            options(url, ca_file=str(authority.ca), certificate_file=str(ours), key_file=str(our_key))
        ),
        Sink(),
    )
    async with running(source, sink):
        await source.publish("plant/own", b"not echoed")
    without = MqttSource(options(url, ca_file=str(authority.ca)))
    stranger = MqttSource(options(url, ca_file=str(Authority(tmp_path, "other").ca)))
    for refused, why in ((without, "is not connected"), (stranger, "CERTIFICATE_VERIFY_FAILED")):
        run = asyncio.create_task(refused.run(Sink()))
        await until(lambda: why in refused.health().detail)  # noqa: B023
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    assert sink.stored == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"url": "http://h"}, "mqtt://host:1883"),
        ({"url": "mqtt://h:0"}, "mqtt://host:1883"),
        ({"url": "mqtt://h", "ca_file": "ca.pem"}, "begin the url with mqtts"),
        ({"url": "mqtts://h", "ca_file": "none.pem"}, "cannot use none.pem"),
        ({"url": "mqtt://h", "name": ""}, "has no name"),
    ],
)
def test_options_that_cannot_work_are_refused(wanted: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MqttSource(options(**wanted))


async def test_two_clients_with_one_id_are_told(mosquitto: Mosquitto) -> None:
    await mosquitto.start()
    first = MqttSource(options(mosquitto.url))
    async with running(first, Sink()), running(MqttSource(options(mosquitto.url)), Sink()):
        await until(lambda: "another client may use our client id" in first.health().detail)
