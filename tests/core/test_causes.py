"""What makes two causes the same, and what does not."""

from __future__ import annotations

import pytest

from lineshaft.core.causes import LONGEST_PATTERN, cause_pattern


@pytest.mark.parametrize(
    ("cause", "pattern"),
    [
        ("unknown material M-4711", "unknown material …"),
        ("the period 2026-03 is closed", "the period … is closed"),
        ("no tag has this topic and metric 'torque_nm'", "no tag has this topic and metric …"),
        ("lines/0/unit: 'x' is too short", "lines/…/unit: … is too short"),
        ("Atlas says: 503 (HTTP 503): try later", "Atlas says: … (HTTP …): try later"),
        ("order 1000234, operation 0010: late", "order …, operation …: late"),
        ("lots L1, L2, L3 are unknown", "lots … are unknown"),
        ("it's the plant's fault", "it's the plant's fault"),
        ("3f2a9c1e-77aa-4bcd-9e1f-001122334455 was lost", "… was lost"),
        ("4711", "4711"),
        ("  two\n lines ", "two lines"),
        ("", ""),
    ],
)
def test_what_only_one_has_is_left_out(cause: str, pattern: str) -> None:
    assert cause_pattern(cause) == pattern
    assert cause_pattern(pattern) == pattern


def test_a_long_cause_is_cut() -> None:
    assert len(cause_pattern("word " * 1000)) <= LONGEST_PATTERN
    assert len(cause_pattern("1" * 5000)) <= LONGEST_PATTERN
