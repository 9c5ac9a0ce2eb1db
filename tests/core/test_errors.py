"""The tree: what is raised says how to react."""

from __future__ import annotations

import pytest

from lineshaft.core import errors


def test_the_tree_is_the_one_that_is_drawn() -> None:
    tree = {
        name: getattr(errors, name).__mro__[1].__name__ for name in errors.__all__ if name != "LineshaftError"
    }
    assert tree == {
        "ConfigError": "LineshaftError",
        "ContractViolation": "LineshaftError",
        "TechnicalFault": "LineshaftError",
        "TransientFault": "TechnicalFault",
        "PermanentFault": "TechnicalFault",
        "ChangedMeanwhile": "PermanentFault",
        "OutcomeUnknown": "TechnicalFault",
        "BusinessFault": "LineshaftError",
    }


@pytest.mark.parametrize("name", errors.__all__)
def test_each_has_a_code_of_its_own(name: str) -> None:
    fault = getattr(errors, name)("it broke")
    assert fault.code
    assert str(fault) == "it broke"


def test_findings_and_hints_are_told() -> None:
    assert str(errors.ContractViolation("bad", findings=["a: 1", "b: 2"])) == "bad; a: 1; b: 2"
    assert str(errors.ConfigError("bad", findings=["f:1: x"], hint="do")) == "bad (do)\n  f:1: x"
    assert str(errors.TransientFault("away", hint="start it")) == "away (start it)"
    assert errors.TransientFault("away", retry_after_s=2.0).retry_after_s == 2.0
    assert errors.BusinessFault("no", code="closed_period", owner="finance").owner == "finance"
