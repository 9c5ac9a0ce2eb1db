"""Every canonical value goes through JSON unchanged, cannot be changed, and may grow."""

from __future__ import annotations

import importlib
import pkgutil

import msgspec
import pytest

import lineshaft.model
from lineshaft.core.values import Value
from tests.facts import VALUES

EACH = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


@EACH
def test_json_and_back(value: Value) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


@EACH
def test_it_is_immutable_and_its_fields_have_names(value: Value) -> None:
    field = type(value).__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(value, field, None)
    with pytest.raises(TypeError):
        type(value)("positional")  # type: ignore[call-arg]


@EACH
def test_a_reader_takes_a_newer_document(value: Value) -> None:
    document = msgspec.json.decode(msgspec.json.encode(value)) | {"added_later": 1}
    assert msgspec.json.decode(msgspec.json.encode(document), type=type(value)) == value


def test_each_top_level_value_is_here() -> None:
    """Parts of others (PartRequirement, Evidence, …) are tested inside them."""
    declared = [
        getattr(importlib.import_module(f"lineshaft.model.{module.name}"), name)
        for module in pkgutil.iter_modules(lineshaft.model.__path__)
        for name in importlib.import_module(f"lineshaft.model.{module.name}").__all__
    ]
    values = {kind for kind in declared if isinstance(kind, type) and issubclass(kind, Value)}
    tested: set[type] = set()

    def visit(value: object) -> None:
        if isinstance(value, list):
            for item in value:
                visit(item)
        elif isinstance(value, msgspec.Struct):
            tested.add(type(value))
            for field in value.__struct_fields__:
                visit(getattr(value, field))

    visit(VALUES)
    assert values - tested == set()
