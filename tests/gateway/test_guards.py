"""Bodies that are small and dear to read: refused, and for how much memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.gateway.guards import MOST_DEPTH, UnsoundBody, check_json, inflated

MIB = 1024 * 1024
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


def depth(document: object) -> int:
    inner = document.values() if isinstance(document, dict) else document
    if not isinstance(document, dict | list):
        return 0
    return 1 + max(map(depth, inner), default=0)  # type: ignore[arg-type, call-overload]


@given(JSON)
def test_what_is_sound_passes_at_its_own_depth_and_no_less(document: object) -> None:
    try:
        body = msgspec.json.encode(document)
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return
    check_json(body, max(1, depth(document)))
    if depth(document) > 1:
        with pytest.raises(UnsoundBody, match="nested deeper"):
            check_json(body, depth(document) - 1)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "member 'a' is given twice"),
        (b'[{"x": {"a": 1, "\\u0061": 2}}]', "member 'a' is given twice"),
        (b'{"a": 1, "a": "\\u003a"}', "member 'a' is given twice"),  # as many colons as with one
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "no JSON number"),
        (b'{"a": %s}' % (b"9" * 41), "longer than 40"),
        (b'{"a": %s}' % (b"9" * 100_000), "longer than 40"),
        (b'{"a": 1e401}', "beyond 1e"),
        (b'{"a": 1E-999999999999}', "beyond 1e"),
        (b'{"a": 0.%s}' % (b"3" * 60), "longer than 40"),
        (b'{"a": "\xff"}', "byte 7 is no UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "no UTF-8"),
        (b'{"a": 1', "(root)"),
        (b"", "(root)"),
        (b"{} {}", "(root)"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b"[" + b"0," * 100_000 + b"0]", "at most 100000"),
    ],
)
def test_refused_with_its_reason(body: bytes, why: str) -> None:
    with pytest.raises(UnsoundBody) as refused:
        check_json(body)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MOST_DEPTH + b"]" * MOST_DEPTH,
        b'["' + b"[" * 500 + b'", "\\"' + b"{" * 500 + b'"]',
        b'{"serial": "%s"}' % (b"7" * 60),
        b'{"value": 1e308, "other": 12345678901234567890.123}',
        b"[" + b"[]," * 500 + b"[]]",
    ],
)
def test_long_texts_wide_lists_and_large_numbers_are_no_bombs(body: bytes) -> None:
    check_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MIB,
        b'{"a":' * (MIB // 5),
        b"[" + b"[]," * 99_000 + b"[]]",
        b"[" + b"{}," * (MIB // 3) + b"{}]",
        b'{"a": %s}' % (b"9" * MIB),
        b"{" + b",".join(b'"%d":0' % each for each in range(90_000)) + b"}",
    ],
    ids=["lists", "objects", "empty lists", "empty objects", "digits", "members"],
)
def test_a_bomb_of_a_mebibyte_costs_little_memory(body: bytes) -> None:
    def read() -> None:
        try:
            check_json(body)
        except UnsoundBody:
            return

    assert peak_bytes(read) < 32 * MIB


def test_compressed_bodies_come_out_whole() -> None:
    body = b'{"quantity": 12}' * 2000
    assert inflated(gzip.compress(body), "gzip", MIB) == body
    assert inflated(zlib.compress(body), "Deflate", MIB) == body
    assert inflated(body, "", 1) == inflated(body, "identity", 1) == body


def _gzip(body: bytes) -> bytes:
    """Without the time, so that the test has one name."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("packed", "encoding", "code"),
    [
        (_gzip(b"x" * (MIB + 1)), "gzip", "body_too_large"),
        (_gzip(bytes(64 * MIB)), "gzip", "body_too_large"),
        (_gzip(_gzip(bytes(64 * MIB))), "gzip", None),
        (_gzip(b"x" * 5000)[:-9], "gzip", "unsound_body"),
        (_gzip(b"{}") + _gzip(b"{}"), "gzip", "unsound_body"),
        (b"{}", "gzip", "unsound_body"),
        (b"{}", "br", "unknown_encoding"),
        (b"{}", "gzip, gzip", "unknown_encoding"),
    ],
)
def test_zip_bombs_and_broken_ones(packed: bytes, encoding: str, code: str | None) -> None:
    def read() -> None:
        if code is None:  # one layer is taken off, the next is no JSON
            with pytest.raises(UnsoundBody):
                check_json(inflated(packed, encoding, MIB))
            return
        with pytest.raises(UnsoundBody) as refused:
            inflated(packed, encoding, MIB)
        assert refused.value.code == code

    assert peak_bytes(read) < 4 * MIB


def peak_bytes(work: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(
    st.recursive(
        st.text('ab:"{}\\u0061', max_size=5), lambda inner: st.lists(st.tuples(st.sampled_from("ab:"), inner))
    )
)
def test_no_member_given_twice_passes(tree: object) -> None:
    """However colons are spread over names and texts, which is what the quick look counts."""
    body = written(tree).encode()
    if twice(tree):
        with pytest.raises(UnsoundBody, match="given twice"):
            check_json(body)
    else:
        check_json(body)


def written(tree: object) -> str:
    if isinstance(tree, str):
        return json.dumps(tree)
    members = [f"{json.dumps(name)}: {written(inner)}" for name, inner in tree]  # type: ignore[attr-defined]
    return "{" + ", ".join(members) + "}"


def twice(tree: object) -> bool:
    if isinstance(tree, str):
        return False
    names = [name for name, _ in tree]  # type: ignore[attr-defined]
    return len(set(names)) < len(names) or any(twice(inner) for _, inner in tree)  # type: ignore[attr-defined]
