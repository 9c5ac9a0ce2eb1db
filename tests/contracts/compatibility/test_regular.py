"""Expressions against the validator that reads them in payloads."""

from __future__ import annotations

from itertools import product

import pytest

from lineshaft.contracts.compatibility.document import string_is_valid
from lineshaft.contracts.compatibility.regular import TooLarge, UnknownExpression, find_text, literal

_EXPRESSIONS = (
    "a", "^a", "a$", "^a$", "^$", "", "^a*$", "^a+b?$", "^(a|b)*$", "^[ab]{2,3}$", "^[^a]$", "a$|^b",
    "^(?:ab)+$",
    r"^\d+$", r"^\w*$", r"^\S$", r"^\s", r"\.", "^.$", r"^[\d-]+$", "^(^a|b)$", "(a$)?", "^a{0}$",
    "^[A-Z]{1,2}-1$",
    "^(a?){3}$", r"^[a\]]$", r"^\x61$", "^a??b",
)  # fmt: skip
_TEXTS = ["".join(chars) for size in range(4) for chars in product("abA1-.\n ]", repeat=size)]
_MATCHES = {
    each: frozenset(text for text in _TEXTS if string_is_valid("pattern", each, text))
    for each in _EXPRESSIONS
}


@pytest.mark.parametrize("like", _EXPRESSIONS)
def test_inclusion_agrees_with_the_validator(like: str) -> None:
    for unlike in _EXPRESSIONS:
        found = find_text([like], [unlike], 0, None)
        if found is None:
            assert _MATCHES[like] <= _MATCHES[unlike], unlike
        else:
            assert string_is_valid("pattern", like, found), unlike
            assert not string_is_valid("pattern", unlike, found), unlike


@pytest.mark.parametrize("one", [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", ".", "[^a-z]", r"[\s\d]"])
def test_classes_have_the_characters_of_the_validator(one: str) -> None:
    codes = [*range(0x300), *range(0x1680, 0x1690), *range(0x2000, 0x2070), 0x3000, 0xFEFF, 0xFFFF, 0x1F600]
    for text in map(chr, codes):
        is_taken = find_text([f"^{one}$", literal(text)], [], 0, None) is not None
        assert is_taken == string_is_valid("pattern", f"^{one}$", text), hex(ord(text))


def test_lengths_count() -> None:
    assert find_text(["^[ab]*$"], [], 3, 3) == "aaa"
    assert find_text(["^(ab)*$"], [], 3, 3) is None
    assert find_text(["^(ab)*$"], [], 3, None) == "abab"
    assert find_text([], ["a"], 1, None) == "0"


@pytest.mark.parametrize(
    "expression", ["(?=a)", "(?!a)", r"\bfoo", r"(a)\1", r"\p{L}", "(?i)a", "(?<=a)b", "a{2000}"]
)
def test_what_is_not_regular_is_not_guessed_at(expression: str) -> None:
    with pytest.raises(UnknownExpression):
        find_text([expression], [], 0, None)


def test_a_search_without_end_is_given_up() -> None:
    with pytest.raises(TooLarge):
        find_text(["^.*x.{12}$"], ["^.*y.{3}$"], 0, None)
