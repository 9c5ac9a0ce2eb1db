"""A server as a source of readings: connected, subscribed, and again whenever it was away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import structlog
from asyncua.ua.attribute_ids import AttributeIds

from lineshaft.connectors.opcua.arrivals import Arrivals
from lineshaft.connectors.opcua.certificates import Certificates
from lineshaft.connectors.opcua.link import Link, connected, fault_of
from lineshaft.connectors.opcua.node_ids import NodeName, parse_node
from lineshaft.connectors.opcua.options import OpcUaOptions
from lineshaft.connectors.opcua.subscription import Subscribed
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.core.outgoing_readings import OutgoingReadings, doubling
from lineshaft.core.ports import Health, HealthState, RawSink

__all__ = ["OpcUaSource", "certificates_of"]

_log = structlog.get_logger(__name__)
_FIRST_RETRY_S = 0.5
_SHOWN = 3


class OpcUaSource:
    """A DeviceSource. metrics: node ids; folder: where relative paths of the options start."""

    def __init__(
        self,
        name: str,
        options: OpcUaOptions,
        metrics: Sequence[str],
        *,
        folder: Path = Path(),
        clock: Clock | None = None,
    ) -> None:
        """raises  ConfigError with every finding"""
        options.check(name)
        self.name = name
        self._options = options
        self._metrics = list(dict.fromkeys(metrics))
        topic = options.topic or f"opcua/{name}"
        self._names = _parsed(name, topic, self._metrics)
        self._folder = folder
        self._application_uri = options.application_uri or f"urn:lineshaft:{name}"
        self._certificates = certificates_of(options, folder)
        self.outgoing = OutgoingReadings(topic, gather_s=options.gather_ms / 1000)
        self._arrivals = Arrivals(self._metrics, self.outgoing, clock or SystemClock())
        self._subscribed: Subscribed | None = None
        self._trouble = ""
        self._times_connected = 0

    async def run(self, sink: RawSink) -> None:
        """As DeviceSource. A login that the server refuses before it ever let us in ends the run."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.outgoing.run(sink))
                tasks.create_task(self._stay_connected())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def health(self) -> Health:
        subscribed = self._subscribed
        if subscribed is None:
            state = HealthState.DEGRADED if self._trouble else HealthState.STARTING
            return Health(state=state, detail=self._trouble or f"connecting to {self._options.url}")
        troubles = [*self._metrics_in_trouble(subscribed)]
        if self._arrivals.overflowed:
            troubles.append(
                f"values were lost in full queues of the server, {self._arrivals.overflowed} times: "
                "raise queue_size"
            )
        if subscribed.lost:
            troubles.append(f"{subscribed.lost} notifications were lost")
        if self.outgoing.trouble:
            troubles.append(self.outgoing.trouble)
        publishing, least, most, queue = subscribed.revised
        count = len(self._metrics) - len(subscribed.missing)
        detail = f"{count} metrics of {self._options.url}, sent every {publishing:g} ms"
        if count:
            detail += f", sampled every {least:g} to {most:g} ms, queues of {queue}"
        return Health(
            state=HealthState.DEGRADED if troubles else HealthState.ACTIVE,
            detail="; ".join([detail, *troubles]),
        )

    async def look(self) -> Health:
        """Connect once, read every metric, disconnect: for `lineshaft doctor`."""
        began = time.monotonic()
        try:
            async with connected(
                self._options, self._application_uri, self._folder, self._certificates
            ) as link:
                nodes = [name.at(link.namespaces) for name in self._names]
                there = [node for node in nodes if node is not None]
                values = iter(await link.read(there, AttributeIds.Value))
        except Exception as error:
            return Health(
                state=HealthState.STOPPED,
                detail=str(fault_of(error, self._options, self._certificates)),
            )
        wrong = {}
        for metric, node in zip(self._metrics, nodes, strict=True):
            status = None if node is None else next(values).StatusCode
            if status is None or not status.is_good():
                wrong[metric] = status.name if status else "its namespace is not there"
        latency_ms = (time.monotonic() - began) * 1000
        detail = f"{len(self._metrics) - len(wrong)} of {len(self._metrics)} metrics of {self._options.url}"
        return Health(
            state=HealthState.DEGRADED if wrong else HealthState.ACTIVE,
            detail="; ".join([detail, *_some(wrong)]),
            latency_ms=latency_ms,
        )

    async def _stay_connected(self) -> None:
        pauses = doubling(_FIRST_RETRY_S, self._options.retry_s)
        while True:
            times = self._times_connected
            try:
                async with self._connected() as link:
                    try:
                        await self._subscribe(link)
                    except Exception as error:
                        self._gone(error)  # at once: to take leave of a silent server takes a while
                        raise
            except Exception as error:
                self._gone(error)
            if self._times_connected > times:
                pauses = doubling(_FIRST_RETRY_S, self._options.retry_s)
            await asyncio.sleep(pauses())

    def _connected(self) -> AbstractAsyncContextManager[Link]:
        return connected(self._options, self._application_uri, self._folder, self._certificates)

    async def _subscribe(self, link: Link) -> None:
        """Never returns, raises why the session is lost."""
        subscribed = Subscribed(link, self._names, self._options, self._arrivals, self.outgoing)
        await subscribed.open()
        self._subscribed = subscribed
        self._times_connected += 1
        self._trouble = ""
        _log.info("connected to an OPC UA server", source=self.name, detail=self.health().detail)
        await subscribed.run()

    def _gone(self, error: Exception) -> None:
        """raises  ConfigError or PermanentFault when no further attempt can help"""
        fault = fault_of(error, self._options, self._certificates)
        self._subscribed = None
        if not self._times_connected and (fault.code == "login_refused" or isinstance(fault, ConfigError)):
            raise fault from None
        if str(fault) != self._trouble:
            _log.warning("an OPC UA server is away", source=self.name, cause=str(fault))
        self._trouble = str(fault)
        self._arrivals.lost()

    def _metrics_in_trouble(self, subscribed: Subscribed) -> list[str]:
        wrong = {self._metrics[handle]: why for handle, why in subscribed.missing.items()}
        return _some({**wrong, **self._arrivals.odd})


def _parsed(name: str, topic: str, metrics: Sequence[str]) -> list[NodeName]:
    """raises  ConfigError with every finding"""
    if not metrics:
        raise ConfigError(
            f"OPC UA source {name!r} has nothing to ask for: no tag has topic {topic!r}",
            hint="add its tags to the tag list, or remove the source",
        )
    names, findings = [], []
    for metric in metrics:
        try:
            names.append(parse_node(metric))
        except ValueError as error:
            findings.append(f"metric {error}")
    if findings:
        raise ConfigError(
            f"metrics of OPC UA source {name!r} are wrong; correct the tag list", findings=findings
        )
    return names


def certificates_of(options: OpcUaOptions, folder: Path) -> Certificates:
    return Certificates(
        folder / options.certificates,
        pinned=folder / options.server_certificate if options.server_certificate else None,
        trust_first=options.trust_first,
    )


def _some(wrong: dict[str, str]) -> list[str]:
    told = [f"{metric} {why}" for metric, why in list(wrong.items())[:_SHOWN]]
    return [*told, f"and {len(wrong) - _SHOWN} more metrics"] if len(wrong) > _SHOWN else told
