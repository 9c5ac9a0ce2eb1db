"""How a lake is written and how long it keeps what."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["LakePolicy"]

_STANDARD = "standard"
_STANDARD_DAYS = 400.0

_Days = Annotated[float, msgspec.Meta(gt=0, le=365_000)]
_Class = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,199}$")]


class LakePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """keep           days by retention class; `standard` is the class of tags that name none, 400 days unless
                      given here
    facts_days        of aggregates, counts and states
    flush_rows        so many readings are written at once, without waiting to be asked
    most_rows         so many may wait in memory, 45 bytes each; then appending waits for the disk
    compact_files     small files of one day and class that are worth making one of, while the day lasts
    vacuum_hours      a file that compaction or retention took out stays so long, for queries under way
    storage_options   of an object store, as the deltalake package has them
    """

    keep: dict[_Class, _Days] = msgspec.field(default_factory=dict)
    facts_days: _Days = 3650
    flush_rows: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000
    most_rows: Annotated[int, msgspec.Meta(ge=1)] = 8_000_000
    compact_files: Annotated[int, msgspec.Meta(ge=2)] = 60
    vacuum_hours: Annotated[int, msgspec.Meta(ge=1)] = 24
    storage_options: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def classes(self) -> dict[str, float]:
        """Days by retention class."""
        return {_STANDARD: _STANDARD_DAYS} | self.keep
