"""Drafts, publishing, deprecation and the end of a major."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineshaft.contracts.registry import (
    Compatibility,
    Contracts,
    DeclaredContract,
    Document,
    Kind,
    State,
    Version,
    deprecate,
    draft,
    publish,
    publish_own,
    read_contracts,
    retire,
)
from lineshaft.core.errors import ConfigError
from tests.contracts.registry.files import (
    DESADV,
    MUST_HAVE_WEIGHT,
    SHIPMENT,
    SIGNED,
    WITH_CARRIER,
    add,
    consumers,
    payload,
    read,
)


def refused(error: pytest.ExceptionInfo[ConfigError]) -> str:
    return "\n".join(error.value.findings)


def test_versions_follow_each_other(tmp_path: Path) -> None:
    assert [
        str(add(tmp_path, document, new_major=new_major))
        for document, new_major in ((SHIPMENT, False), (WITH_CARRIER, False), (MUST_HAVE_WEIGHT, True))
    ] == ["1.0", "1.1", "2.0"]


def test_a_draft_may_be_written_again(tmp_path: Path) -> None:
    add(tmp_path, MUST_HAVE_WEIGHT, published=False)
    assert str(add(tmp_path, SHIPMENT, published=False)) == "1.0"
    assert read(tmp_path).contract(DESADV).drafts[0].document == SHIPMENT


def test_a_breaking_draft_is_not_written(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    with pytest.raises(ConfigError, match="--new-major") as error:
        add(tmp_path, MUST_HAVE_WEIGHT)
    assert "partner.acme.desadv 1.1: weight: " in refused(error)
    assert read(tmp_path).contract(DESADV).drafts == []


def test_a_wrong_schema_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"partner\.acme\.desadv 1\.0 cannot be registered") as error:
        add(tmp_path, {"type": "object", "properties": {"a": {"type": "text"}}})
    assert "properties/a/type" in refused(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "owner"), [("Partner.acme", "x"), ("desadv", "x"), ("../up.x", "x"), ("a/b.c", "x"), ("a.b", "")]
)
def test_a_new_contract_needs_a_name_and_an_owner(name: str, owner: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a name is like"):
        draft(
            read(tmp_path / "c"),
            name,
            SHIPMENT,
            kind=Kind.EXTERNAL,
            owner=owner,
            compatibility=Compatibility.FULL,
        )
    assert not (tmp_path / "c").exists()


def test_a_published_version_is_not_published_again(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    assert publish(read(tmp_path), [], SIGNED) == []


def test_a_draft_by_hand_is_checked_when_it_is_published(tmp_path: Path) -> None:
    """All or none: the other contract's draft stays one."""
    add(tmp_path, SHIPMENT)
    add(tmp_path, SHIPMENT, name="a.b", published=False)
    (tmp_path / DESADV / "1.1.json").write_bytes(msgspec.json.encode(MUST_HAVE_WEIGHT))
    before = (tmp_path / "registry.yaml").read_bytes()
    with pytest.raises(ConfigError, match="nothing was published") as error:
        publish(read(tmp_path), [], SIGNED)
    assert "1.1: weight: " in refused(error)
    assert (tmp_path / "registry.yaml").read_bytes() == before


def test_two_drafts_are_compared_with_each_other(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    (tmp_path / DESADV / "1.1.json").write_bytes(msgspec.json.encode(WITH_CARRIER))
    as_number = payload("shipment", shipment="string", weight="number", carrier="number")
    (tmp_path / DESADV / "1.2.json").write_bytes(msgspec.json.encode(as_number))
    with pytest.raises(ConfigError) as error:
        publish(read(tmp_path), [DESADV], SIGNED)
    assert "1.2: carrier: " in refused(error)
    assert "against 1.1" in refused(error)


def test_nothing_is_published_beside_a_document_that_was_changed(tmp_path: Path) -> None:
    """The draft would be compared with what never was published."""
    add(tmp_path, SHIPMENT)
    for version in ("1.0", "1.1"):
        (tmp_path / DESADV / f"{version}.json").write_bytes(msgspec.json.encode(MUST_HAVE_WEIGHT))
    with pytest.raises(ConfigError, match="nothing was published") as error:
        publish(read(tmp_path), [], SIGNED)
    assert refused(error) == "partner.acme.desadv 1.0: the published document was changed; undo that"


def test_a_major_is_deprecated_and_then_retired(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    deprecate(read(tmp_path), DESADV, 1, "2027-06-30", SIGNED, own=False)
    life = read(tmp_path).contract(DESADV).major_state(1)
    assert (life.state, life.sunset, life.reason) == (State.DEPRECATED, "2027-06-30", SIGNED.reason)
    retire(read(tmp_path), DESADV, 1, SIGNED, own=False)
    assert read(tmp_path).contract(DESADV).major_state(1).state is State.RETIRED
    with pytest.raises(ConfigError, match="v1 is retired"):
        deprecate(read(tmp_path), DESADV, 1, "2027-06-30", SIGNED, own=False)
    with pytest.raises(ConfigError, match="v2 has no published version"):
        retire(read(tmp_path), DESADV, 2, SIGNED, own=False)
    with pytest.raises(ConfigError, match="is no date"):
        deprecate(read(tmp_path), DESADV, 1, "soon", SIGNED, own=False)


def test_a_major_with_a_consumer_is_not_retired(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    uses = "parties: {%s: {%s: [{contract: partner.acme.desadv, major: %s}]}}\n"
    consumers(tmp_path, uses % ("dock", "consumes", 1))
    with pytest.raises(ConfigError, match="it has 1 consumer") as error:
        retire(read(tmp_path), DESADV, 1, SIGNED, own=False)
    assert refused(error) == f"{tmp_path / 'consumers.yaml'}:1: dock consumes partner.acme.desadv v1"
    consumers(tmp_path, uses % ("acme", "produces", 1))
    retire(read(tmp_path), DESADV, 1, SIGNED, own=False)


def declared(document: Document, *, name: str = "a.b", major: int | None = 1) -> DeclaredContract:
    return DeclaredContract(
        name=name,
        kind=Kind.OPERATION if major is None else Kind.EVENT,
        owner="x",
        major=major,
        compatibility=Compatibility.FULL_TRANSITIVE,
        document=document,
    )


def own(folder: Path) -> Contracts:
    return read_contracts(folder / "plant", folder / "own")


def published(folder: Path, each: DeclaredContract, *new_majors: str) -> list[str]:
    return [str(version) for _, version in publish_own(own(folder), [each], SIGNED, new_majors=new_majors)]


def test_what_code_declares_is_published_as_it_changes(tmp_path: Path) -> None:
    assert published(tmp_path, declared(SHIPMENT)) == ["1.0"]
    assert published(tmp_path, declared({**SHIPMENT, "title": "said otherwise"})) == []
    assert published(tmp_path, declared(WITH_CARRIER)) == ["1.1"]
    with pytest.raises(ConfigError, match="an event needs a type of the next major") as error:
        published(tmp_path, declared(MUST_HAVE_WEIGHT), "a.b")
    assert "a.b 1.2: weight: " in refused(error)
    assert published(tmp_path, declared(MUST_HAVE_WEIGHT, major=2)) == ["2.0"]
    versions = own(tmp_path).contract("a.b").published()
    assert [each.version for each in versions] == [Version(1, 0), Version(1, 1), Version(2, 0)]


def test_an_operation_breaks_its_callers_only_by_name(tmp_path: Path) -> None:
    assert published(tmp_path, declared({"request": SHIPMENT, "reply": {}}, major=None)) == ["1.0"]
    breaking = declared({"request": MUST_HAVE_WEIGHT, "reply": {}}, major=None)
    with pytest.raises(ConfigError, match="nothing was published"):
        published(tmp_path, breaking)
    assert published(tmp_path, breaking, "a.b") == ["2.0"]


def test_what_comes_with_the_product_is_its_own_to_change(tmp_path: Path) -> None:
    published(tmp_path, declared(SHIPMENT))
    with pytest.raises(ConfigError, match="comes with the product"):
        retire(own(tmp_path), "a.b", 1, SIGNED, own=False)
    with pytest.raises(ConfigError, match="comes with the product"):
        draft(own(tmp_path), "a.b", SHIPMENT, kind=Kind.EVENT, owner="x", compatibility=Compatibility.FULL)
    with pytest.raises(ConfigError, match="comes with the product"):
        publish(own(tmp_path), ["a.b"], SIGNED)
    assert not (tmp_path / "plant").exists()
    retire(own(tmp_path), "a.b", 1, SIGNED, own=True)
    assert own(tmp_path).contract("a.b").major_state(1).state is State.RETIRED
