"""How a lake is written and how long it keeps what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec

from lineshaft.core.errors import ConfigError
from lineshaft.telemetry.tags import Tag, nearest

__all__ = ["STANDARD", "LakePolicy", "check_classes", "needs_lake_extra"]

STANDARD = "standard"
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
        return {STANDARD: _STANDARD_DAYS} | self.keep


def check_classes(tags: Iterable[Tag], policy: LakePolicy) -> list[str]:
    """One finding for each retention class that tags name and the policy does not."""
    known = policy.classes
    first = {tag.keep: tag.tag for tag in reversed(list(tags)) if tag.keep not in known}
    return [
        f"tag {tag!r}: keep {keep!r} is no retention class of the lake"
        f"{nearest(keep, known) or '; known: ' + ', '.join(known)}"
        for keep, tag in first.items()
    ]


@contextmanager
def needs_lake_extra() -> Iterator[None]:
    """raises  ConfigError for a package of the extra that cannot be imported inside"""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"the lake needs the package {error.name}, which is not installed",
            hint="pip install 'lineshaft[lake]', or take the lake out of the settings",
        ) from error
