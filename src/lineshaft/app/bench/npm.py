"""What the benches measure beside, from npm: installed into the cache at the first time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from lineshaft.app.last_run import cache_dir

__all__ = ["npm_installed"]

_INSTALL_S = 900.0


def npm_installed(title: str, name: str, packages: Sequence[str]) -> tuple[str, Path] | None:
    """The program `node`, and the folder of `node_modules`; None, saying why, where it cannot be.

    name   of a folder in the cache
    """
    programs = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    node, npm = shutil.which("node", path=programs), shutil.which("npm", path=programs)
    if node is None or npm is None:
        print(f"no {title} to measure with: install node and npm, or lineshaft[bench]", file=sys.stderr)
        return None
    folder = cache_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / "complete"
    with FileLock(folder / "lock"):
        if not complete.exists():
            print(f"installing {title} into {folder}: once, a few minutes", file=sys.stderr)
            if refused := _install(npm, folder, programs, packages):
                print(f"no {title} to measure with: npm: {refused}", file=sys.stderr)
                return None
            complete.touch()
    return node, folder


def _install(npm: str, folder: Path, programs: str, packages: Sequence[str]) -> str:
    """Why it could not be installed; empty when it is."""
    command: list[str | Path] = [npm, "install", "--no-audit", "--no-fund", "--prefix", folder, *packages]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PATH": programs},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_INSTALL_S:g} s"
    return (done.stderr.strip() or f"ended with {done.returncode}") if done.returncode else ""
