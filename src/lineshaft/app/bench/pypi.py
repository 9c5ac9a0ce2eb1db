"""What the benches measure beside, from PyPI: each in a virtual environment of its own in the cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from lineshaft.app.last_run import cache_dir

__all__ = ["pypi_installed"]

_INSTALL_S = 900.0


def pypi_installed(title: str, name: str, requirements: Sequence[str]) -> Path | None:
    """Its Python, installed at the first time; None, saying why, where it cannot be.

    name   of a folder in the cache
    """
    uv = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")
    if uv is None:
        print(f"no {title} to measure beside: install uv", file=sys.stderr)
        return None
    folder = cache_dir() / name
    python, complete = folder / "venv/bin/python", folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not complete.exists():
            print(f"installing {title} into {folder}: once", file=sys.stderr)
            commands: list[list[str | Path]] = [
                [uv, "venv", "--allow-existing", "--python", sys.executable, folder / "venv"],
                [uv, "pip", "install", "--python", python, *requirements],
            ]
            for command in commands:
                if refused := _refused(command):
                    print(f"no {title} to measure beside: uv: {refused}", file=sys.stderr)
                    return None
            complete.touch()
    return python


def _refused(command: Sequence[str | Path]) -> str:
    """Why it did not do its work; empty when it did."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_INSTALL_S
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_INSTALL_S:g} s"
    return (done.stderr.strip() or f"ended with {done.returncode}") if done.returncode else ""
