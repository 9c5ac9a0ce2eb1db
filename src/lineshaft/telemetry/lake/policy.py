"""What a lake asks of the settings: retention classes that it knows, and the packages of its extra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from lineshaft.core.errors import ConfigError
from lineshaft.core.lake_policy import LakePolicy
from lineshaft.telemetry.tags import Tag, nearest

__all__ = ["check_classes", "needs_lake_extra"]


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
