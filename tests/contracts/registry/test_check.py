"""Each thing that CI has to refuse."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineshaft.contracts.registry import (
    CheckFinding,
    Compatibility,
    DeclaredContract,
    Document,
    Kind,
    State,
    check,
    declared_contracts,
    digest_of,
    promote,
    publish_own,
    read_contracts,
    retire,
)
from tests.contracts.registry.files import (
    DESADV,
    MUST_HAVE_WEIGHT,
    SHIPMENT,
    SIGNED,
    WITH_CARRIER,
    add,
    consumers,
    read,
)

USES = "parties: {acme: {produces: [{contract: partner.acme.desadv, major: 1, fields: [weight]}]}}\n"


def checked(plant: Path) -> list[CheckFinding]:
    return check(read(plant), [])


def write(plant: Path, version: str, document: Document) -> None:
    (plant / DESADV).mkdir(exist_ok=True)
    (plant / DESADV / f"{version}.json").write_bytes(msgspec.json.encode(document))


def test_a_sound_folder_has_no_finding(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    add(tmp_path, WITH_CARRIER)
    add(tmp_path, MUST_HAVE_WEIGHT, new_major=True)
    consumers(tmp_path, USES)
    promote(read(tmp_path), "", "dev")
    assert check(read(tmp_path), [], read(tmp_path)) == []


def test_a_breaking_draft_names_field_rule_and_whom_it_breaks(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    write(tmp_path, "1.1", MUST_HAVE_WEIGHT)
    consumers(tmp_path, USES)
    (found,) = checked(tmp_path)
    assert (found.contract, found.version, found.field, found.broken) == (DESADV, "1.1", "weight", ["acme"])
    assert found.rule
    assert str(found).startswith(f"partner.acme.desadv 1.1 weight: {found.rule}: ")
    assert str(found).endswith("; breaks acme")


def test_who_does_not_use_the_field_is_not_named(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    write(tmp_path, "1.1", MUST_HAVE_WEIGHT)
    consumers(tmp_path, USES.replace("weight", "shipment"))
    (found,) = checked(tmp_path)
    assert found.broken == []


def test_what_was_listed_as_published_by_hand_is_checked(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    write(tmp_path, "1.1", MUST_HAVE_WEIGHT)
    file = tmp_path / "registry.yaml"
    last = file.read_text().splitlines()[-1].replace("'1.0'", "'1.1'")
    file.write_text(f"{file.read_text()}{last}\n")
    assert {each.rule for each in checked(tmp_path)} > {"published_is_immutable"}
    assert {each.field for each in checked(tmp_path)} == {"", "weight"}


def test_a_published_document_cannot_change(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    write(tmp_path, "1.0", {**SHIPMENT, "title": "only a word"})
    (found,) = checked(tmp_path)
    assert (found.rule, found.contract, found.version) == ("published_is_immutable", DESADV, "1.0")


def test_nor_together_with_its_digest(tmp_path: Path) -> None:
    """The folder by itself is sound then; what it is based on tells."""
    before, after = tmp_path / "before", tmp_path / "after"
    add(before, SHIPMENT)
    add(before, SHIPMENT, name="a.b")
    add(after, WITH_CARRIER)
    assert check(read(after), []) == []
    found = check(read(after), [], read(before))
    assert [(each.rule, each.contract) for each in found] == [
        ("published_is_immutable", "a.b"),
        ("published_is_immutable", DESADV),
    ]
    assert found[0].detail.endswith("and is gone")


def test_a_schema_that_is_none(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT, published=False)
    write(tmp_path, "1.0", {"properties": {"a": {"type": "text"}, "b": {"minLength": -1}}})
    assert [each.rule for each in checked(tmp_path)] == ["invalid_schema", "invalid_schema"]


@pytest.mark.parametrize("reference", ["#/$defs/none", "https://example.com/x.json"])
def test_a_reference_that_leads_nowhere_is_told_with_the_way_out(tmp_path: Path, reference: str) -> None:
    add(tmp_path, SHIPMENT, published=False)
    write(tmp_path, "1.0", {"properties": {"a": {"$ref": reference}}})
    (found,) = checked(tmp_path)
    assert found.rule == "invalid_schema"
    assert found.detail.startswith("a $ref leads nowhere: ")
    assert reference.lstrip("#") in found.detail
    assert found.detail.endswith("put what it refers to under $defs of the same document")


def test_an_operation_without_a_reply(tmp_path: Path) -> None:
    add(tmp_path, {"request": {}, "reply": {}}, kind=Kind.OPERATION, published=False)
    write(tmp_path, "1.0", {"request": {}})
    assert [each.rule for each in checked(tmp_path)] == ["invalid_document"]


def test_a_party_of_nothing(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    use = "{contract: %s, major: %s, environments: [%s]}"
    uses = ", ".join(
        use % each for each in ((DESADV, 1, ""), (DESADV, 2, ""), ("a.b", 1, ""), (DESADV, 1, "qa"))
    )
    consumers(tmp_path, f"parties: {{dock: {{consumes: [{uses}]}}}}\n")
    found = checked(tmp_path)
    assert [each.rule for each in found] == ["unknown_contract", "unknown_contract", "unknown_environment"]
    assert "consumers.yaml:1: dock uses v2" in found[0].detail


def test_an_environment_that_names_what_is_not_published(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    add(tmp_path, SHIPMENT, name="a.b")
    promote(read(tmp_path), "", "dev")
    file = tmp_path / "environments" / "dev.yaml"
    text = file.read_text()
    file.write_text(text.replace("version: '1.0'", "version: '1.7'"))
    assert [(each.rule, each.version) for each in checked(tmp_path)] == [("unknown_version", "1.7")] * 2
    file.write_text(text.replace(digest_of(SHIPMENT), digest_of({})))
    assert [each.rule for each in checked(tmp_path)] == ["digest_differs", "digest_differs"]


def test_a_retired_major_with_a_consumer(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    retire(read(tmp_path), DESADV, 1, SIGNED, own=False)
    consumers(tmp_path, USES.replace("produces", "consumes"))
    (found,) = checked(tmp_path)
    assert (found.rule, found.broken) == ("retired_with_consumers", ["acme"])


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "registry.yaml").write_text("contrats: {}\n")
    (found,) = checked(tmp_path)
    assert found.rule == "unreadable"
    assert "registry.yaml:1" in found.detail


def own(folder: Path, document: Document, *others: Document) -> list[CheckFinding]:
    """What check says where code declares the document, and the others were published."""

    def declared(document: Document) -> DeclaredContract:
        return DeclaredContract(
            name="a.b",
            kind=Kind.EVENT,
            owner="x",
            major=1,
            compatibility=Compatibility.FULL_TRANSITIVE,
            document=document,
        )

    for other in others:
        publish_own(read_contracts(folder / "plant", folder), [declared(other)], SIGNED)
    consumers(folder / "plant", USES.replace("partner.acme.desadv", "a.b"))
    return check(read_contracts(folder / "plant", folder), [declared(document)])


def test_code_that_is_as_published(tmp_path: Path) -> None:
    assert own(tmp_path, {**WITH_CARRIER, "description": "other words"}, SHIPMENT, WITH_CARRIER) == []


def test_code_that_nobody_published(tmp_path: Path) -> None:
    (found,) = own(tmp_path, WITH_CARRIER, SHIPMENT)
    assert (found.rule, found.contract, found.version) == ("not_published", "a.b", "1.1")


def test_code_that_breaks_what_was_published(tmp_path: Path) -> None:
    (found,) = own(tmp_path, MUST_HAVE_WEIGHT, SHIPMENT)
    assert (found.contract, found.version, found.field, found.broken) == ("a.b", "1.1", "weight", ["acme"])


def test_code_that_is_gone_and_code_that_is_new(tmp_path: Path) -> None:
    own(tmp_path, SHIPMENT, SHIPMENT)
    contracts = read_contracts(tmp_path / "none", tmp_path)
    assert [each.rule for each in check(contracts, [])] == ["not_declared"]
    retire(contracts, "a.b", 1, SIGNED, own=True)
    contracts = read_contracts(tmp_path / "none", tmp_path)
    assert contracts.contract("a.b").major_state(1).state is State.RETIRED
    assert check(contracts, []) == []
    first = next(iter(declared_contracts()))
    assert [each.rule for each in check(contracts, [first])] == ["not_published"]
