"""A folder of contracts as it is kept in Git.

    <name>/<major>.<minor>.json   a document; a draft as long as registry.yaml does not list it
    registry.yaml                 owners, published versions with their digests, states of majors
    consumers.yaml                who consumes and produces what
    environments/<name>.yaml      what is live there

What comes with the product is such a folder too, with a registry.json, which is read faster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import yaml

from lineshaft.contracts.registry.contract import (
    Compatibility,
    Contract,
    ContractVersion,
    Digest,
    Document,
    Kind,
    MajorState,
    Name,
    Version,
    VersionText,
)
from lineshaft.contracts.registry.environment import Live, LiveVersion, wrong_keys
from lineshaft.contracts.registry.external import read_document
from lineshaft.contracts.registry.party import Party, Role
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile

__all__ = ["Folder", "read_folder", "write_document", "write_environment", "write_registry"]

T = TypeVar("T")
_MajorText = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,5}$")]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class _VersionEntry(_Section, frozen=True, kw_only=True):
    digest: Digest
    at: str = ""
    by: str = ""
    reason: str = ""


class _Entry(_Section, frozen=True, kw_only=True):
    kind: Kind
    owner: str
    compatibility: Compatibility = Compatibility.FULL_TRANSITIVE
    versions: dict[VersionText, _VersionEntry] = msgspec.field(default_factory=dict)
    majors: dict[_MajorText, MajorState] = msgspec.field(default_factory=dict)


class _Registry(_Section, frozen=True, kw_only=True):
    contracts: dict[Name, _Entry] = msgspec.field(default_factory=dict)


class _Use(_Section, frozen=True, kw_only=True):
    contract: Name
    major: Annotated[int, msgspec.Meta(ge=1)]
    fields: list[str] = msgspec.field(default_factory=list)
    environments: list[str] = msgspec.field(default_factory=list)


class _PartyEntry(_Section, frozen=True, kw_only=True):
    contact: str = ""
    consumes: list[_Use] = msgspec.field(default_factory=list)
    produces: list[_Use] = msgspec.field(default_factory=list)


class _Parties(_Section, frozen=True, kw_only=True):
    parties: dict[str, _PartyEntry] = msgspec.field(default_factory=dict)


class _Environment(_Section, frozen=True, kw_only=True):
    live: dict[str, LiveVersion] = msgspec.field(default_factory=dict)


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """findings: what could not be read, one line each with file and line; that is left out."""

    path: Path
    contracts: Mapping[str, Contract] = {}
    parties: Sequence[Party] = ()
    environments: Mapping[str, Live] = {}
    findings: Sequence[str] = ()


def read_folder(path: Path, *, own: bool = False) -> Folder:
    """A folder that is not there has no contracts. own: the one that comes with the product."""
    findings: list[str] = []
    registry, where = _read_registry(path, findings)
    documents = _read_documents(path, findings)
    for name in documents.keys() - registry.contracts.keys():
        findings.append(
            f"{path / name}: registry.yaml has no entry for it; `lineshaft contracts register` makes one"
        )
    contracts = {
        name: _contract(name, entry, documents.get(name, {}), f"{where}: {name}", findings, own)
        for name, entry in sorted(registry.contracts.items())
    }
    return Folder(
        path=path,
        contracts=contracts,
        parties=_read_parties(path / "consumers.yaml", findings),
        environments=_read_environments(path / "environments", findings),
        findings=findings,
    )


def write_document(path: Path, name: str, version: Version, document: Document, *, compact: bool) -> Path:
    """The file of a version; compact: on one line."""
    file = path / name / f"{version}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.encode(document, order="sorted" if compact else None)
    _replace(file, data if compact else msgspec.json.format(data, indent=2))
    return file


def write_registry(path: Path, contracts: Mapping[str, Contract]) -> None:
    """registry.json where there is one, else registry.yaml; one line for each version."""
    path.mkdir(parents=True, exist_ok=True)
    known = _Registry(contracts={name: _entry(each) for name, each in sorted(contracts.items())})
    if (path / "registry.json").exists():
        _replace(path / "registry.json", msgspec.json.format(msgspec.json.encode(known), indent=1))
        return
    _replace(path / "registry.yaml", _yaml(known))


def write_environment(path: Path, name: str, live: Live) -> None:
    file = path / "environments" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    _replace(file, _yaml(_Environment(live=dict(sorted(live.items())))))


def _yaml(value: _Section) -> bytes:
    """One line for each innermost mapping, so that a change is one line in a review."""
    plain = msgspec.to_builtins(value)
    return yaml.safe_dump(
        plain, sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True
    ).encode()


def _replace(file: Path, data: bytes) -> None:
    draft = file.with_name(file.name + ".new")
    draft.write_bytes(data.rstrip(b"\n") + b"\n")
    os.replace(draft, file)


def _entry(contract: Contract) -> _Entry:
    return _Entry(
        kind=contract.kind,
        owner=contract.owner,
        compatibility=contract.compatibility,
        versions={
            str(each.version): _VersionEntry(digest=each.digest, at=each.at, by=each.by, reason=each.reason)
            for each in contract.published()
        },
        majors={str(major): state for major, state in sorted(contract.majors.items())},
    )


def _contract(
    name: str, entry: _Entry, documents: dict[Version, Document], where: str, findings: list[str], own: bool
) -> Contract:
    listed = {Version.parse(text): each for text, each in entry.versions.items()}
    for version in sorted(listed.keys() - documents.keys()):
        findings.append(f"{where}: {version} is published, and {name}/{version}.json cannot be read")
    versions = []
    for version, document in sorted(documents.items()):
        given = listed.get(version)
        made = ContractVersion(version=version, document=document)
        if given is not None:
            made = msgspec.structs.replace(
                made, digest=given.digest, at=given.at, by=given.by, reason=given.reason
            )
        versions.append(made)
    return Contract(
        name=name,
        kind=entry.kind,
        owner=entry.owner,
        compatibility=entry.compatibility,
        versions=versions,
        majors={int(major): state for major, state in entry.majors.items()},
        is_own=own,
    )


def _read_registry(path: Path, findings: list[str]) -> tuple[_Registry, Path]:
    file = path / "registry.json"
    if file.exists():
        return msgspec.json.decode(file.read_bytes(), type=_Registry), file
    file = path / "registry.yaml"
    return _read(file, _Registry, findings) or _Registry(), file


def _read_documents(path: Path, findings: list[str]) -> dict[str, dict[Version, Document]]:
    found: dict[str, dict[Version, Document]] = {}
    for file in sorted(path.glob("*/*.json")):
        try:
            version = Version.parse(file.stem)
            document = read_document(file.read_bytes(), str(file))
        except (ConfigError, OSError) as error:
            findings.append(str(error))
        except ValueError as error:
            findings.append(f"{file}: {error}")
        else:
            found.setdefault(file.parent.name, {})[version] = document
    return found


def _read_parties(file: Path, findings: list[str]) -> list[Party]:
    known = _read(file, _Parties, findings)
    if known is None:
        return []
    lines = YamlFile(file)
    return [
        Party(
            party=name,
            contract=use.contract,
            major=use.major,
            role=role,
            fields=use.fields,
            contact=entry.contact,
            environments=use.environments,
            place=lines.where(["parties", name, key, index]),
        )
        for name, entry in known.parties.items()
        for key, role, uses in (
            ("consumes", Role.CONSUMER, entry.consumes),
            ("produces", Role.PRODUCER, entry.produces),
        )
        for index, use in enumerate(uses)
    ]


def _read_environments(path: Path, findings: list[str]) -> dict[str, Live]:
    found: dict[str, Live] = {}
    for file in sorted(path.glob("*.yaml")):
        known = _read(file, _Environment, findings)
        if known is not None:
            wrong = wrong_keys(known.live)
            findings += [f"{YamlFile(file).where(['live', key])}: {said}" for key, said in wrong.items()]
            found[file.stem] = {key: each for key, each in known.live.items() if key not in wrong}
    return found


def _read(file: Path, type: type[T], findings: list[str]) -> T | None:
    """None where there is no such file, or it is wrong."""
    if not file.exists():
        return None
    try:
        return YamlFile(file).read(type)
    except ConfigError as error:
        findings += error.findings or [str(error)]
        return None
