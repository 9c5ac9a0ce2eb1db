"""Whom a change breaks."""

from __future__ import annotations

import pytest

from lineshaft.contracts.registry import Kind, Party, Role
from lineshaft.contracts.registry.party import broken_by


def party(name: str, role: Role = Role.CONSUMER, *fields: str) -> Party:
    return Party(party=name, contract="a.b", major=1, role=role, fields=fields)


@pytest.mark.parametrize(
    ("fields", "changed", "uses"),
    [
        ([], "quantity", True),
        (["quantity"], "", True),
        (["quantity"], "quantity", True),
        (["quantity"], "quantity.value", True),
        (["quantity.value"], "quantity", True),
        (["quantity.value"], "quantity.unit", False),
        (["quantity"], "quantity_ordered", False),
        (["id", "lot"], "lot", True),
        (["lines.quantity"], "lines[].quantity", True),
        (["lines[].quantity"], "lines[0].quantity", True),
        (["lines[].lot"], "lines[].quantity", False),
    ],
)
def test_a_party_uses_a_field_and_what_is_in_it(fields: list[str], changed: str, uses: bool) -> None:
    assert party("p", Role.CONSUMER, *fields).uses(changed) is uses


@pytest.mark.parametrize(
    ("kind", "part", "direction", "names"),
    [
        (Kind.EVENT, "", "forward", ["reads"]),
        (Kind.EVENT, "", "backward", ["writes"]),
        (Kind.EVENT, "", "both", ["reads", "writes"]),
        (Kind.EXTERNAL, "", "forward", ["reads"]),
        (Kind.OPERATION, "request", "backward", ["reads"]),
        (Kind.OPERATION, "request", "forward", ["writes"]),
        (Kind.OPERATION, "reply", "forward", ["reads"]),
        (Kind.OPERATION, "reply", "backward", ["writes"]),
    ],
)
def test_who_reads_and_who_writes(kind: Kind, part: str, direction: str, names: list[str]) -> None:
    """The consumer of an operation writes its requests."""
    both = [party("reads"), party("writes", Role.PRODUCER)]
    assert [each.party for each in broken_by(both, kind, part, direction, "x")] == names


def test_who_does_not_use_the_field_is_not_broken() -> None:
    both = [party("a", Role.CONSUMER, "id"), party("b", Role.CONSUMER, "lot.expiry")]
    assert [each.party for each in broken_by(both, Kind.EVENT, "", "forward", "lot")] == ["b"]


def test_a_party_is_in_its_environments() -> None:
    everywhere = party("a")
    in_test = Party(party="a", contract="a.b", major=1, environments=["test"])
    assert (everywhere.is_in("prod"), in_test.is_in("prod"), in_test.is_in("test")) == (True, False, True)
