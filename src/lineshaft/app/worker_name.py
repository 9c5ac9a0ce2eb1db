"""The name of this worker: the same at each start on one data folder, unlike any other's."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from lineshaft.core.ids import new_id

__all__ = ["worker_name"]


def worker_name(data_dir: Path) -> str:
    """`<host>-<eight letters>`, kept in `<data>/worker`; a copied data folder needs that file deleted."""
    path = data_dir / "worker"
    if not path.exists():
        host = re.sub(r"[^a-z0-9-]", "-", socket.gethostname().lower())[:40]
        draft = path.with_suffix(".tmp")
        draft.write_text(f"{host}-{new_id()[:8]}")
        draft.replace(path)
    return path.read_text().strip()
