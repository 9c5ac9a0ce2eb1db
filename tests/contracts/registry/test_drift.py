"""What was promoted, what is live, and what the code declares."""

from __future__ import annotations

import msgspec
import pytest

from lineshaft.contracts.registry import (
    Compatibility,
    DeclaredContract,
    Document,
    Kind,
    LiveContract,
    State,
    digest_of,
    drift,
)
from tests.contracts.registry.files import SHIPMENT, WITH_CARRIER


def live(version: str = "1.0", document: Document = SHIPMENT, **changes: object) -> LiveContract:
    made = LiveContract(
        name="a.b",
        version=version,
        kind=Kind.EVENT,
        owner="x",
        state=State.PUBLISHED,
        digest=digest_of(document),
        document=document,
    )
    return msgspec.structs.replace(made, **changes)


def declared(document: Document, major: int | None = 1) -> DeclaredContract:
    return DeclaredContract(
        name="a.b",
        kind=Kind.EVENT,
        owner="x",
        major=major,
        compatibility=Compatibility.FULL_TRANSITIVE,
        document=document,
    )


def test_who_changed_it_and_when_is_no_drift() -> None:
    assert drift([live()], [live(at="2026", by="n", reason="r", owner="y")], [declared(SHIPMENT)]) == []


@pytest.mark.parametrize(
    ("promoted", "recorded", "said"),
    [
        ([live()], [], ["not_live: promoted 1.0, found nothing"]),
        ([], [live()], ["not_promoted: promoted nothing, found 1.0"]),
        ([live("1.1", WITH_CARRIER)], [live()], ["version_differs: promoted 1.1, found 1.0"]),
        (
            [live()],
            [live(state=State.DEPRECATED, sunset="2027-01-01")],
            ["state_differs: promoted published, found deprecated 2027-01-01"],
        ),
        (
            [live()],
            [live(digest="sha256:other")],
            [f"digest_differs: promoted {digest_of(SHIPMENT)}, found sha256:other"],
        ),
        (
            [live()],
            [live(document=WITH_CARRIER, digest=digest_of(SHIPMENT))],
            [f"digest_differs: promoted {digest_of(SHIPMENT)}, found {digest_of(WITH_CARRIER)}"],
        ),
    ],
)
def test_files_and_database(
    promoted: list[LiveContract], recorded: list[LiveContract], said: list[str]
) -> None:
    assert [str(each) for each in drift(promoted, recorded)] == [f"a.b v1: {each}" for each in said]


@pytest.mark.parametrize(
    ("code", "differs"),
    [
        (declared(SHIPMENT), True),
        (declared({**WITH_CARRIER, "title": "other words"}), False),
        (declared(SHIPMENT, major=2), False),
        (declared(WITH_CARRIER, major=3), True),
        (declared(SHIPMENT, major=None), False),
    ],
)
def test_code_runs_what_was_promoted(code: DeclaredContract, differs: bool) -> None:
    """An operation is of its newest live major."""
    both = [live("1.1", WITH_CARRIER), live("2.0", SHIPMENT)]
    assert [each.what == "code_differs" for each in drift(both, both, [code])] == [True] * differs
