"""One value type, two views: typed decoding, and JSON Schema 2020-12 that reports every finding."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property
from typing import Any, Generic, TypeVar, get_type_hints

import jsonschema_rs
import msgspec

from lineshaft.core.errors import ContractViolation
from lineshaft.core.values import Key

__all__ = ["PayloadSchema", "business_keys"]

T = TypeVar("T")


class PayloadSchema(Generic[T]):
    """name: contract it belongs to; facets: `x-` members that are part of the contract."""

    def __init__(self, name: str, type: type[T], facets: dict[str, Any]) -> None:
        self.name = name
        self.type = type
        self._facets = facets
        self._decoder = msgspec.json.Decoder(type)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The writers' view: unknown members are refused."""
        (reference,), components = msgspec.json.schema_components([self.type], ref_template="#/$defs/{name}")
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": self.name, **reference}
        return {**schema, "$defs": components, "unevaluatedProperties": False, **self._facets}

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        readers = {key: value for key, value in self.document.items() if key != "unevaluatedProperties"}
        return jsonschema_rs.Draft202012Validator(readers)

    def decode(self, data: bytes) -> T:
        """The typed value; members that the contract does not know are ignored.

        raises  ContractViolation naming every path that is wrong
        """
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise self._violation(data, error) from error

    def convert(self, document: Any) -> T:
        """decode for an already parsed JSON document."""
        return self.decode(msgspec.json.encode(document))

    def _violation(self, data: bytes, error: Exception) -> ContractViolation:
        try:
            document = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return ContractViolation(f"{self.name}: the payload is not JSON", findings=[str(error)])
        findings = [
            f"{'/'.join(map(str, found.instance_path)) or '(root)'}: {found.message}"
            for found in self._validator.iter_errors(document)
        ]
        return ContractViolation(
            f"{self.name}: the payload breaks its contract", findings=findings or [str(error)]
        )


@cache
def _key_paths(type: type) -> tuple[tuple[str, bool], ...]:
    """(field, nested) for each field of a struct that is a Key or holds structs."""
    hints = get_type_hints(type, include_extras=True)
    found = []
    for name, hint in hints.items():
        text = str(hint)
        if hint is Key or "x-key" in text:
            found.append((name, False))
        elif "lineshaft.model" in text:
            found.append((name, True))
    return tuple(found)


def business_keys(value: Any) -> Iterator[tuple[str, str]]:
    """(field name, key) for every Key field of a value, nested ones included."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from business_keys(item)
    elif isinstance(value, msgspec.Struct):
        for name, nested in _key_paths(type(value)):
            part = getattr(value, name)
            if nested:
                yield from business_keys(part)
            elif part is not None:
                yield name, part
