"""Rates and quotas of accounts, and how they are told."""

from __future__ import annotations

import pytest

from lineshaft.gateway import limits
from lineshaft.gateway.limits import Limits
from lineshaft.gateway.policies import UNLIMITED, AccountPolicy
from tests.clocks import ManualClock


class Used:
    def __init__(self) -> None:
        self.used = 0

    def use(self, account: str) -> int:
        self.used += 1
        return self.used


def told(limited: Limits, policy: AccountPolicy, key: str = "k") -> tuple[str, dict[str, str]]:
    verdict = limited.take(key, "mes", policy)
    return verdict.code, {name.decode(): value.decode() for name, value in verdict.headers}


def test_a_quota_ends_the_day_and_counts_no_refusal_of_the_rate() -> None:
    clock, used = ManualClock(), Used()
    limited = Limits(clock, used)
    policy = AccountPolicy(rate_per_s=1, burst=3, quota_per_day=2)
    code, headers = told(limited, policy)
    assert code == ""
    assert headers == {
        "ratelimit-policy": '"rate";q=3;w=3, "day";q=2;w=86400',
        "ratelimit": '"rate";r=2;t=1, "day";r=1;t=64800',
    }
    assert told(limited, policy)[0] == ""
    verdict = limited.take("k", "mes", policy)
    assert (verdict.code, verdict.wait_s) == ("quota_used_up", 64800.0)
    assert told(limited, policy)[0] == "rate_limited"
    assert used.used == 3


def test_keys_of_one_account_have_a_rate_each() -> None:
    limited = Limits(ManualClock())
    policy = AccountPolicy(rate_per_s=1, burst=1)
    assert told(limited, policy, "a")[0] == ""
    assert told(limited, policy, "b")[0] == ""
    assert told(limited, policy, "a")[0] == "rate_limited"


def test_who_is_not_limited_is_told_nothing() -> None:
    assert told(Limits(ManualClock()), UNLIMITED) == ("", {})


def test_who_has_not_asked_for_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST_BUCKETS", 4)
    clock = ManualClock()
    limited = Limits(clock)
    policy = AccountPolicy(rate_per_s=0.001, burst=1)
    for number in range(5):
        clock.advance(1)
        assert told(limited, policy, f"k{number}")[0] == ""
    assert told(limited, policy, "k4")[0] == "rate_limited"
    assert told(limited, policy, "k3")[0] == "rate_limited"
    assert told(limited, policy, "k0")[0] == ""
