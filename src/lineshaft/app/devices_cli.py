"""`lineshaft devices check | add | list | violations`."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml
from rich.markup import escape
from rich.table import Table

from lineshaft.app.settings import Settings, data_dir, load_settings
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json, run_async
from lineshaft.backbone import Device, read_devices
from lineshaft.backbone.incidents import Incident, read_incidents, with_users
from lineshaft.backbone.monitoring import DeviceConnection, device_connections
from lineshaft.backbone.server_state import monitor_url
from lineshaft.core.clock import rfc3339
from lineshaft.core.errors import ConfigError, TransientFault

__all__ = ["devices"]

devices = typer.Typer(help="Who may publish by MQTT, and what devices do.", no_args_is_help=True)
FileOption = Annotated[
    Path | None, typer.Option("--file", help="Devices file; default devices.yaml beside the settings.")
]


@devices.command("check")
def check_command(config: ConfigOption = None, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Say everything that is wrong with the devices file. Exit code 0 or 1."""
    _, path = _paths(config, file)
    findings, count = [], 0
    try:
        count = len(read_devices(path))
    except ConfigError as error:
        findings = error.findings or [error.message]
    if as_json:
        print_json({"ok": not findings, "devices": count, "findings": findings})
    else:
        for finding in findings:
            out.print(escape(finding), highlight=False, soft_wrap=True)
        said = (
            f"[bold red]{len(findings)} error(s)[/]" if findings else f"[green]ok[/] {path}: {count} devices"
        )
        out.print(said, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if findings else 0)


@devices.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="Its id, which is its MQTT user name.")],
    publish: Annotated[
        list[str] | None, typer.Option(help="Topic filter of its own, e.g. plant/l1/filler-02/#; repeatable.")
    ] = None,
    sparkplug: Annotated[str, typer.Option(help="GROUP/EDGE_NODE of a Sparkplug edge node.")] = "",
    config: ConfigOption = None,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a device with a password of its own, which is shown now and kept in `secrets/<id>`."""
    _, path = _paths(config, file)
    entry: dict[str, object] = {"id": name, "password": f"${{file:secrets/{name}}}"}
    if publish:
        entry["publish"] = publish
    if sparkplug:
        group, _, node = sparkplug.partition("/")
        entry["sparkplug"] = {"group": group, "edge_node": node}
    secret, password = path.parent / "secrets" / name, secrets.token_urlsafe(24)
    if not Path(name).name == name or secret.exists():
        raise ConfigError(f"{name} cannot be added: {secret} exists", hint="choose another id, or delete it")
    before = path.read_text(encoding="utf-8") if path.exists() else "devices:\n"
    added = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
    draft = path.with_name(path.name + ".new")
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(password + "\n")
    try:
        indented = "".join(f"  {line}\n" for line in added.splitlines())
        if path.exists():
            shutil.copy(path, draft)  # its mode: there may be passwords in it
        draft.write_text(f"{before.rstrip()}\n{indented}", encoding="utf-8")
        if read_devices(draft)[-1].id != name:
            raise ConfigError(f"{path} does not end with its devices", hint="move `devices` to the end of it")
        os.replace(draft, path)
    except ConfigError:
        draft.unlink(missing_ok=True)
        secret.unlink()
        raise
    if as_json:
        print_json({"id": name, "password": password})
    else:
        out.print(f"{name} is added. Its password, shown once:", highlight=False)
        out.print(password, highlight=False, markup=False)


@devices.command("list")
def list_command(config: ConfigOption = None, file: FileOption = None, as_json: JsonOption = False) -> None:
    """The devices, and which of them are connected."""
    settings, path = _paths(config, file)
    declared = {device.user.username: device for device in (read_devices(path) if path.exists() else [])}
    url = monitor_url(data_dir(settings, known_settings(config)) / "nats")
    connected = run_async(device_connections(url))
    rows = [_row(declared.get(each.user), each) for each in connected]
    users = {each.user for each in connected}
    rows += [_row(device, None) for user, device in declared.items() if user not in users]
    rows.sort(key=lambda row: row["device"])
    if as_json:
        print_json(rows)
        return
    table = Table("device", "client id", "address", "connected", "last message", "in", "out")
    for row in rows:
        table.add_row(*map(escape, row.values()))
    out.print(table)


@devices.command("violations")
def violations_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What devices tried that they may not, as far back as the server's current log goes."""
    path = known_settings(config)
    folder = data_dir(load_settings(path)[0], path) / "nats"
    log = folder / "nats.log"
    if not log.exists():
        raise ConfigError(f"there is no {log}", hint="has this node run, with its own backbone?")
    found = run_async(_named(read_incidents(log.read_bytes()), folder))
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
        return
    for each in found:
        out.print(f"{rfc3339(each.at)}  {escape(str(each))}", highlight=False, soft_wrap=True)
    out.print(f"{len(found)} incident(s)", highlight=False)


async def _named(incidents: list[Incident], folder: Path) -> list[Incident]:
    """A server that does not run any more cannot say who they were."""
    try:
        server = int((folder / "nats.pid").read_text())
        return await with_users(incidents, monitor_url(folder), server)
    except (OSError, TransientFault):
        return incidents


def _paths(config: Path | None, file: Path | None) -> tuple[Settings, Path]:
    path = known_settings(config)
    settings, _ = load_settings(path)
    return settings, file or path.resolve().parent / (settings.backbone.devices or "devices.yaml")


def _row(device: Device | None, connection: DeviceConnection | None) -> dict[str, str]:
    name = device.id if device else connection.user if connection else ""
    if connection is None:
        return dict.fromkeys(("device", "client_id", "address", "since", "last", "in", "out"), "") | {
            "device": name
        }
    return {
        "device": name,
        "client_id": connection.client_id,
        "address": f"{connection.ip}:{connection.port}",
        "since": rfc3339(connection.start),
        "last": rfc3339(connection.last_activity),
        "in": str(connection.messages_in),
        "out": str(connection.messages_out),
    }
