"""Changes of a folder of contracts, each refused where a rule of the registry does not hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date

import msgspec

from lineshaft.contracts.registry.breaks import breaks
from lineshaft.contracts.registry.contract import (
    NAME,
    Compatibility,
    Contract,
    ContractVersion,
    Document,
    Kind,
    MajorState,
    State,
    Version,
    parts,
)
from lineshaft.contracts.registry.contracts import Contracts
from lineshaft.contracts.registry.declared import DeclaredContract
from lineshaft.contracts.registry.digest import digest_of, meaning
from lineshaft.contracts.registry.external import schema_findings
from lineshaft.contracts.registry.folder import Folder, write_document, write_registry
from lineshaft.contracts.registry.party import Role
from lineshaft.core.errors import ConfigError

__all__ = ["Signed", "deprecate", "draft", "publish", "publish_own", "retire"]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """at: RFC 3339"""

    at: str
    by: str
    reason: str = ""


def draft(
    contracts: Contracts,
    name: str,
    document: Document,
    *,
    kind: Kind,
    owner: str,
    compatibility: Compatibility,
    new_major: bool = False,
) -> Version:
    """Write a document as the next version, to be reviewed; in place of an earlier draft of that version.

    owner  of a contract that is there: empty, or the same

    raises  ConfigError with every finding
    """
    known = contracts.contracts.get(name)
    if known is not None and (known.is_own or owner not in {"", known.owner}):
        owned = "comes with the product" if known.is_own else f"belongs to {known.owner}"
        raise ConfigError(f"{name} {owned}", hint="give yours another name")
    if known is None and not (NAME.fullmatch(name) and owner):
        raise ConfigError(
            f"{name!r} cannot be registered for owner {owner!r}",
            hint="a name is like partner.acme.desadv, and a new contract needs an --owner",
        )
    contract = known or Contract(name=name, kind=kind, owner=owner, compatibility=compatibility)
    findings = [
        f"{part} {said}".lstrip()
        for part, schema in parts(contract.kind, document).items()
        for said in schema_findings(schema)
    ]
    version = contract.next_version(new_major=new_major)
    if not findings:
        found = breaks(contract, document, version, contract.earlier(version), contracts.parties)
        findings = [str(each) for each in found]
    if findings:
        raise ConfigError(
            f"{name} {version} cannot be registered",
            findings=findings,
            hint="mend it, or register it with --new-major" if contract.published() else "mend it",
        )
    write_document(contracts.plant.path, name, version, document, compact=False)
    if known is None:
        _write(contracts.plant, contract)
    return version


def publish(contracts: Contracts, names: Collection[str], signed: Signed) -> list[tuple[str, Version]]:
    """Publish the drafts of these contracts, or of all, after the check; they cannot be changed any more.

    raises  ConfigError with every finding; then none is published
    """
    findings: list[str] = list(contracts.findings)
    changed, done = [], []
    for name in names or contracts.plant.contracts:
        contract = contracts.contract(name)
        if contract.is_own:
            raise ConfigError(f"{name} comes with the product", hint="in its source: publish --own")
        findings += [
            f"{name} {each.version}: the published document was changed; undo that"
            for each in contract.published()
            if each.digest != digest_of(each.document)
        ]
        for each in contract.drafts:
            problems = [
                f"{name} {each.version}: {part} {said}"
                for part, schema in parts(contract.kind, each.document).items()
                for said in schema_findings(schema)
            ]
            if not problems:
                earlier = contract.earlier(each.version)
                found = breaks(contract, each.document, each.version, earlier, contracts.parties)
                problems = [str(one) for one in found]
            findings += problems
            contract = _with(contract, _published(each.version, each.document, signed))
            done.append((name, each.version))
        changed.append(contract)
    if findings:
        raise ConfigError("nothing was published", findings=findings)
    _write(contracts.plant, *changed)
    return done


def publish_own(
    contracts: Contracts,
    declared: Iterable[DeclaredContract],
    signed: Signed,
    *,
    new_majors: Collection[str] = (),
) -> list[tuple[str, Version]]:
    """Write what the code declares beside what the product has published.

    new_majors  names of operations that may break their callers; an event has its major in its type

    raises  ConfigError with every finding; then none is published
    """
    findings: list[str] = []
    changed, done, written = [], [], []
    for each in declared:
        contract = contracts.own.contracts.get(each.name) or Contract(
            name=each.name, kind=each.kind, owner=each.owner, is_own=True
        )
        contract = msgspec.structs.replace(contract, owner=each.owner, compatibility=each.compatibility)
        changed.append(contract)
        published = contract.published(each.major)
        if published and meaning(published[-1].document) == meaning(each.document):
            continue
        last = published[-1].version if published else Version(each.major or 1, -1)
        version = Version(last.major, last.minor + 1)
        found = breaks(contract, each.document, version, contract.earlier(version), contracts.parties)
        if found and each.name in new_majors and each.major is None:
            version = contract.next_version(new_major=True)
        elif found:
            findings += [str(one) for one in found]
            continue
        changed[-1] = _with(contract, _published(version, each.document, signed))
        written.append((each.name, version, each.document))
        done.append((each.name, version))
    if findings:
        raise ConfigError(
            "nothing was published", findings=findings, hint="an event needs a type of the next major"
        )
    for name, version, document in written:
        write_document(contracts.own.path, name, version, document, compact=True)
    _write(contracts.own, *changed)
    return done


def deprecate(contracts: Contracts, name: str, major: int, sunset: str, signed: Signed, *, own: bool) -> None:
    """sunset: a date, from which the major may be gone.

    raises  ConfigError
    """
    try:
        date.fromisoformat(sunset)
    except ValueError:
        raise ConfigError(f"{sunset!r} is no date", hint="such as 2027-06-30") from None
    _live(contracts, name, major, own)
    _set(contracts, name, major, State.DEPRECATED, sunset, signed, own)


def retire(contracts: Contracts, name: str, major: int, signed: Signed, *, own: bool) -> None:
    """raises  ConfigError, also as long as a consumer is registered"""
    life = _live(contracts, name, major, own)
    left = sorted(
        f"{each.place}: {each.party} consumes {name} v{major}"
        for each in contracts.parties
        if (each.contract, each.major, each.role) == (name, major, Role.CONSUMER)
    )
    if left:
        raise ConfigError(
            f"{name} v{major} cannot be retired: it has {len(left)} consumer(s)",
            findings=left,
            hint="deprecate it, and retire it when they have moved",
        )
    _set(contracts, name, major, State.RETIRED, life.sunset, signed, own)


def _live(contracts: Contracts, name: str, major: int, own: bool) -> MajorState:
    contract = contracts.contract(name)
    life = contract.major_state(major)
    if life.state in {State.DRAFT, State.RETIRED}:
        said = "is retired" if life.state is State.RETIRED else "has no published version"
        raise ConfigError(f"{name} v{major} {said}", hint=f"see `lineshaft contracts show {name}`")
    if contract.is_own and not own:
        raise ConfigError(
            f"{name} comes with the product",
            hint="its state is the product's to change (--own, in its source); promote without it instead",
        )
    return life


def _set(
    contracts: Contracts, name: str, major: int, state: State, sunset: str, signed: Signed, own: bool
) -> None:
    contract = contracts.contract(name)
    life = MajorState(state=state, sunset=sunset, at=signed.at, by=signed.by, reason=signed.reason)
    majors = {**contract.majors, major: life}
    _write(contracts.own if own else contracts.plant, msgspec.structs.replace(contract, majors=majors))


def _published(version: Version, document: Document, signed: Signed) -> ContractVersion:
    return ContractVersion(
        version=version,
        document=document,
        digest=digest_of(document),
        at=signed.at,
        by=signed.by,
        reason=signed.reason,
    )


def _with(contract: Contract, version: ContractVersion) -> Contract:
    others = [each for each in contract.versions if each.version != version.version]
    versions = sorted([*others, version], key=lambda each: each.version)
    return msgspec.structs.replace(contract, versions=versions)


def _write(folder: Folder, *changed: Contract) -> None:
    write_registry(folder.path, {**folder.contracts, **{each.name: each for each in changed}})
