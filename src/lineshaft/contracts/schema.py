"""One value type, two views: typed decoding, and JSON Schema 2020-12 that reports every finding."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import jsonschema_rs
import msgspec

from lineshaft.core.errors import ContractViolation

__all__ = ["FORMATS", "PayloadSchema", "business_keys", "findings_of", "validator_of"]

T = TypeVar("T")
_NO_NUMBER = re.compile(rb'"[+-]?(s?nan\d*|inf(inity)?)"')
_SCALARS = (str, int, float, bytes, NoneType, date, timedelta, Decimal)
_AT = re.compile(r" - at `\$\.?(.*?)`$")
_BUILDING = threading.Lock()
_MOST_BYTES_FOR_ALL = 16 * 1024
_LONGEST_MESSAGE = 2000
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class PayloadSchema(Generic[T]):
    """name: contract it belongs to; facets: `x-` members that are part of the contract."""

    def __init__(self, name: str, type: type[T], facets: dict[str, Any]) -> None:
        self.name = name
        self.type = type
        self._facets = facets
        with _BUILDING:  # two threads that meet a type for the first time get in each other's way
            self._decoder = msgspec.json.Decoder(type)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The writers' view: unknown members are refused.

        An enumeration with `Other` may grow: readers take a word that they do not know for it.
        """
        with _BUILDING:
            (reference,), components = msgspec.json.schema_components(
                [self.type], ref_template="#/$defs/{name}"
            )
        for component in components.values():
            if "Other" in component.get("enum", ()):
                component["x-extensible"] = True
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": self.name, **reference}
        return {**schema, "$defs": components, "unevaluatedProperties": False, **self._facets}

    @cached_property
    def _has_decimals(self) -> bool:
        return b'"decimal"' in msgspec.json.encode(self.document)

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        readers = {key: value for key, value in self.document.items() if key != "unevaluatedProperties"}
        readers["$defs"] = {
            name: {"type": "string"} if component.get("x-extensible") else component
            for name, component in self.document["$defs"].items()
        }
        return validator_of(readers)

    def decode(self, data: bytes) -> T:
        """The typed value; members that the contract does not know are ignored.

        raises  ContractViolation naming every path that is wrong
        """
        try:
            value = self._decoder.decode(data)
        except _UNREADABLE as error:
            raise self._violation(data, [str(error)]) from error
        # the decoder takes "NaN" for a decimal, the schema does not
        if self._has_decimals and _has_no_number(data) and self._findings(msgspec.json.decode(data)):
            raise self._violation(data, [])
        return value

    def convert(self, document: Any) -> T:
        """decode for an already parsed JSON document."""
        return self.decode(msgspec.json.encode(document))

    def _violation(self, data: bytes, said: list[str]) -> ContractViolation:
        try:
            document = msgspec.json.decode(data)
        except _UNREADABLE:
            return ContractViolation(f"{self.name}: the payload is not JSON", findings=said)
        findings = self._findings(document) or [_told(each) for each in said]
        return ContractViolation(f"{self.name}: the payload breaks its contract", findings=findings)

    def _findings(self, document: Any) -> list[str]:
        return findings_of(self._validator, document)


def _has_no_number(data: bytes) -> bool:
    lower = data.lower()
    return (b"nan" in lower or b"inf" in lower) and _NO_NUMBER.search(lower) is not None


def _told(error: str) -> str:
    """What a value's own check says, with its path in the form that the schema's findings have."""
    where = _AT.search(error)
    path = where[1].replace("[", ".").replace("]", "").strip(".").replace(".", "/") if where else ""
    return f"{path or '(root)'}: {_AT.sub('', error)}"


def _is_decimal(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


FORMATS = {"decimal": _is_decimal}  # beside those of JSON Schema, asserted by every validator


def validator_of(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Formats are asserted, ours among them."""
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, formats=FORMATS)


def findings_of(validator: jsonschema_rs.Draft202012Validator, document: Any) -> list[str]:
    """Paths that are wrong, one line each: every one, of a large document the first, as each costs time."""
    found: list[jsonschema_rs.ValidationError] = []
    if len(msgspec.json.encode(document)) <= _MOST_BYTES_FOR_ALL:
        found += validator.iter_errors(document)
    else:
        try:
            validator.validate(document)
        except jsonschema_rs.ValidationError as first:
            found = [first]
    return [
        f"{'/'.join(map(str, each.instance_path)) or '(root)'}: {each.message[:_LONGEST_MESSAGE]}"
        for each in found
    ]


def business_keys(value: Any) -> list[tuple[str, str]]:
    """(field name, key) for every Key field of a value, nested ones included."""
    found: list[tuple[str, str]] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[tuple[str, str]]) -> None:
    if isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)
        return
    for names, parts_of, holds_keys in _fields(value.__class__):
        for name, part in zip(names, parts_of(value), strict=True):
            if part is None:
                continue
            if not holds_keys:
                _collect(part, found)
            elif part.__class__ is str:
                found.append((name, part))
            else:
                found += [(name, key) for key in part]


@cache
def _fields(type: type[Any]) -> list[tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]], bool]]:
    """Names of a struct's fields, what takes their values, and whether these are keys or only may hold some.

    A field holds keys when its type is Key, or made of Key as in `list[Key]`, `Key | None`. Of any other
    type than a struct there are none.
    """
    if not issubclass(type, msgspec.Struct):
        return []
    hints = get_type_hints(type, include_extras=True)
    keys = [name for name in type.__struct_fields__ if "x-key" in str(hints[name])]
    rest = [name for name in type.__struct_fields__ if name not in keys and not _scalar(hints[name])]
    return [(tuple(names), _taker(names), names is keys) for names in (keys, rest) if names]


def _taker(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: (getattr(value, names[0]),)


def _scalar(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _scalar(hint.__origin__)
    if isinstance(hint, UnionType):
        return all(map(_scalar, get_args(hint)))
    return isinstance(hint, type) and issubclass(hint, _SCALARS)
