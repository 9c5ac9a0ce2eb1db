"""Where the commands find contracts: the folder in Git, with what comes with the product."""

from __future__ import annotations

import getpass
import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from lineshaft.app.settings import read_settings
from lineshaft.contracts.registry import Contracts, Signed, read_contracts
from lineshaft.core.clock import SystemClock, rfc3339
from lineshaft.core.errors import ConfigError

__all__ = ["FolderOption", "contracts_at", "contracts_folder", "contracts_of_revision", "signed_by"]

FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="Of the contracts; default: that of the settings, else ./contracts."),
]


def contracts_folder(config: Path | None, folder: Path | None) -> Path:
    """Settings are not read where the folder is given: a CI job has no secrets for them to refer to."""
    if folder is not None:
        return folder
    path = config or Path(os.environ.get("LINESHAFT_CONFIG", "lineshaft.yaml"))
    if config is None and not path.exists():
        return Path("contracts")
    settings, _ = read_settings(path)
    return path.parent / settings.contracts


def contracts_at(folder: Path) -> Contracts:
    """raises  ConfigError with everything that cannot be read"""
    found = read_contracts(folder)
    if found.findings:
        raise ConfigError(f"the contracts in {folder} cannot be read", findings=list(found.findings))
    return found


def contracts_of_revision(folder: Path, revision: str) -> Contracts:
    """The folder as it was in Git, such as at `origin/main`; it may not have been there yet.

    raises  ConfigError where Git does not know the revision
    """
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    name = commit.decode().strip()
    with tempfile.TemporaryDirectory(prefix="lineshaft-contracts-") as made:
        if _git(folder, "ls-tree", name, "."):
            archive = _git(folder, "archive", "--format=tar", name, ".")
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(made, filter="data")
        return read_contracts(Path(made))


def signed_by(by: str, reason: str) -> Signed:
    """by: default: your login"""
    return Signed(at=rfc3339(SystemClock().now()), by=by or getpass.getuser(), reason=reason)


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True)
    except FileNotFoundError as error:
        raise ConfigError("there is no git on this machine", hint="check without --base") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ConfigError(f"git cannot read {folder}: {said}", hint="is the revision fetched?") from error
    return done.stdout
