"""How many examples a property is tried with: few and always the same, or many others in `make soak`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

__all__ = ["examples", "settle_examples"]

_TIMES = int(os.environ.get("LINESHAFT_EXAMPLES", "1"))
_USUAL = 40


def examples(usual: int) -> int:
    return usual * _TIMES


def settle_examples() -> None:
    """Before modules with properties are imported. No property fails because a machine is slow."""
    settings.register_profile(
        "lineshaft",
        max_examples=examples(_USUAL),
        deadline=None,
        derandomize=_TIMES == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("lineshaft")
