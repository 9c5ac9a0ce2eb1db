"""Whatever is registered, published and promoted, in whatever order: CI lets the folder through."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.registry import (
    Contracts,
    check,
    deprecate,
    digest_of,
    live_contracts,
    promote,
    publish,
    retire,
)
from lineshaft.core.errors import ConfigError
from tests.contracts.registry.files import (
    DESADV,
    MUST_HAVE_WEIGHT,
    SHIPMENT,
    SIGNED,
    WITH_CARRIER,
    add,
    payload,
    read,
)
from tests.examples import examples

DOCUMENTS = (
    SHIPMENT,
    WITH_CARRIER,
    MUST_HAVE_WEIGHT,
    payload("shipment", shipment="string", weight="string"),
)
Step = Callable[[Path], object]


def publishing(folder: Path) -> object:
    return publish(read(folder), [], SIGNED)


def ending(major: int, *, retiring: bool) -> Step:
    if retiring:
        return lambda folder: retire(read(folder), DESADV, major, SIGNED, own=False)
    return lambda folder: deprecate(read(folder), DESADV, major, "2027-01-01", SIGNED, own=False)


def registering(document: int, *, new_major: bool) -> Step:
    return lambda folder: add(folder, DOCUMENTS[document], new_major=new_major, published=False)


def promoting(source: str, target: str) -> Step:
    return lambda folder: promote(read(folder), source, target)


ENVIRONMENTS = st.sampled_from(["", "dev"])
STEPS = st.one_of(
    st.builds(registering, st.integers(0, len(DOCUMENTS) - 1), new_major=st.booleans()),
    st.just(publishing),
    st.builds(ending, st.integers(1, 3), retiring=st.booleans()),
    st.builds(promoting, ENVIRONMENTS, st.sampled_from(["dev", "prod"])),
)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@given(st.lists(STEPS, min_size=1, max_size=12))
@settings(max_examples=examples(15), derandomize=True)
def test_the_folder_stays_sound(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder, published = Path(made), dict[str, str]()
        for step in steps:
            before = files(folder)
            try:
                step(folder)
            except ConfigError:
                assert files(folder) == before
            found = read(folder)
            assert check(found, []) == []
            published = _grown(found, published)
            for environment in found.plant.environments:
                assert all(
                    each.digest == digest_of(each.document) for each in live_contracts(found, environment)
                )


def _grown(found: Contracts, published: dict[str, str]) -> dict[str, str]:
    """What is published, after seeing that nothing of it was changed or lost."""
    now = {
        str(each.version): digest_of(each.document)
        for contract in found.contracts.values()
        for each in contract.published()
    }
    assert {version: now.get(version) for version in published} == published
    return now
