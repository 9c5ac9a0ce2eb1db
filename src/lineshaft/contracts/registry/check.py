"""Everything that is wrong with contracts, consumers and environments, for CI to refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from lineshaft.contracts.registry.breaks import Break, breaks
from lineshaft.contracts.registry.contract import Contract, State, Version, parts
from lineshaft.contracts.registry.contracts import Contracts
from lineshaft.contracts.registry.declared import DeclaredContract
from lineshaft.contracts.registry.digest import digest_of, meaning
from lineshaft.contracts.registry.environment import split_key
from lineshaft.contracts.registry.external import schema_findings
from lineshaft.contracts.registry.party import Party, Role
from lineshaft.core.errors import ConfigError

__all__ = ["CheckFinding", "check"]


class CheckFinding(msgspec.Struct, frozen=True, kw_only=True):
    """rule: snake_case; field: path in the payload, where it is about one; broken: names of parties."""

    rule: str
    detail: str
    contract: str = ""
    version: str = ""
    field: str = ""
    broken: Sequence[str] = ()

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.contract, self.version, self.field)))
        broken = f"; breaks {', '.join(self.broken)}" if self.broken else ""
        return f"{place + ': ' if place else ''}{self.rule}: {self.detail}{broken}"


def check(
    contracts: Contracts, declared: Iterable[DeclaredContract], base: Contracts | None = None
) -> list[CheckFinding]:
    """declared: of the product, in code; base: what the change is based on, such as the main branch."""
    found = [CheckFinding(rule="unreadable", detail=each) for each in contracts.findings]
    found += _declared(contracts, declared)
    for contract in contracts.contracts.values():
        found += _documents(contract)
        found += _compatibility(contract, contracts.parties)
        found += _retired(contract, contracts.parties)
    found += _parties(contracts)
    found += _environments(contracts)
    if base is not None:
        found += _changed(contracts, base)
    return found


def _declared(contracts: Contracts, declared: Iterable[DeclaredContract]) -> Iterator[CheckFinding]:
    """Code and published files of the product demand the same."""
    seen = set()
    for each in declared:
        contract = contracts.own.contracts.get(each.name)
        published = contract.published(each.major) if contract else []
        if contract is None or not published:
            wanted = f" v{each.major}" if each.major else ""
            yield CheckFinding(
                rule="not_published",
                contract=each.name,
                detail=f"declared{wanted}, not published; run `lineshaft contracts publish --own`",
            )
            continue
        newest = published[-1]
        seen.add((each.name, newest.version.major))
        if meaning(newest.document) == meaning(each.document):
            continue
        next_minor = Version(newest.version.major, newest.version.minor + 1)
        found = breaks(contract, each.document, next_minor, contract.earlier(next_minor), contracts.parties)
        yield from map(_said, found)
        if not found:
            yield CheckFinding(
                rule="not_published",
                contract=each.name,
                version=str(next_minor),
                detail=f"differs from {newest.version}, compatibly; run `lineshaft contracts publish --own`",
            )
    for contract in contracts.own.contracts.values():
        for major in sorted({each.version.major for each in contract.published()}):
            if (contract.name, major) not in seen and contract.major_state(major).state is not State.RETIRED:
                yield CheckFinding(
                    rule="not_declared",
                    contract=contract.name,
                    detail=f"v{major} is published, and no code declares it; retire it",
                )


def _documents(contract: Contract) -> Iterator[CheckFinding]:
    for each in contract.versions:
        about = {"contract": contract.name, "version": str(each.version)}
        if each.digest and each.digest != digest_of(each.document):
            detail = "the published document was changed; undo that, and make it the next version"
            yield CheckFinding(rule="published_is_immutable", detail=detail, **about)
        if contract.is_own:
            continue  # derived from types
        try:
            for part, schema in parts(contract.kind, each.document).items():
                for said in schema_findings(schema):
                    yield CheckFinding(rule="invalid_schema", detail=f"{part} {said}".lstrip(), **about)
        except ConfigError as error:
            yield CheckFinding(rule="invalid_document", detail=error.message, **about)


def _compatibility(contract: Contract, parties: Sequence[Party]) -> Iterator[CheckFinding]:
    """Of drafts, and of what was listed as published without the check."""
    for each in contract.versions:
        try:
            found = breaks(contract, each.document, each.version, contract.earlier(each.version), parties)
        except ConfigError:
            continue  # told as no document of its kind
        yield from map(_said, found)


def _said(found: Break) -> CheckFinding:
    field = f"{found.part}.{found.field}".strip(".")
    return CheckFinding(
        rule=found.rule,
        contract=found.contract,
        version=found.version,
        field=field,
        detail=f"{found.detail} (against {found.against}; a new major may)",
        broken=found.broken,
    )


def _retired(contract: Contract, parties: Sequence[Party]) -> Iterator[CheckFinding]:
    for major, life in contract.majors.items():
        users = [
            each
            for each in parties
            if (each.contract, each.major, each.role) == (contract.name, major, Role.CONSUMER)
        ]
        if life.state is State.RETIRED and users:
            yield CheckFinding(
                rule="retired_with_consumers",
                contract=contract.name,
                detail=f"v{major} is retired, and consumers are registered: {users[0].place}",
                broken=sorted({each.party for each in users}),
            )
        if not contract.published(major):
            yield CheckFinding(
                rule="unknown_major", contract=contract.name, detail=f"v{major} has no published version"
            )


def _parties(contracts: Contracts) -> Iterator[CheckFinding]:
    for each in contracts.parties:
        contract = contracts.contracts.get(each.contract)
        if contract is None or not any(v.version.major == each.major for v in contract.versions):
            yield CheckFinding(
                rule="unknown_contract",
                contract=each.contract,
                detail=f"{each.place}: {each.party} uses v{each.major}, which is not there",
            )
        for environment in each.environments:
            if environment not in contracts.plant.environments:
                yield CheckFinding(
                    rule="unknown_environment",
                    contract=each.contract,
                    detail=f"{each.place}: {each.party} is in {environment}, which has no file;"
                    f" promote to it, or begin with an empty environments/{environment}.yaml",
                )


def _environments(contracts: Contracts) -> Iterator[CheckFinding]:
    for environment, live in contracts.plant.environments.items():
        for key, each in live.items():
            name, _major = split_key(key)
            about = {"contract": name, "version": each.version}
            contract = contracts.contracts.get(name)
            version = contract and contract.find(Version.parse(each.version))
            if contract is None or not version or version.is_draft:
                detail = f"{environment} has it live, and it is not published"
                yield CheckFinding(rule="unknown_version", detail=detail, **about)
            elif version.digest != each.digest:
                detail = f"{environment} has it live with digest {each.digest}, published is {version.digest}"
                yield CheckFinding(rule="digest_differs", detail=detail, **about)


def _changed(contracts: Contracts, base: Contracts) -> Iterator[CheckFinding]:
    """Published versions that were otherwise before."""
    for contract in base.plant.contracts.values():
        now = contracts.contracts.get(contract.name)
        for before in contract.published():
            after = now and now.find(before.version)
            if after and after.digest == before.digest:
                continue
            is_now = after.digest or "a draft" if after else "gone"
            yield CheckFinding(
                rule="published_is_immutable",
                contract=contract.name,
                version=str(before.version),
                detail=f"was published with digest {before.digest}, and is {is_now}",
            )
