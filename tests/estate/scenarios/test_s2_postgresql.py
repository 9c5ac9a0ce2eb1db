"""S2 with the product's store on PostgreSQL: the same single effects."""

from __future__ import annotations

from estate.scenarios.s2 import SCENARIO
from tests.databases import Postgres


async def test_single_effects_on_postgresql(postgres: Postgres) -> None:
    """The variant in which everything comes more than once."""
    result = await SCENARIO.run("duplicate", lambda _: None, store_url=postgres.url(postgres.database()))
    assert [step for step in result.steps if not step.ok] == []
    assert result.passed
