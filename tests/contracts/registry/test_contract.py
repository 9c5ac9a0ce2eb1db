"""What a contract, its versions and their order are."""

from __future__ import annotations

import pytest

from lineshaft.contracts.registry import (
    Compatibility,
    Contract,
    ContractVersion,
    Kind,
    MajorState,
    State,
    Version,
)
from lineshaft.contracts.registry.contract import parts
from lineshaft.core.errors import ConfigError


def contract(*texts: str, compatibility: Compatibility = Compatibility.FULL_TRANSITIVE) -> Contract:
    """A version with a star is a draft."""
    return Contract(
        name="a.b",
        kind=Kind.EVENT,
        owner="x",
        compatibility=compatibility,
        versions=[
            ContractVersion(
                version=Version.parse(text.rstrip("*")),
                document={},
                digest="" if text.endswith("*") else "sha256:x",
            )
            for text in texts
        ],
        majors={1: MajorState(state=State.DEPRECATED, sunset="2027-01-01")},
    )


@pytest.mark.parametrize(
    "text", ["1", "1.", "0.1", "01.0", "1.01", "1.0.0", "v1.0", "1.0 ", "-1.0", "१.0", ""]
)
def test_a_version_is_major_and_minor(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected <major>\.<minor>"):
        Version.parse(text)


def test_versions_have_the_order_of_numbers() -> None:
    assert Version.parse("1.9") < Version.parse("1.10") < Version.parse("2.0")
    assert str(Version.parse("1.10")) == "1.10"


def test_a_draft_is_no_version_that_others_build_on() -> None:
    found = contract("1.0", "1.1", "2.0", "2.1*", "3.0*")
    assert [str(each.version) for each in found.published()] == ["1.0", "1.1", "2.0"]
    assert [str(each.version) for each in found.published(2)] == ["2.0"]
    assert [str(each.version) for each in found.drafts] == ["2.1", "3.0"]
    assert (str(found.next_version()), str(found.next_version(new_major=True))) == ("2.1", "3.0")
    assert str(contract("1.0*").next_version(new_major=True)) == "1.0"


def test_states() -> None:
    found = contract("1.0", "2.0", "3.0*")
    assert [found.state(each) for each in found.versions] == ["deprecated", "published", "draft"]
    assert found.major_state(3).state == "draft"
    assert found.major_state(1).sunset == "2027-01-01"


@pytest.mark.parametrize(
    ("compatibility", "earlier"),
    [(Compatibility.FULL_TRANSITIVE, ["1.0", "1.1", "1.2"]), (Compatibility.FULL, ["1.2"])],
)
def test_transitive_means_all_of_the_major(compatibility: Compatibility, earlier: list[str]) -> None:
    found = contract("1.0", "1.1", "1.2", "1.4", "2.0", compatibility=compatibility)
    assert [str(each.version) for each in found.earlier(Version(1, 3))] == earlier
    assert found.earlier(Version(3, 0)) == []


@pytest.mark.parametrize(
    ("compatibility", "request_direction", "reply_direction"),
    [
        ("full_transitive", "full", "full"),
        ("backward_transitive", "backward", "forward"),
        ("forward", "forward", "backward"),
    ],
)
def test_replies_go_the_other_way(compatibility: str, request_direction: str, reply_direction: str) -> None:
    mode = Compatibility(compatibility)
    assert (mode.direction("request"), mode.direction("reply")) == (request_direction, reply_direction)
    assert mode.direction("") == request_direction


def test_an_operation_has_two_schemas() -> None:
    both = {"request": {"type": "object"}, "reply": {}}
    assert parts(Kind.OPERATION, both) == both
    assert parts(Kind.EVENT, both) == {"": both}
    for wrong in ({"request": {}}, {**both, "error": {}}, {"request": True, "reply": {}}):
        with pytest.raises(ConfigError, match="the document of an operation is"):
            parts(Kind.OPERATION, wrong)
