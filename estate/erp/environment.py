"""The ERP's own virtual environment with its seeded database, built once and kept in the cache.

    <cache>/erp-<key>.ready     name of the folder below; written last, in one step
    <cache>/erp-<key>-<build>/
      venv/                     Tryton, its modules and lineshaft's server module
      seeded.sqlite             the database to copy for each server
      keys.json                 REST keys by user: integration, auditor

Each build has a folder of its own: a virtual environment cannot be moved, and the children of a builder that
was killed may still be writing to theirs. The key is a hash of all that goes in, and of the year: the seed
opens the previous, current and next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

from filelock import FileLock

from lineshaft.core.errors import PermanentFault

__all__ = ["Environment", "ensure_environment"]

HERE = Path(__file__).parent
BUILD_TIMEOUT_S = 600


@dataclass(frozen=True)
class Environment:
    """A built environment. `keys` are REST user-application keys by user name."""

    root: Path
    python: Path
    seeded: Path
    keys: dict[str, str]


def ensure_environment(cache: Path, on_progress: Callable[[str], None]) -> Environment:
    """Build the environment in `cache` unless it is there; several processes may ask at once.

    on_progress  told in one line what is being done, only when something has to be
    raises       PermanentFault with the tail of the failed step's output
    """
    with as_file(files("lineshaft").joinpath("connectors", "tryton", "server_module")) as server_module:
        name = f"erp-{_key(server_module)}"
        ready = cache.absolute() / f"{name}.ready"
        if not ready.exists():
            ready.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(ready.with_suffix(".lock")):
                if not ready.exists():
                    _build(ready, name, server_module, on_progress)
        root = ready.with_name(ready.read_text())
    keys: dict[str, str] = json.loads((root / "keys.json").read_text())
    return Environment(root=root, python=_python(root / "venv"), seeded=root / "seeded.sqlite", keys=keys)


def _key(server_module: Path) -> str:
    digest = hashlib.sha256()
    for part in (str(sys.version_info[:2]), sys.platform, str(datetime.now(UTC).year)):
        digest.update(part.encode() + b"\0")
    for path in (HERE / "requirements.txt", HERE / "seed.py", *_sources(server_module)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(folder: Path) -> Iterator[Path]:
    return iter(
        sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in {".py", ".xml", ".cfg", ".toml"})
    )


def _build(ready: Path, name: str, server_module: Path, on_progress: Callable[[str], None]) -> None:
    for torn in ready.parent.glob(f"{name}-*"):
        shutil.rmtree(torn, ignore_errors=True)
    root = ready.with_name(f"{name}-{uuid.uuid4().hex[:8]}")
    root.mkdir(mode=0o700)
    on_progress("installing Tryton")
    _install(root, server_module)
    on_progress("creating the ERP database (about 40 s, once)")
    _run([str(_python(root / "venv")), str(HERE / "seed.py"), str(root)])
    shutil.rmtree(root / "seed")
    written = root / "folder"
    written.write_text(root.name)
    written.replace(ready)
    on_progress("ERP is ready")


def _install(root: Path, server_module: Path) -> None:
    module = root / "server_module"  # a copy: building a wheel writes beside its sources
    shutil.copytree(server_module, module, ignore=shutil.ignore_patterns("__pycache__"))
    try:
        _install_with_uv(root, module)
    except PermanentFault:  # no uv, or it cannot reach the index: pip knows its own settings
        shutil.rmtree(root / "venv", ignore_errors=True)
        venv.create(root / "venv", with_pip=True)
        pip = [str(_python(root / "venv")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _install_packages(pip, module)
    shutil.rmtree(module)


def _install_with_uv(root: Path, module: Path) -> None:
    """raises PermanentFault"""
    uv = _uv()
    if uv is None:
        raise PermanentFault("there is no uv", code="erp_environment")
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(root / "venv")])
    _install_packages([uv, "pip", "install", "--quiet", "--python", str(_python(root / "venv"))], module)


def _install_packages(install: list[str], module: Path) -> None:
    _run([*install, "--require-hashes", "-r", str(HERE / "requirements.txt")])
    _run([*install, "--no-deps", str(module)])


def _uv() -> str | None:
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str]) -> None:
    unset = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise PermanentFault(f"{command[0]} did not run: {failed}", code="erp_environment") from failed
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise PermanentFault(f"{' '.join(command[:4])} … failed:\n{tail}", code="erp_environment")
