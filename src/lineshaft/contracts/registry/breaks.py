"""What a new version of a contract would break, and whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from lineshaft.contracts.compatibility import Mode, compare
from lineshaft.contracts.registry.contract import Contract, ContractVersion, Document, Version, parts
from lineshaft.contracts.registry.party import Party, broken_by

__all__ = ["Break", "breaks"]


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """field: as `lines[].quantity`; broken: names of parties; the rest as in compatibility.Finding."""

    contract: str
    version: str
    against: str
    part: str
    path: str
    field: str
    rule: str
    detail: str
    direction: str
    witness: str = ""
    broken: Sequence[str] = ()

    def __str__(self) -> str:
        part = f"{self.part} " if self.part else ""
        broken = f"; breaks {', '.join(self.broken)}" if self.broken else ""
        return (
            f"{self.contract} {self.version}: {part}{self.field or '(root)'}: {self.rule}: {self.detail}"
            f" (against {self.against}){broken}"
        )


def breaks(
    contract: Contract,
    document: Document,
    version: Version,
    against: Sequence[ContractVersion],
    parties: Collection[Party],
) -> list[Break]:
    """How the document is not what the contract's compatibility asks for; empty: it may be published.

    parties  anybody; those of other contracts are left out
    """
    found = []
    for old in against:
        concerned = [
            each for each in parties if (each.contract, each.major) == (contract.name, old.version.major)
        ]
        before = parts(contract.kind, old.document)
        for part, schema in parts(contract.kind, document).items():
            mode = Mode(contract.compatibility.direction(part))
            for finding in compare(before[part], schema, mode):
                broken = broken_by(concerned, contract.kind, part, finding.direction, finding.field)
                found.append(
                    Break(
                        contract=contract.name,
                        version=str(version),
                        against=str(old.version),
                        part=part,
                        path=finding.path,
                        field=finding.field,
                        rule=finding.rule,
                        detail=finding.detail,
                        direction=finding.direction,
                        witness=finding.witness,
                        broken=sorted({each.party for each in broken}),
                    )
                )
    return found
