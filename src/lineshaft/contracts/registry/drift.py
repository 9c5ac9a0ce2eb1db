"""Where an environment is not what was promoted to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

import msgspec

from lineshaft.contracts.registry.declared import DeclaredContract
from lineshaft.contracts.registry.digest import digest_of, meaning
from lineshaft.contracts.registry.live import LiveContract

__all__ = ["Drift", "Drifted", "drift"]


class Drifted(StrEnum):
    """Of the promoted file and what the node's database has as live, or what its code declares."""

    NOT_LIVE = "not_live"
    NOT_PROMOTED = "not_promoted"
    VERSION = "version_differs"
    DIGEST = "digest_differs"
    STATE = "state_differs"
    CODE = "code_differs"


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    contract: str
    major: int
    what: Drifted
    promoted: str = ""
    found: str = ""

    def __str__(self) -> str:
        said = f"promoted {self.promoted or 'nothing'}, found {self.found or 'nothing'}"
        return f"{self.contract} v{self.major}: {self.what}: {said}"


def drift(
    promoted: Collection[LiveContract],
    recorded: Collection[LiveContract],
    declared: Iterable[DeclaredContract] = (),
) -> list[Drift]:
    """recorded: of the node's database; declared: by the code that it runs."""
    wanted = {(each.name, each.major): each for each in promoted}
    there = {(each.name, each.major): each for each in recorded}
    found = []
    for name, major in sorted(wanted.keys() | there.keys()):
        for what, left, right in _between(wanted.get((name, major)), there.get((name, major))):
            found.append(Drift(contract=name, major=major, what=what, promoted=left, found=right))
    newest = {name: each for (name, _), each in sorted(wanted.items())}
    for code in declared:
        expected = wanted.get((code.name, code.major)) if code.major else newest.get(code.name)
        if expected is None or meaning(expected.document) != meaning(code.document):
            found.append(
                Drift(
                    contract=code.name,
                    major=code.major or (expected.major if expected else 1),
                    what=Drifted.CODE,
                    promoted=expected.version if expected else "",
                    found="another document in the code of this node",
                )
            )
    return found


def _between(wanted: LiveContract | None, there: LiveContract | None) -> Iterator[tuple[Drifted, str, str]]:
    if there is None:
        yield Drifted.NOT_LIVE, wanted.version if wanted else "", ""
    elif wanted is None:
        yield Drifted.NOT_PROMOTED, "", there.version
    elif wanted.version != there.version:
        yield Drifted.VERSION, wanted.version, there.version
    elif not wanted.digest == there.digest == digest_of(there.document):
        recorded = there.digest if there.digest != wanted.digest else digest_of(there.document)
        yield Drifted.DIGEST, wanted.digest, recorded
    if wanted and there and (wanted.state, wanted.sunset) != (there.state, there.sunset):
        yield (
            Drifted.STATE,
            f"{wanted.state} {wanted.sunset}".strip(),
            f"{there.state} {there.sunset}".strip(),
        )
