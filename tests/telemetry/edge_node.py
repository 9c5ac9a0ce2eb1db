"""A Sparkplug edge node whose messages pysparkplug encodes."""

from __future__ import annotations

import pysparkplug as psp

from lineshaft.core.values import RawReading

from .plant import ms, raw

PRESSURE, OIL = "hydraulics/pressure", "hydraulics/oil"


class EdgeNode:
    """north/line1 with the device p09; keeps seq, and numbers its messages as the stream RAW."""

    def __init__(self, bd_seq: int = 0) -> None:
        self.seq = -1
        self.bd_seq = bd_seq
        self.position = 0

    def next_seq(self) -> int:
        self.seq = (self.seq + 1) % 256
        return self.seq

    def topic(self, kind: psp.MessageType, device: bool) -> str:
        return str(
            psp.Topic(
                message_type=kind, group_id="north", edge_node_id="line1", device_id="p09" if device else None
            )
        )

    def send(
        self, kind: psp.MessageType, payload: bytes, seconds: float, *, device: bool = True
    ) -> RawReading:
        self.position += 1
        return raw(self.topic(kind, device), payload, seconds, f"RAW:{self.position}")

    def nbirth(self, seconds: float = 0) -> RawReading:
        self.seq = -1
        metrics = (
            psp.Metric(timestamp=ms(seconds), name="bdSeq", datatype=psp.DataType.INT64, value=self.bd_seq),
            psp.Metric(
                timestamp=ms(seconds),
                name="Node Control/Rebirth",
                datatype=psp.DataType.BOOLEAN,
                value=False,
            ),
            psp.Metric(timestamp=ms(seconds), name="speed", datatype=psp.DataType.INT16, value=-7, alias=9),
        )
        payload = psp.NBirth(timestamp=ms(seconds), seq=self.next_seq(), metrics=metrics)
        return self.send(psp.MessageType.NBIRTH, payload.encode(), seconds, device=False)

    def dbirth(
        self, seconds: float = 0, pressure: float = 100.0, aliases: tuple[int, int] = (0, 1)
    ) -> RawReading:
        metrics = tuple(
            psp.Metric(timestamp=ms(seconds), name=name, datatype=datatype, value=value, alias=alias)
            for name, datatype, value, alias in (
                (PRESSURE, psp.DataType.DOUBLE, pressure, aliases[0]),
                (OIL, psp.DataType.INT8, -3, aliases[1]),
            )
        )
        payload = psp.DBirth(timestamp=ms(seconds), seq=self.next_seq(), metrics=metrics)
        return self.send(psp.MessageType.DBIRTH, payload.encode(), seconds)

    def ddata(self, seconds: float, pressure: float, *, alias: int | None = 0, **flags: bool) -> RawReading:
        metric = psp.Metric(
            timestamp=ms(seconds),
            name=PRESSURE if alias is None else None,
            datatype=psp.DataType.DOUBLE,
            value=pressure,
            alias=alias,
            **flags,
        )
        payload = psp.DData(timestamp=ms(seconds), seq=self.next_seq(), metrics=(metric,))
        return self.send(psp.MessageType.DDATA, payload.encode(), seconds)

    def ddeath(self, seconds: float) -> RawReading:
        payload = psp.DDeath(timestamp=ms(seconds), seq=self.next_seq())
        return self.send(psp.MessageType.DDEATH, payload.encode(), seconds)

    def ndeath(self, seconds: float, bd_seq: int | None = None) -> RawReading:
        number = self.bd_seq if bd_seq is None else bd_seq
        metric = psp.Metric(timestamp=ms(seconds), name="bdSeq", datatype=psp.DataType.INT64, value=number)
        payload = psp.NDeath(timestamp=ms(seconds), bd_seq_metric=metric)
        return self.send(psp.MessageType.NDEATH, payload.encode(), seconds, device=False)
