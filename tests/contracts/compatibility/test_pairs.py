"""Pairs of versions, and whether they go together backward and forward, by kind of change."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineshaft.contracts.compatibility import Mode, compare
from tests.contracts.compatibility.views import Views

Row = tuple[str, Any, Any, bool, bool]
INT, NUM, STR, BOOL, NULL = ({"type": kind} for kind in ("integer", "number", "string", "boolean", "null"))
OPEN = {"additionalProperties": True}
CLOSED = {"additionalProperties": False}
DATE = {"type": "string", "format": "date"}


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def arr(items: Any = True, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def num(**more: Any) -> dict[str, Any]:
    return {"type": "number", **more}


def whole(**more: Any) -> dict[str, Any]:
    return {"type": "integer", **more}


def kind(name: str, *required: str, **properties: Any) -> dict[str, Any]:
    return obj("kind", *required, kind={"const": name}, **properties)


def tree(value: Any, **more: Any) -> dict[str, Any]:
    node = obj("value", value=value, parts=arr({"$ref": "#/$defs/node"}), **more)
    return {"$ref": "#/$defs/node", "$defs": {"node": node}}


MEMBERS: list[Row] = [
    ("the same", obj("a", a=INT), obj("a", a=INT), True, True),
    ("words only", {**obj(a=INT), "title": "x"}, {**obj(a={**INT, "default": 1, "x-other": 2})}, True, True),
    ("optional added", obj(a=INT), obj(a=INT, b=STR), True, True),
    ("optional removed", obj(a=INT, b=STR), obj(a=INT), True, True),
    ("required added", obj(a=INT), obj("b", a=INT, b=STR), False, True),
    ("required removed", obj("b", a=INT, b=STR), obj(a=INT), True, False),
    ("optional made required", obj(a=INT), obj("a", a=INT), False, True),
    ("required made optional", obj("a", a=INT), obj(a=INT), True, False),
    ("required with a default is required", obj(a=INT), obj("b", a=INT, b={**STR, "default": ""}), False,
     True),
    ("renamed optional", obj(a=INT), obj(b=INT), True, True),
    ("renamed required", obj("a", a=INT), obj("b", b=INT), False, False),
    ("optional added, others open", {**obj(a=INT), **OPEN}, {**obj(a=INT, b=STR), **OPEN}, False, True),
    ("optional removed, others open", {**obj(a=INT, b=STR), **OPEN}, {**obj(a=INT), **OPEN}, True, False),
    ("optional of anything added, open", {**obj(a=INT), **OPEN}, {**obj(a=INT, b={}), **OPEN}, True, True),
    ("optional added as the others are", {**obj(a=INT), "additionalProperties": STR},
     {**obj(a=INT, b=STR), "additionalProperties": STR}, True, True),
    ("optional added wider than others", {**obj(a=INT), "additionalProperties": STR},
     {**obj(a=INT, b={}), "additionalProperties": STR}, True, False),
    ("optional added, closed", {**obj(a=INT), **CLOSED}, {**obj(a=INT, b=STR), **CLOSED}, True, False),
    ("optional removed, closed", {**obj(a=INT, b=STR), **CLOSED}, {**obj(a=INT), **CLOSED}, False, True),
    ("closed", obj(a=INT), {**obj(a=INT), **CLOSED}, True, True),
    ("closed and one less", obj(a=INT, b=INT), {**obj(a=INT), **CLOSED}, False, True),
    ("opened", obj(a=INT), {**obj(a=INT), **OPEN}, True, True),
    ("opened what was closed", {**obj(a=INT), **CLOSED}, {**obj(a=INT), **OPEN}, True, False),
    ("writers' view marked", obj(a=INT), {**obj(a=INT), "unevaluatedProperties": False}, True, True),
    ("unevaluated open", {**obj(a=INT), "unevaluatedProperties": True}, obj(a=INT, b=STR), False, True),
    ("unevaluated typed", {**obj(a=INT), "unevaluatedProperties": STR}, obj(a=INT, b=STR), True, True),
    ("map narrowed", {"type": "object", "additionalProperties": NUM},
     {"type": "object", "additionalProperties": INT}, False, True),
    ("map became record", {"type": "object", "additionalProperties": STR}, obj(a=STR), True, True),
    ("map became other record", {"type": "object", "additionalProperties": STR}, obj(a=INT), False, False),
    ("any object to record", {"type": "object"}, obj(a=INT), False, True),
    ("member forbidden", obj(a=INT, b=INT), obj(a=INT, b=False), False, True),
    ("nested required", obj(a=obj(b=INT)), obj(a=obj("b", b=INT)), False, True),
    ("nested optional", obj(a=obj(b=INT)), obj(a=obj(b=INT, c=STR)), True, True),
    ("minProperties", obj(a=INT, b=INT), {**obj(a=INT, b=INT), "minProperties": 1}, False, True),
    ("minProperties held", obj("a", a=INT), {**obj("a", a=INT), "minProperties": 1}, True, True),
    ("maxProperties", obj(a=INT, b=INT), {**obj(a=INT, b=INT), "maxProperties": 1}, False, True),
    ("maxProperties held", obj(a=INT), {**obj(a=INT), "maxProperties": 1}, True, True),
    ("names", {"type": "object", "additionalProperties": INT},
     {"type": "object", "additionalProperties": INT, "propertyNames": {"pattern": "^[a-z]+$"}}, False, True),
    ("names held", obj(a=INT), {**obj(a=INT), "propertyNames": {"pattern": "^[a-z]+$"}}, True, True),
    ("patterns narrowed", {"type": "object", "patternProperties": {"^x-": {}}},
     {"type": "object", "patternProperties": {"^x-": STR}}, False, True),
    ("pattern wider", {"type": "object", "patternProperties": {"^x-": STR}},
     {"type": "object", "patternProperties": {"^x": STR}}, True, True),
    ("pattern takes a member", {"type": "object", "properties": {"x-a": INT}},
     {"type": "object", "properties": {"x-a": INT}, "patternProperties": {"^x-": STR}}, False, True),
    ("dependent required", obj(a=INT, b=INT), {**obj(a=INT, b=INT), "dependentRequired": {"a": ["b"]}},
     False, True),
    ("dependent held", obj("b", a=INT, b=INT), {**obj("b", a=INT, b=INT), "dependentRequired": {"a": ["b"]}},
     True, True),
    ("dependent schema", obj(a=INT, b=INT), {**obj(a=INT, b=INT), "dependentSchemas": {"a": obj("b", b=INT)}},
     False, True),
]  # fmt: skip

VALUES: list[Row] = [
    ("integer to number", INT, NUM, True, False),
    ("number to whole number", NUM, {"type": "number", "multipleOf": 1}, False, True),
    ("whole numbers are integers", {"type": "number", "multipleOf": 1}, INT, True, True),
    ("integer to string", INT, STR, False, False),
    ("nullable", STR, {"type": ["string", "null"]}, True, False),
    ("types reordered", {"type": ["string", "null"]}, {"type": ["null", "string"]}, True, True),
    ("type dropped", STR, {}, True, False),
    ("anything to true", {}, True, True, True),
    ("nothing is written", False, STR, True, False),
    ("minimum raised", num(minimum=0), num(minimum=1), False, True),
    ("minimum added", NUM, num(minimum=0), False, True),
    ("maximum raised", num(maximum=10), num(maximum=11), True, False),
    ("exclusive", num(minimum=0), num(exclusiveMinimum=0), False, True),
    ("exclusive of integers", whole(exclusiveMinimum=0), whole(minimum=1), True, True),
    ("exclusive of fractions", num(exclusiveMinimum=0), num(minimum=1), False, True),
    ("fraction as bound of integers", whole(minimum=0.5), whole(minimum=1), True, True),
    ("bound of another type", STR, text(minimum=3), True, True),
    ("multiples", whole(multipleOf=4), whole(multipleOf=2), True, False),
    ("multiples apart", whole(multipleOf=2), whole(multipleOf=3), False, False),
    ("decimal steps", num(multipleOf=0.1), num(multipleOf=0.05), True, False),
    ("common multiple", {"allOf": [whole(multipleOf=2), whole(multipleOf=3)]}, whole(multipleOf=6), True,
     True),
    ("few multiples", whole(minimum=1, maximum=5, multipleOf=3), {"const": 3}, True, True),
    ("a range as enum", whole(minimum=1, maximum=3), {"enum": [1, 2, 3]}, True, True),
    ("a range less one", whole(minimum=1, maximum=3), {"enum": [1, 3]}, False, True),
    ("maxLength lowered", text(maxLength=10), text(maxLength=9), False, True),
    ("minLength added", STR, text(minLength=1), False, True),
    ("minLength 0", STR, text(minLength=0), True, True),
    ("pattern added", STR, text(pattern="^a"), False, True),
    ("pattern the same language", text(pattern="^(a|b)+$"), text(pattern="^[ab]+$"), True, True),
    ("pattern wider class", text(pattern="^[A-Z]{3}$"), text(pattern="^[A-Za-z]{3}$"), True, False),
    ("pattern with lengths", text(pattern="^[A-Z]{1,35}$"), text(maxLength=35), True, False),
    ("length as pattern", text(maxLength=2, pattern="^[0-9]*$"), text(pattern="^[0-9]{0,2}$"), True, True),
    ("anchors", text(pattern="^a$"), text(pattern="a"), True, False),
    ("pattern as enum", text(pattern="^(KGM|LBR)$"), {"enum": ["KGM", "LBR"]}, True, True),
    ("enum as pattern", {"enum": ["KGM", "LBR"]}, text(pattern="^[A-Z]{3}$"), True, False),
    ("format added", STR, DATE, False, True),
    ("format unknown", STR, text(format="sscc"), True, True),
    ("format changed", DATE, text(format="uuid"), False, False),
    ("date is ten characters", DATE, text(maxLength=10), True, False),
    ("uri is a reference", text(format="uri"), text(format="uri-reference"), True, False),
    ("decimal", STR, text(format="decimal"), False, True),
    ("const", {"const": 1}, {"const": 2}, False, False),
    ("const is 1.0", {"const": 1}, {"const": 1.0}, True, True),
    ("true is not 1", {"const": 1}, {"const": True}, False, False),
    ("const in enum", {"const": "a"}, {"enum": ["a", "b"]}, True, False),
    ("const of an object", {"const": {"a": 1}}, obj("a", a=INT), True, False),
    ("booleans all listed", BOOL, {"enum": [True, False]}, True, True),
    ("null as const", NULL, {"const": None}, True, True),
    ("enum value added", {"enum": ["a"]}, {"enum": ["a", "b"]}, True, False),
    ("enum value removed", {"enum": ["a", "b"]}, {"enum": ["a"]}, False, True),
    ("enum opened", {"enum": ["a"]}, STR, True, False),
    ("extensible, added", text(enum=["a"], **{"x-extensible": True}),
     text(enum=["a", "b"], **{"x-extensible": True}), True, True),
    ("extensible, removed", text(enum=["a", "b"], **{"x-extensible": True}),
     text(enum=["a"], **{"x-extensible": True}), True, True),
    ("extensible from now on, added", text(enum=["a"]), text(enum=["a", "b"], **{"x-extensible": True}),
     True, False),
    ("no more extensible, added", text(enum=["a"], **{"x-extensible": True}), text(enum=["a", "b"]), True,
     True),
    ("no more extensible, removed", text(enum=["a", "b"], **{"x-extensible": True}), text(enum=["a"]),
     False, True),
    ("extensible keeps its type", text(enum=["a"], **{"x-extensible": True}), {"enum": ["a", 1]}, True,
     False),
]  # fmt: skip

ARRAYS: list[Row] = [
    ("items narrowed", arr(NUM), arr(INT), False, True),
    ("items closed", arr(INT), arr(False), False, True),
    ("minItems", arr(INT, minItems=1), arr(INT, minItems=2), False, True),
    ("maxItems", arr(INT, maxItems=2), arr(INT, maxItems=1), False, True),
    ("unique", arr(INT), arr(INT, uniqueItems=True), False, True),
    ("unique of at most one", arr(INT, maxItems=1), arr(INT, maxItems=1, uniqueItems=True), True, True),
    ("unique booleans are two", arr(BOOL, uniqueItems=True), arr(BOOL, maxItems=2), True, False),
    ("tuple longer", arr(False, prefixItems=[INT]), arr(False, prefixItems=[INT, STR]), True, False),
    ("tuple reordered", {"type": "array", "prefixItems": [INT, STR]}, {"type": "array", "prefixItems": [STR,
     INT]},
     False, False),
    ("tuple to list", arr(False, prefixItems=[INT, INT]), arr(INT, maxItems=2), True, True),
    ("tuple to list of one kind", arr(INT, prefixItems=[INT]), arr(INT), True, True),
    ("array or null", arr(INT), {"type": ["array", "null"], "items": INT}, True, False),
    ("contains added", arr(NUM), arr(NUM, contains=INT), False, True),
    ("contains held", arr(INT, minItems=1), arr(INT, contains=NUM), True, True),
    ("contains wider", arr(True, contains=INT), arr(True, contains=NUM), True, False),
    ("contains more", arr(True, contains=INT), arr(True, contains=INT, minContains=2), False, True),
    ("contains none is asked", arr(True), arr(True, contains=INT, minContains=0), True, True),
    ("contains at most", arr(True), arr(True, contains=INT, maxContains=1), False, True),
    ("contains at most held", arr(INT, maxItems=1), arr(INT, contains=INT, minContains=0, maxContains=1),
     True, True),
    ("unevaluated items", {"type": "array", "prefixItems": [INT], "unevaluatedItems": False},
     arr(False, prefixItems=[INT]), True, True),
    ("nested arrays", arr(arr(INT)), arr(arr(NUM)), True, False),
    ("an array nobody can fill", arr(False, minItems=1), arr(STR), True, False),
]  # fmt: skip

TOGETHER: list[Row] = [
    ("allOf is one schema", {"allOf": [obj("a", a=INT), obj(b=STR)]}, obj("a", a=INT, b=STR), True, True),
    ("allOf narrows", obj(a=NUM), {"allOf": [obj(a=NUM), obj(a={"maximum": 5})]}, False, True),
    ("allOf nobody satisfies", {"allOf": [STR, INT]}, BOOL, True, False),
    ("allOf with one more", {"allOf": [obj(a=INT)]}, {"allOf": [obj(a=INT), obj(b=STR)]}, True, True),
    ("anyOf one more", {"anyOf": [STR, INT]}, {"anyOf": [STR, INT, NULL]}, True, False),
    ("anyOf reordered", {"anyOf": [STR, INT]}, {"anyOf": [INT, STR]}, True, True),
    ("anyOf as types", {"anyOf": [STR, INT]}, {"type": ["integer", "string"]}, True, True),
    ("anyOf of ranges", whole(minimum=0, maximum=9),
     {"anyOf": [whole(minimum=0, maximum=4), whole(minimum=5, maximum=9)]}, True, True),
    ("anyOf of ranges with a hole", num(minimum=0, maximum=9),
     {"anyOf": [num(minimum=0, maximum=4), num(minimum=5, maximum=9)]}, False, True),
    ("anyOf by the values of a member", obj("k", k={"enum": ["a", "b"]}),
     {"anyOf": [obj("k", k={"const": "a"}), obj("k", k={"const": "b"})]}, True, True),
    ("anyOf impossible branch", {"anyOf": [STR, {"allOf": [INT, BOOL]}]}, STR, True, True),
    ("nullable record grows", {"anyOf": [obj(a=INT), NULL]}, {"anyOf": [obj(a=INT, b=STR), NULL]}, True,
     True),
    ("members of both branches", {"anyOf": [obj("a", a=INT), obj("b", b=STR)]}, obj(a=INT, b=STR), True,
     False),
    ("members of both branches, clash", {"anyOf": [obj("a", a=INT), obj("b", b=STR)]}, obj(a=INT, b=INT),
     False, False),
    ("oneOf variant added", {"oneOf": [kind("a", x=INT)]}, {"oneOf": [kind("a", x=INT), kind("b", y=STR)]},
     True, False),
    ("oneOf variant grows", {"oneOf": [kind("a"), kind("b")]}, {"oneOf": [kind("a"), kind("b", z=INT)]},
     True, True),
    ("oneOf variant narrowed", {"oneOf": [kind("a", x=NUM), kind("b")]}, {"oneOf": [kind("a", x=INT),
     kind("b")]},
     False, True),
    ("oneOf made to overlap", STR, {"oneOf": [STR, text(maxLength=3)]}, False, True),
    ("oneOf of the same", {"oneOf": [STR, STR]}, STR, True, False),
    ("oneOf to anyOf", {"oneOf": [INT, STR]}, {"anyOf": [INT, STR]}, True, True),
    ("oneOf as difference", {"oneOf": [NUM, INT]}, {"type": "number", "not": INT}, True, True),
    ("not a type", {"type": ["string", "integer"]}, {"not": NUM}, False, False),
    ("not what never comes", STR, {"not": INT}, True, False),
    ("not a value", {"enum": ["a", "b"]}, {"not": {"const": "c"}}, True, False),
    ("not not", {"not": {"not": INT}}, INT, True, True),
    ("not a range", num(minimum=0), {"type": "number", "not": {"exclusiveMaximum": 0}}, True, True),
    ("not required", obj(a=INT), {**obj(a=INT), "not": {"required": ["a"]}}, False, True),
    ("if, then", obj("k", k=STR, v=INT), {**obj("k", k=STR, v=INT),
     "if": {"properties": {"k": {"const": "x"}}}, "then": {"required": ["v"]}}, False, True),
    ("if, then held", obj("k", "v", k=STR, v=INT), {**obj("k", "v", k=STR, v=INT),
     "if": {"properties": {"k": {"const": "x"}}}, "then": {"required": ["v"]}}, True, True),
    ("if, else", {"enum": [1, "a"]}, {"if": INT, "then": {"minimum": 1}, "else": STR}, True, False),
    ("if as union", {"if": INT, "then": {"minimum": 0}, "else": {"type": ["string", "number"]}},
     {"anyOf": [whole(minimum=0), STR, {"type": "number", "not": INT}]}, True, True),
    ("a reference is what it refers to", {"$ref": "#/$defs/a", "$defs": {"a": obj(a=INT)}}, obj(a=INT),
     True, True),
    ("a renamed definition", {"$ref": "#/$defs/a", "$defs": {"a": tree(INT)["$defs"]["node"], "node": {}}},
     {"$ref": "#/$defs/b", "$defs": {"b": tree(INT)["$defs"]["node"], "node": {}}}, True, True),
    ("an anchor", {"$ref": "#here", "$defs": {"a": {"$anchor": "here", **INT}}}, INT, True, True),
    ("an embedded resource", {"$id": "https://example.org/r", "$ref": "s", "$defs": {"a": {"$id": "s",
     **INT}}}, INT,
     True, True),
    ("recursive the same", tree(INT), tree(INT), True, True),
    ("recursive grows", tree(INT), tree(INT, note=STR), True, True),
    ("recursive widened", tree(INT), tree(NUM), True, False),
    ("recursive unrolled", tree(INT), {**obj("value", value=INT, parts=arr({"$ref": "#/$defs/node"})),
     "$defs": tree(INT)["$defs"]}, True, True),
    ("recursive without an end", {"$ref": "#/$defs/n", "$defs": {"n": obj("n", n={"$ref": "#/$defs/n"})}},
     STR,
     True, False),
]  # fmt: skip

DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
DRAFTS: list[Row] = [
    ("items as a tuple", {**DRAFT_7, "type": "array", "items": [INT], "additionalItems": False},
     arr(False, prefixItems=[INT]), True, True),
    ("dependencies", {**DRAFT_7, **obj(a=INT, b=INT), "dependencies": {"a": ["b"]}},
     {**obj(a=INT, b=INT), "dependentRequired": {"a": ["b"]}}, True, True),
    ("definitions", {**DRAFT_7, "$ref": "#/definitions/a", "definitions": {"a": INT}}, INT, True, True),
    ("beside a reference nothing counts", {**DRAFT_7, **obj(a={"$ref": "#/definitions/a", "minimum": 3}),
     "definitions": {"a": INT}}, obj(a=INT), True, True),
    ("a reference into a tuple", {**DRAFT_7, "type": "array", "items": [INT, {"$ref": "#/items/0"}],
     "additionalItems": False}, arr(False, prefixItems=[INT, INT]), True, True),
    ("2019-09", {"$schema": "https://json-schema.org/draft/2019-09/schema", "type": "array", "items": [INT]},
     {"type": "array", "prefixItems": [INT]}, True, True),
]  # fmt: skip

ROWS = [*MEMBERS, *VALUES, *ARRAYS, *TOGETHER, *DRAFTS]


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_verdict_and_its_witness(old: Any, new: Any, backward: bool, forward: bool) -> None:
    found = compare(old, new, Mode.FULL)
    directions = {each.direction for each in found}
    assert ("backward" not in directions, "forward" not in directions) == (backward, forward), found
    assert not any(each.rule.startswith("undecided") for each in found), found
    for each in found:
        writer, reader = (old, new) if each.direction == "backward" else (new, old)
        if not any(word in str((old, new)) for word in ("$schema", "$id", "$anchor")):
            document = msgspec.json.decode(each.witness)
            assert Views(writer).writer().is_valid(document)
            assert not Views(reader).reader().is_valid(document)


def test_every_pair_read_the_other_way_round_has_the_opposite_verdict() -> None:
    for name, old, new, backward, forward in ROWS:
        assert (not compare(new, old, Mode.BACKWARD)) is forward, name
        assert (not compare(new, old, Mode.FORWARD)) is backward, name


def test_there_are_enough_pairs() -> None:
    assert len(ROWS) >= 120
    assert len({row[0] for row in ROWS}) == len(ROWS)
