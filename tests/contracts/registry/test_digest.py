"""When two documents are the same."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lineshaft.contracts.registry import digest_of, meaning


def test_a_digest_is_of_the_canonical_document() -> None:
    a = {"type": "object", "properties": {"x": {"minimum": 1}, "é": {}}}
    b = {"properties": {"é": {}, "x": {"minimum": 1}}, "type": "object"}
    assert digest_of(a) == digest_of(b)
    canonical = '{"properties":{"x":{"minimum":1},"é":{}},"type":"object"}'
    assert digest_of(a) == f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
    assert digest_of(a) != digest_of({**a, "title": "A"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"title": "a", "type": "string"}, {"type": "string", "description": "b"}),
        ({"properties": {"a": {"default": 1}}}, {"properties": {"a": {"examples": [2]}}}),
        ({"anyOf": [{"$comment": "x"}]}, {"anyOf": [{}]}),
        ({"$defs": {"A": {"title": "A"}}}, {"$defs": {"A": {}}}),
    ],
)
def test_what_is_said_about_a_schema_demands_nothing(one: Any, other: Any) -> None:
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"properties": {"title": {"type": "string"}}}, {"properties": {}}),
        ({"properties": {"default": {"minimum": 1}}}, {"properties": {"default": {"minimum": 2}}}),
        ({"const": {"title": "a"}}, {"const": {}}),
        ({"enum": [{"description": "a"}]}, {"enum": [{}]}),
        ({"x-unit": "KGM"}, {"x-unit": "GRM"}),
        ({"required": ["title"]}, {"required": []}),
        ({"$defs": {"title": {}}}, {"$defs": {}}),
    ],
)
def test_what_is_demanded_counts(one: Any, other: Any) -> None:
    assert meaning(one) != meaning(other)
