"""The process that the README shows: it runs, and its undo runs when a person says no."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineshaft.app.process_definitions import definitions_of
from lineshaft.model.production import CapacitySignal, ProductionContext
from lineshaft.processes import ProcessDefinition

from .conftest import Build
from .plant import Answers, started_by

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProcessDefinition:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(), flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "readme_process.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    (definition,) = definitions_of("readme_process:throttle_line")
    return definition


def signalled(request: CapacitySignal) -> CapacitySignal:
    return request


@pytest.fixture
def answers() -> Answers:
    return Answers(
        {
            "production.context": lambda request: ProductionContext(
                equipment_id=request.equipment_id, work_center_id="filling-2"
            ),
            "planning.constrain_capacity": signalled,
            "planning.restore_capacity": signalled,
        }
    )


@pytest.mark.parametrize(
    ("approved", "state", "done"),
    [
        (True, "completed", ["planning.constrain_capacity"]),
        (False, "aborted", ["planning.constrain_capacity", "planning.restore_capacity"]),
    ],
)
async def test_the_shift_lead_decides(
    house: Build,
    answers: Answers,
    shown: ProcessDefinition,
    approved: bool,
    state: str,
    done: list[str],
) -> None:
    here = house(shown)
    async with here.running():
        await here.engine.handle(started_by())
        await here.in_state("waiting")
        process_id = (await here.instance())["process_id"]
        await here.actions.approve(
            process_id, approved=approved, by="ines", role="shift-lead", reason="rush order"
        )
        here.pass_time(1)
        await here.in_state(state)
    assert [operation for operation, _ in answers.effects] == done
