"""What is live in an environment, and what promoting from one to the next would change."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from lineshaft.contracts.registry.breaks import Break, breaks
from lineshaft.contracts.registry.contract import NAME, Contract, Digest, State, Version, VersionText
from lineshaft.contracts.registry.party import Party, Role

__all__ = ["Change", "Live", "LiveVersion", "What", "key_of", "newest", "plan", "split_key", "wrong_keys"]


class LiveVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """state: published or deprecated; sunset: a date."""

    version: VersionText
    digest: Digest
    state: State = State.PUBLISHED
    sunset: str = ""


Live = Mapping[str, LiveVersion]
"""By `<name>/<major>`: of each major at most one version is live."""


class What(StrEnum):
    NEW = "new"
    UPDATED = "updated"
    STEPPED_BACK = "stepped_back"
    DEPRECATED = "deprecated"
    REVIVED = "revived"
    RETIRED = "retired"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """before, after: versions; broken: parties of the environment that it would break."""

    contract: str
    major: int
    what: What
    before: str = ""
    after: str = ""
    sunset: str = ""
    breaks: Sequence[Break] = ()
    broken: Sequence[str] = ()


def key_of(name: str, major: int) -> str:
    return f"{name}/{major}"


def split_key(key: str) -> tuple[str, int]:
    name, _, major = key.rpartition("/")
    return name, int(major)


def wrong_keys(live: Live) -> dict[str, str]:
    """What is wrong with an entry by itself, by its key."""
    wrong = {}
    for key, each in live.items():
        name, _, major = key.rpartition("/")
        if not NAME.fullmatch(name) or str(Version.parse(each.version).major) != major:
            wrong[key] = f"{key} has version {each.version}; expected <name>/<major> of that version"
        elif each.state not in {State.PUBLISHED, State.DEPRECATED}:
            wrong[key] = f"{key} is {each.state}; what is live is published or deprecated"
    return wrong


def newest(contracts: Mapping[str, Contract]) -> dict[str, LiveVersion]:
    """Of each major that is not retired, its newest published version."""
    live = {}
    for contract in contracts.values():
        for each in contract.published():
            life = contract.major_state(each.version.major)
            if life.state is not State.RETIRED:
                live[key_of(contract.name, each.version.major)] = LiveVersion(
                    version=str(each.version), digest=each.digest, state=life.state, sunset=life.sunset
                )
    return live


def plan(
    source: Live,
    target: Live,
    contracts: Mapping[str, Contract],
    parties: Collection[Party],
    *,
    only: Collection[str] = (),
) -> Iterator[Change]:
    """What makes `target` as `source`; of the named contracts only, if any are named.

    parties  those of the target
    """
    for key in sorted(source.keys() | target.keys()):
        name, major = split_key(key)
        if only and name not in only:
            continue
        concerned = [each for each in parties if (each.contract, each.major) == (name, major)]
        after, before = source.get(key), target.get(key)
        if before is None and after is not None:
            yield Change(contract=name, major=major, what=What.NEW, after=after.version, sunset=after.sunset)
        elif after is None and before is not None:
            users = sorted({each.party for each in concerned if each.role is Role.CONSUMER})
            yield Change(contract=name, major=major, what=What.RETIRED, before=before.version, broken=users)
        elif before is not None and after is not None:
            yield from _between(contracts.get(name), name, major, before, after, concerned)


def _between(
    contract: Contract | None,
    name: str,
    major: int,
    before: LiveVersion,
    after: LiveVersion,
    concerned: Collection[Party],
) -> Iterator[Change]:
    if (before.version, before.digest) != (after.version, after.digest):
        ahead = Version.parse(after.version) >= Version.parse(before.version)
        found = _breaks(contract, before.version, after.version, concerned)
        yield Change(
            contract=name,
            major=major,
            what=What.UPDATED if ahead else What.STEPPED_BACK,
            before=before.version,
            after=after.version,
            breaks=found,
            broken=sorted({party for each in found for party in each.broken}),
        )
    if (before.state, before.sunset) != (after.state, after.sunset):
        yield Change(
            contract=name,
            major=major,
            what=What.DEPRECATED if after.state is State.DEPRECATED else What.REVIVED,
            before=before.version,
            after=after.version,
            sunset=after.sunset,
        )


def _breaks(contract: Contract | None, before: str, after: str, concerned: Collection[Party]) -> list[Break]:
    if contract is None:
        return []
    old, new = contract.find(Version.parse(before)), contract.find(Version.parse(after))
    if old is None or new is None:
        return []
    return breaks(contract, new.document, new.version, [old], concerned)
