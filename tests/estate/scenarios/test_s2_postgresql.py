"""S2 with the product's store on PostgreSQL: the same single effects."""

from __future__ import annotations

import pytest

from estate.scenarios.s2 import SCENARIO
from tests.databases import Postgres

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("variant", ["in-stock", "duplicate"])
async def test_single_effects_on_postgresql(variant: str, postgres: Postgres) -> None:
    result = await SCENARIO.run(variant, lambda _: None, store_url=postgres.url(postgres.database()))
    assert [step for step in result.steps if not step.ok] == []
    assert result.passed
