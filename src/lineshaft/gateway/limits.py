"""Rates and quotas: a token bucket per key in memory, and what an account has used of its day.

The headers are those of draft-ietf-httpapi-ratelimit-headers: structured fields (RFC 9651), one item for each
policy that holds.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import msgspec

from lineshaft.core.clock import Clock
from lineshaft.gateway.policies import AccountPolicy

__all__ = ["Limits", "Quotas", "Verdict"]

_MOST_BUCKETS = 50_000
_DAY_S = 86_400


class Verdict(msgspec.Struct, frozen=True):
    """headers: to be sent with whatever is answered; wait_s: None when the request may go on."""

    headers: tuple[tuple[bytes, bytes], ...] = ()
    wait_s: float | None = None
    code: str = ""


_FREE = Verdict()


class Quotas(Protocol):
    def use(self, account: str) -> int:
        """Count one request of the account; how many it has made today, by all workers, as far as known."""
        ...


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens, self.at = tokens, at


class Limits:
    """Each worker limits by itself: n workers behind one address let through n times the rate."""

    def __init__(self, clock: Clock, quotas: Quotas | None = None) -> None:
        self._clock = clock
        self._quotas = quotas
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, account: str, policy: AccountPolicy) -> Verdict:
        """One request. key: whose rate it is, an account's key or an address."""
        rate = policy.rate_per_s
        if not rate and not policy.quota_per_day:
            return _FREE
        left, refill_s, wait_s, code = policy.burst, 0, None, ""
        if rate:
            bucket = self._bucket(key, policy)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
            else:
                wait_s, code = (1 - bucket.tokens) / rate, "rate_limited"
            left = int(bucket.tokens)
            refill_s = math.ceil((policy.burst - bucket.tokens) / rate)
        if not policy.quota_per_day or self._quotas is None:
            state = f'"rate";r={left};t={refill_s}'
            return Verdict(_headers(_told(policy.rate_per_s, policy.burst, 0), state), wait_s, code)
        return self._with_quota(self._quotas, account, policy, (left, refill_s), wait_s, code)

    def _bucket(self, key: str, policy: AccountPolicy) -> _Bucket:
        now = self._clock.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:
                self._forget(now)
            bucket = self._buckets[key] = _Bucket(policy.burst, now)
            return bucket
        bucket.tokens = min(policy.burst, bucket.tokens + (now - bucket.at) * policy.rate_per_s)
        bucket.at = now
        return bucket

    def _forget(self, now: float) -> None:
        """Who has not asked for longest: the older half."""
        oldest = sorted(self._buckets, key=lambda key: self._buckets[key].at)
        for key in oldest[: _MOST_BUCKETS // 2]:
            del self._buckets[key]

    def _with_quota(
        self,
        quotas: Quotas,
        account: str,
        policy: AccountPolicy,
        rate: tuple[int, int],
        wait_s: float | None,
        code: str,
    ) -> Verdict:
        """What the rate refuses is not counted. rate: what is left, and seconds until all of it is back"""
        resets_s = _DAY_S - int(self._clock.now().timestamp()) % _DAY_S
        used = quotas.use(account) if wait_s is None else policy.quota_per_day
        if used > policy.quota_per_day:
            wait_s, code = float(resets_s), "quota_used_up"
        state = f'"day";r={max(0, policy.quota_per_day - used)};t={resets_s}'
        if policy.rate_per_s:
            state = f'"rate";r={rate[0]};t={rate[1]}, {state}'
        told = _told(policy.rate_per_s, policy.burst, policy.quota_per_day)
        return Verdict(_headers(told, state), wait_s, code)


@lru_cache(maxsize=1024)
def _told(rate_per_s: float, burst: int, quota_per_day: int) -> bytes:
    told = []
    if rate_per_s:
        told.append(f'"rate";q={burst};w={max(1, math.ceil(burst / rate_per_s))}')
    if quota_per_day:
        told.append(f'"day";q={quota_per_day};w={_DAY_S}')
    return ", ".join(told).encode()


def _headers(policy: bytes, state: str) -> tuple[tuple[bytes, bytes], ...]:
    return (b"ratelimit-policy", policy), (b"ratelimit", state.encode())
