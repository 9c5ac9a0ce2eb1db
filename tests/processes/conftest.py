"""A house per test, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineshaft.core.ports import ProcessMeter
from lineshaft.processes import ProcessDefinition
from lineshaft.store import Store
from tests.clocks import ManualClock

from .plant import Answers, House

Build = Callable[..., House]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(tick_s=0.001)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def house(store: Store, answers: Answers, clock: ManualClock) -> Build:
    def build(
        *definitions: ProcessDefinition, engine_store: object = None, meter: ProcessMeter | None = None
    ) -> House:
        return House(store, definitions, answers, clock, engine_store, meter=meter)

    return build
