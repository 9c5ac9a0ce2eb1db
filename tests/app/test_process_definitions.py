"""Processes by name: shipped ones, and a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.app.process_definitions import definitions_of
from lineshaft.core.errors import ConfigError

OWN = """
from lineshaft.contracts.catalogue import THRESHOLD_EXCEEDED
from lineshaft.model.condition import ThresholdExceeded
from lineshaft.processes import Context, process


def version(number):
    @process(name="own", version=number, starts_on=THRESHOLD_EXCEEDED, key=lambda it: it.rule, owner="me")
    async def own(ctx: Context, breach: ThresholdExceeded) -> ThresholdExceeded:
        return breach

    return own


second = version(2)
versions = [version(1), second]
nothing = 4
"""


@pytest.fixture(autouse=True)
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_processes.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_shipped_one_by_its_name() -> None:
    assert [str(found) for found in definitions_of("corrective_maintenance")] == ["corrective_maintenance v1"]


def test_one_of_a_user_or_all_its_versions() -> None:
    assert [str(found) for found in definitions_of("own_processes:second")] == ["own v2"]
    assert [str(found) for found in definitions_of("own_processes:versions")] == ["own v1", "own v2"]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("other", "'other' is no process; known: corrective_maintenance"),
        ("no_such_module:own", "'no_such_module:own' cannot be imported: No module named 'no_such_module'"),
        ("own_processes:other", "has no attribute 'other'"),
        ("no_such_module:own", "(name it as package.module:name, in a package that is installed"),
        ("own_processes:nothing", "is no process and no list of its versions, but int"),
        ("own_processes:nothing", "(name what @process made, or a list of such, as package.module:name)"),
        (":", "cannot be imported"),
    ],
)
def test_what_cannot_be_found_is_said(reference: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        definitions_of(reference)
    assert said in str(caught.value)
