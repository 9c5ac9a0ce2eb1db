"""Versions of contracts: published, promoted through environments, deprecated and retired."""

from lineshaft.contracts.registry.breaks import Break, breaks
from lineshaft.contracts.registry.check import CheckFinding, check
from lineshaft.contracts.registry.contract import (
    Compatibility,
    Contract,
    ContractVersion,
    Document,
    Kind,
    MajorState,
    State,
    Version,
)
from lineshaft.contracts.registry.contracts import OWN, Contracts, read_contracts
from lineshaft.contracts.registry.declared import DeclaredContract, declared_contracts
from lineshaft.contracts.registry.digest import digest_of, meaning
from lineshaft.contracts.registry.drift import Drift, Drifted, drift
from lineshaft.contracts.registry.environment import Change, LiveVersion, What
from lineshaft.contracts.registry.external import read_document, schema_findings
from lineshaft.contracts.registry.live import ContractRegistry, LiveContract, Registration
from lineshaft.contracts.registry.party import Party, Role
from lineshaft.contracts.registry.promotion import live_contracts, planned, promote
from lineshaft.contracts.registry.publish import (
    Signed,
    deprecate,
    draft,
    publish,
    publish_own,
    retire,
)

__all__ = [
    "OWN",
    "Break",
    "Change",
    "CheckFinding",
    "Compatibility",
    "Contract",
    "ContractRegistry",
    "ContractVersion",
    "Contracts",
    "DeclaredContract",
    "Document",
    "Drift",
    "Drifted",
    "Kind",
    "LiveContract",
    "LiveVersion",
    "MajorState",
    "Party",
    "Registration",
    "Role",
    "Signed",
    "State",
    "Version",
    "What",
    "breaks",
    "check",
    "declared_contracts",
    "deprecate",
    "digest_of",
    "draft",
    "drift",
    "live_contracts",
    "meaning",
    "planned",
    "promote",
    "publish",
    "publish_own",
    "read_contracts",
    "read_document",
    "retire",
    "schema_findings",
]
