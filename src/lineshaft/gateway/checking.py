"""What a route checks of a request before its handler sees it: media type, parameters, body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs
import msgspec

from lineshaft.contracts.schema import findings_of, validator_of
from lineshaft.core.errors import ContractViolation
from lineshaft.gateway.guards import UnsoundBody, check_json, inflated
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import ApiRoute, Parameter

__all__ = ["RouteChecks", "header_texts", "unreadable"]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,2})?")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BOOLEANS = {"true": True, "false": False}
_MOST_PARAMETERS = 100
_JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json")
_READING = frozenset({"GET", "HEAD", "DELETE"})
_SAID_ONCE = frozenset(
    ("authorization", "content-encoding", "content-type", "host", "idempotency-key", "origin", "x-api-key")
)


class RouteChecks:
    """Compiled from one declaration."""

    def __init__(self, route: ApiRoute) -> None:
        self._route = route
        self.takes_body = route.method not in _READING
        self._media = frozenset(media.lower() for media in route.media)
        self._query = {each.name: each for each in route.parameters if each.where == "query"}
        self._kinds = {name: set(_kinds(each.schema)) for name, each in self._query.items()}
        self._is_strict = not (route.is_public or route.is_page)
        of_path = {each.name: each for each in route.parameters if each.where == "path"}
        self._path_validator = _validator(of_path, []) if of_path else None
        required = [each.name for each in self._query.values() if each.required]
        self._query_validator = _validator(self._query, required)
        self._has_required = bool(required)
        checked = route.request is not None and not route.own_checks
        self._body_validator = validator_of(dict(route.request)) if checked and route.request else None

    def query(self, text: bytes) -> dict[str, str]:
        """The parameters as sent; those of one name with commas between, where a list is meant.

        raises  Refusal, 400, for what cannot be read
        """
        if not text:
            return {}
        found: dict[str, str] = {}
        for name, value in _pairs(text):
            if name not in found:
                found[name] = value
            elif "array" in self._kinds.get(name, ()):
                found[name] += f",{value}"
            elif self._is_strict:
                raise unreadable(f"query parameter {name[:100]!r} is given twice", "parameter_twice")
        return found

    def path(self, found: Mapping[str, str]) -> None:
        """raises  ContractViolation with every finding"""
        if self._path_validator is not None and not self._path_validator.is_valid(found):
            raise ContractViolation(
                "the path breaks its contract", findings=findings_of(self._path_validator, found)
            )

    def parameters(self, found: Mapping[str, str]) -> None:
        """raises  ContractViolation with every finding"""
        if not self._is_strict or not (found or self._has_required):
            return
        values = {
            name: _value(text, self._kinds[name]) for name, text in found.items() if name in self._query
        }
        findings = [f"{name}: is unknown" for name in found if name not in self._query and name != "plant"]
        if not self._query_validator.is_valid(values):
            findings += findings_of(self._query_validator, values)
        if findings:
            known = ", ".join([*self._query, "plant"])
            raise ContractViolation("this cannot be asked", findings=findings, hint=f"parameters: {known}")

    def media(self, headers: Mapping[str, str]) -> None:
        """raises  Refusal, 415"""
        sent = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not self._media or sent in self._media:
            return
        if not sent and self._route.request is None and headers.get("content-length", "0") == "0":
            return
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body comes as {sent or 'nothing that Content-Type names'!r}",
            code="not_json" if self._media == {"application/json"} else "media_type_not_read",
            hint=f"send it as Content-Type: {' or '.join(sorted(self._media))}",
        )

    def body(self, body: bytes, headers: Mapping[str, str], most_bytes: int) -> bytes:
        """The body as it can be worked with: out of its coding, sound, and as its schema has it.

        raises  UnsoundBody, ContractViolation with every finding
        """
        coding = headers.get("content-encoding", "")
        if coding:
            body = inflated(body, coding, most_bytes)
        if self._route.own_checks:
            return body
        is_json = _JSON.fullmatch(headers.get("content-type", "").partition(";")[0].strip().lower())
        if self._body_validator is None:
            if body and is_json:
                check_json(body)
            return body
        if not is_json:
            return body
        check_json(body)
        document = _document(body)
        if not self._body_validator.is_valid(document):
            raise ContractViolation(
                f"the body breaks the contract of {self._route.name}",
                findings=findings_of(self._body_validator, document),
            )
        return body


def _document(body: bytes) -> Any:
    """raises  UnsoundBody for texts that no database would keep as they are"""
    why = "a text in it has the character U+0000"
    if not (b"\\u0000" in body and _NUL.search(body)):
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:  # half of a surrogate pair
            why = str(error)
    raise UnsoundBody("the body is not sound JSON", findings=[f"(root): {why}"])


def header_texts(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names in lower case; those of one name with commas between (RFC 9110 §5.3), cookies with semicolons.

    raises  Refusal, 400, for two of what a server and one before it could read differently
    """
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    if len(found) == len(pairs):
        return found
    joined: dict[str, str] = {}
    for raw, value in pairs:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        if name in joined and (name in _SAID_ONCE or name.startswith("ce-")):
            raise unreadable(f"the header {name} is given twice", "header_twice")
        between = "; " if name == "cookie" else ", "
        joined[name] = f"{joined[name]}{between}{text}" if name in joined else text
    return joined


def unreadable(message: str, code: str = "unreadable") -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, message, code=code)


def _validator(
    parameters: Mapping[str, Parameter], required: Sequence[str]
) -> jsonschema_rs.Draft202012Validator:
    schemas = {name: dict(each.schema) for name, each in parameters.items()}
    return validator_of({"type": "object", "properties": schemas, "required": [*required]})


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except UnicodeDecodeError as error:
        raise unreadable(f"the query is no percent-encoded UTF-8: {error.reason}") from error
    except ValueError as error:
        raise unreadable(f"the query has more than {_MOST_PARAMETERS} parameters") from error
    for name, value in pairs:
        if not (name.isprintable() and value.isprintable()) and _CONTROL.search(name + value):
            raise unreadable(f"query parameter {name[:100]!r} has a control character in it")
    return pairs


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    """The JSON types that a schema allows, as far as it says so directly."""
    said = schema.get("type", ())
    yield from [said] if isinstance(said, str) else said
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _kinds(branch)


def _value(text: str, kinds: set[str]) -> Any:
    """As JSON has it, where the text is of that kind; text otherwise, for the schema to say what is wrong."""
    if "array" in kinds:
        return text.split(",") if text else []
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text)
    if "boolean" in kinds and text in _BOOLEANS:
        return _BOOLEANS[text]
    return text
