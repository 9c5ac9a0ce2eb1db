"""Keys that recognise a repeat and nothing else."""

from __future__ import annotations

import uuid

from hypothesis import example, given
from hypothesis import strategies as st

from lineshaft.core.ids import business_key, fingerprint, new_id

PARTS = st.lists(st.text(max_size=6), max_size=4).map(tuple)


@given(PARTS, PARTS)
@example(("a", "bc"), ("ab", "c"))
@example(("a", ""), ("a",))
@example(("1:a",), ("a",))
@example(("a1:b",), ("a", "b"))
def test_other_tuples_have_other_keys(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (business_key(*one) == business_key(*other)) == (one == other)


def test_a_key_is_the_same_in_every_process_and_version() -> None:
    """Ledgers hold them: another value here means that a repeat is posted twice."""
    assert business_key("erp.post", "R1") == "fee04449-aceb-5557-9418-21cc554f2db5"
    assert uuid.UUID(business_key("x")).version == 5


@given(st.text())
def test_a_key_is_the_uuid5_of_its_tuple(part: str) -> None:
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "https://lineshaft.dev/business-key")
    assert business_key(part, "x") == str(uuid.uuid5(namespace, f"{len(part)}:{part}1:x"))


def test_a_fingerprint_is_of_every_byte() -> None:
    assert fingerprint(b"a") != fingerprint(b"b")
    assert len(fingerprint(b"")) == 64


def test_new_ids_differ() -> None:
    made = [uuid.UUID(new_id()) for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {(one.version, one.variant) for one in made} == {(4, uuid.RFC_4122)}
