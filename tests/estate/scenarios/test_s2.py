"""S2 from the machine's MQTT message to the effects counted in the target systems, whatever breaks."""

from __future__ import annotations

import pytest

from estate.running import RunningEstate
from estate.scenarios.s2 import SCENARIO


@pytest.mark.parametrize("variant", SCENARIO.variants)
async def test_single_effects_on_sqlite(variant: str) -> None:
    result = await SCENARIO.run(variant, lambda _: None)
    assert [step for step in result.steps if not step.ok] == []
    assert result.passed


async def test_a_missing_effect_fails_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker is checked: one effect counted twice must not pass."""
    honest = RunningEstate.effects

    async def doubled(estate: RunningEstate) -> dict[str, int]:
        found = await honest(estate)
        return found | {"observations": found["observations"] + 1}

    monkeypatch.setattr(RunningEstate, "effects", doubled)
    result = await SCENARIO.run("open-order", lambda _: None)
    assert not result.passed
    assert [step.name for step in result.steps if not step.ok] == ["effects counted in the target systems"]
