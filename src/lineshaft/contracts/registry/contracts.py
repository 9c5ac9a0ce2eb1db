"""All contracts of an installation: those that come with the product and those of the plant's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lineshaft.contracts.registry.contract import Contract
from lineshaft.contracts.registry.environment import Live
from lineshaft.contracts.registry.folder import Folder, read_folder
from lineshaft.contracts.registry.party import Party
from lineshaft.core.errors import ConfigError

__all__ = ["OWN", "Contracts", "read_contracts"]

OWN = Path(__file__).parent.parent / "published"
"""The folder that comes with the product."""


class Contracts(msgspec.Struct, frozen=True, kw_only=True):
    """own: folder of the product; plant: that of the plant, which has the parties and environments."""

    own: Folder
    plant: Folder
    contracts: Mapping[str, Contract]
    findings: Sequence[str] = ()

    @property
    def parties(self) -> Sequence[Party]:
        return self.plant.parties

    def parties_in(self, environment: str) -> list[Party]:
        return [each for each in self.parties if each.is_in(environment)]

    def contract(self, name: str) -> Contract:
        """raises  ConfigError"""
        found = self.contracts.get(name)
        if found is None:
            raise ConfigError(
                f"there is no contract {name!r}", hint="see `lineshaft contracts list` for those there are"
            )
        return found

    def live(self, environment: str) -> Live:
        """raises  ConfigError"""
        found = self.plant.environments.get(environment)
        if found is None:
            known = ", ".join(self.plant.environments) or "none"
            raise ConfigError(
                f"there is no {self.plant.path / 'environments' / environment}.yaml; environments: {known}",
                hint=f"lineshaft contracts promote --to {environment}",
            )
        return found


def read_contracts(plant: Path, own: Path = OWN) -> Contracts:
    """What is wrong with the files is among the findings, and left out."""
    ours, theirs = read_folder(own, own=True), read_folder(plant)
    twice = ours.contracts.keys() & theirs.contracts.keys()
    findings = [
        f"{plant / name}: the product has a contract of this name; give yours another"
        for name in sorted(twice)
    ]
    return Contracts(
        own=ours,
        plant=theirs,
        contracts={**theirs.contracts, **ours.contracts},
        findings=[*ours.findings, *theirs.findings, *findings],
    )
