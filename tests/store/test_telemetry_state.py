"""What telemetry saves, of two plants in one database."""

from __future__ import annotations

from lineshaft.store import Store, TelemetryState


async def test_each_plant_sees_and_deletes_only_its_own(store: Store) -> None:
    one, other, alike = (TelemetryState(store, plant) for plant in ("north", "north-2", "NORTH"))
    await one.save({"position": b"1", "watch/high/a%_/t": b"\x00\xff"}, [])
    await other.save({"position": b"2"}, [])
    await alike.save({"position": b"3"}, [])

    assert await one.load() == {"position": b"1", "watch/high/a%_/t": b"\x00\xff"}
    await one.save({"position": b"4"}, ["watch/high/a%_/t"])
    await other.save({}, ["position"])
    assert await one.load() == {"position": b"4"}
    assert await other.load() == {}
    assert await alike.load() == {"position": b"3"}
