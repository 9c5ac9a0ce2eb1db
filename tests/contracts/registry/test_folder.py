"""The files of a folder of contracts, read and written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineshaft.contracts.registry import Compatibility, Kind, LiveVersion, Role, State, Version, digest_of
from lineshaft.contracts.registry.folder import read_folder, write_environment, write_registry
from tests.contracts.registry.files import DESADV, SHIPMENT, SIGNED, WITH_CARRIER, add, consumers


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    found = read_folder(tmp_path / "contracts")
    assert (found.contracts, found.parties, found.environments, found.findings) == ({}, [], {}, [])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT, compatibility=Compatibility.BACKWARD)
    add(tmp_path, WITH_CARRIER, published=False)
    found = read_folder(tmp_path)
    contract = found.contracts[DESADV]
    assert found.findings == []
    assert (contract.kind, contract.owner, contract.compatibility) == ("external", "purchasing", "backward")
    first, second = contract.versions
    assert (first.version, first.document, first.digest) == (Version(1, 0), SHIPMENT, digest_of(SHIPMENT))
    assert (first.at, first.by, first.reason) == (SIGNED.at, SIGNED.by, SIGNED.reason)
    assert (second.version, second.document, second.is_draft) == (Version(1, 1), WITH_CARRIER, True)


def test_a_version_is_one_line_of_the_registry(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    before = (tmp_path / "registry.yaml").read_text().splitlines()
    add(tmp_path, WITH_CARRIER)
    after = (tmp_path / "registry.yaml").read_text().splitlines()
    assert (len(after), after[:-1]) == (len(before) + 1, before)


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    before = (tmp_path / "registry.yaml").read_bytes()
    write_registry(tmp_path, read_folder(tmp_path).contracts)
    assert (tmp_path / "registry.yaml").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [DESADV, "registry.yaml"]


def test_a_json_registry_stays_one(tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text("{}")
    add(tmp_path, SHIPMENT)
    assert not (tmp_path / "registry.yaml").exists()
    known = msgspec.json.decode((tmp_path / "registry.json").read_bytes())
    assert list(known["contracts"][DESADV]["versions"]) == ["1.0"]
    assert read_folder(tmp_path, own=True).contracts[DESADV].is_own


def test_parties_have_the_line_that_says_them(tmp_path: Path) -> None:
    consumers(
        tmp_path,
        """\
parties:
  receiving:
    contact: dock@acme.example
    consumes:
      - {contract: partner.acme.desadv, major: 1, fields: [shipment]}
      - {contract: a.b, major: 2, environments: [test]}
  acme:
    produces:
      - {contract: partner.acme.desadv, major: 1}
""",
    )
    first, second, third = read_folder(tmp_path).parties
    assert (first.party, first.major, first.role, first.fields) == (
        "receiving",
        1,
        Role.CONSUMER,
        ["shipment"],
    )
    assert (first.contact, first.place) == ("dock@acme.example", f"{tmp_path / 'consumers.yaml'}:5")
    assert (second.contract, second.environments, second.place[-1]) == ("a.b", ["test"], "6")
    assert (third.party, third.role) == ("acme", Role.PRODUCER)


def test_an_environment_is_written_and_read(tmp_path: Path) -> None:
    live = {
        "z.z/1": LiveVersion(version="1.4", digest=digest_of({})),
        "a.b/2": LiveVersion(
            version="2.0", digest=digest_of({}), state=State.DEPRECATED, sunset="2027-01-01"
        ),
    }
    write_environment(tmp_path, "prod", live)
    assert read_folder(tmp_path).environments == {"prod": live}
    lines = (tmp_path / "environments" / "prod.yaml").read_text().splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["live", "a.b/2", "z.z/1"]


PROD = "environments/prod.yaml"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "registry.yaml",
            "contracts:\n  a.b: {kind: evnt, owner: x}\n",
            "registry.yaml:2: contracts.a.b.kind",
        ),
        ("registry.yaml", "contracts:\n  a.b: {kind: event}\n", 'registry.yaml:2: contracts.a.b: "owner"'),
        ("registry.yaml", "contracts:\n  A: {kind: event, owner: x}\n", "registry.yaml:"),
        ("registry.yaml", "contrats: {}\n", "did you mean 'contracts'?"),
        (
            "consumers.yaml",
            "parties:\n  p:\n    consumes:\n    - {contract: a.b, major: 0}\n",
            "consumers.yaml:4",
        ),
        ("consumers.yaml", "[", "consumers.yaml:"),
        (PROD, "live:\n  a.b/1: {version: '2.0', digest: D}\n", "prod.yaml:2: a.b/1 has version 2.0"),
        (PROD, "live:\n  ab: {version: '2.0', digest: D}\n", "prod.yaml:2: ab has version"),
        (PROD, "live:\n  a.b/1: {version: '1.0', digest: D, state: draft}\n", "a.b/1 is draft"),
        (PROD, "live:\n  a.b/1: {version: '1', digest: D}\n", "prod.yaml:2: live.a.b/1.version"),
        ("a.b/1.json", "{}", "'1' is no version"),
        ("a.b/1.0.json", "{", "1.0.json is not JSON"),
        ("a.b/1.0.json", "{}", "registry.yaml has no entry for it"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text.replace("digest: D", f"digest: '{digest_of({})}'"))
    (finding,) = read_folder(tmp_path).findings
    assert said in finding
    assert str(tmp_path / file.partition("/1")[0]) in finding


def test_a_published_document_that_is_gone(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    (tmp_path / DESADV / "1.0.json").unlink()
    found = read_folder(tmp_path)
    assert "1.0 is published, and partner.acme.desadv/1.0.json cannot be read" in found.findings[0]
    assert found.contracts[DESADV].versions == []
    assert found.contracts[DESADV].kind is Kind.EXTERNAL
