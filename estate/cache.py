"""Where the estate keeps what is expensive to build and may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """`$LINESHAFT_CACHE`, else `$XDG_CACHE_HOME/lineshaft`, else `~/.cache/lineshaft`; may not exist yet."""
    if own := os.environ.get("LINESHAFT_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "lineshaft"
