"""Where the last scenario or demo left its data, so that `lineshaft trace` finds it without a flag."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir", "last_run_settings", "note_last_run"]


def cache_dir() -> Path:
    """`$LINESHAFT_CACHE`, else `$XDG_CACHE_HOME/lineshaft`, else `~/.cache/lineshaft`."""
    if own := os.environ.get("LINESHAFT_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lineshaft"


def note_last_run(settings: Path) -> None:
    pointer = cache_dir() / "last-run"
    pointer.parent.mkdir(parents=True, exist_ok=True)
    draft = pointer.with_suffix(f".{os.getpid()}")
    draft.write_text(str(settings.resolve()))
    draft.replace(pointer)


def last_run_settings() -> Path | None:
    pointer = cache_dir() / "last-run"
    if not pointer.exists():
        return None
    settings = Path(pointer.read_text().strip())
    return settings if settings.exists() else None
