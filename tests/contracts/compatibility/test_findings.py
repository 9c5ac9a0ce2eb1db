"""What a finding says: where, which rule, from what to what, and a document that shows it."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.compatibility import Finding, Mode, compare
from lineshaft.core.errors import ConfigError

INT, STR = {"type": "integer"}, {"type": "string"}


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def only(old: Any, new: Any, mode: Mode = Mode.BACKWARD) -> Finding:
    (found,) = compare(old, new, mode)
    return found


def test_it_names_the_place_the_rule_both_values_and_an_example() -> None:
    lines = {"type": "array", "items": obj(quantity={"type": "number", "maximum": 10})}
    narrowed = copy.deepcopy(lines)
    narrowed["items"]["properties"]["quantity"]["maximum"] = 9.5
    found = only(obj(lines=lines), obj(lines=narrowed))
    assert found == Finding(
        "/properties/lines/items/properties/quantity",
        "maximum_lowered",
        "maximum was 10, is 9.5",
        "backward",
        found.witness,
    )
    assert found.field == "lines[].quantity"
    assert found.witness in ('{"lines":[{"quantity":10}]}', '{"lines":[{"quantity":9.75}]}')


@pytest.mark.parametrize(
    ("old", "new", "mode", "path", "rule"),
    [
        (obj(a=INT), obj("a", a=INT), Mode.BACKWARD, "/properties/a", "required_added"),
        (obj("a", a=INT), obj(a=INT), Mode.FORWARD, "/properties/a", "required_removed"),
        (obj(a=INT), obj(a=STR), Mode.BACKWARD, "/properties/a", "type_changed"),
        (obj(a=INT), obj(a={"type": "number"}), Mode.FORWARD, "/properties/a", "type_widened"),
        (obj(a={"enum": ["x"]}), obj(a={"enum": ["x", "y"]}), Mode.FORWARD, "/properties/a",
         "enum_value_added"),
        (obj(a={"const": 1}), obj(a={"const": 2}), Mode.BACKWARD, "/properties/a", "const_changed"),
        (STR, {**STR, "format": "date"}, Mode.BACKWARD, "", "format_narrowed"),
        (STR, {**STR, "pattern": "^a"}, Mode.BACKWARD, "", "pattern_narrowed"),
        (
            obj(a={"anyOf": [STR, {"type": "null"}]}),
            obj(a={"anyOf": [{**STR, "maxLength": 5}, {"type": "null"}]}),
            Mode.BACKWARD,
            "/properties/a/anyOf/0",
            "max_length_lowered",
        ),
        (
            {**obj(a=INT, b=INT), "additionalProperties": False},
            {**obj(a=INT), "additionalProperties": False},
            Mode.BACKWARD,
            "/additionalProperties",
            "additional_properties_narrowed",
        ),
        (
            {"oneOf": [obj("k", k={"const": "a"})]},
            {"oneOf": [obj("k", k={"const": "a"}), obj("k", k={"const": "b"})]},
            Mode.FORWARD,
            "",
            "one_of_widened",
        ),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}, Mode.BACKWARD, "", "unique_items_added"),
    ],
)  # fmt: skip
def test_rules(old: Any, new: Any, mode: Mode, path: str, rule: str) -> None:
    found = only(old, new, mode)
    assert (found.path, found.rule, found.direction) == (path, rule, str(mode))


def test_every_reason_is_found() -> None:
    old = obj(a=INT, b=STR, c={"enum": ["x", "y"]})
    new = obj("a", a=INT, b={**STR, "maxLength": 3}, c={"enum": ["x"]})
    assert {(each.path, each.rule) for each in compare(old, new, Mode.BACKWARD)} == {
        ("/properties/a", "required_added"),
        ("/properties/b", "max_length_lowered"),
        ("/properties/c", "enum_value_removed"),
    }


def test_a_change_below_a_reference_is_told_once_at_the_nearest_place() -> None:
    def tree(value: Any) -> dict[str, Any]:
        node = obj(value=value, parts={"type": "array", "items": {"$ref": "#/$defs/n"}})
        return {"$ref": "#/$defs/n", "$defs": {"n": node}}

    assert only(tree({"type": "number"}), tree(INT)).path == "/properties/value"


@pytest.mark.parametrize("facet", ["x-unit", "x-key", "x-class", "x-owner", "x-order-by"])
@pytest.mark.parametrize("mode", list(Mode))
def test_a_changed_facet_is_never_compatible(facet: str, mode: Mode) -> None:
    was, now = obj(a={**INT, facet: "KGM"}), obj(a={**INT, facet: "LBR"})
    found = only(was, now, mode)
    assert (found.path, found.rule, found.direction) == ("/properties/a", "facet_changed", "both")
    assert '"KGM"' in found.detail
    assert '"LBR"' in found.detail
    assert only(obj(a=INT), was, mode).rule == "facet_changed"
    assert not compare(was, obj(a={**INT, facet: "KGM", "description": "x", "x-note": 1}), mode)
    assert not compare(obj(b=STR), obj(b=STR, a={**INT, facet: "KGM"}), mode)


def test_a_unit_that_changed_below_a_nullable_reference_is_found() -> None:
    def order(unit: str) -> dict[str, Any]:
        amount = obj(value={"type": "number", "x-unit": unit})
        return {**obj(a={"anyOf": [{"$ref": "#/$defs/q"}, {"type": "null"}]}), "$defs": {"q": amount}}

    assert only(order("KGM"), order("LBR")).path == "/properties/a/properties/value"


def test_what_is_not_decided_says_so() -> None:
    old, new = {**STR, "pattern": r"(?=a)a(?!bcde)"}, {**STR, "pattern": r"^a(?!bcd)|^.a|^..+a"}
    assert only(old, new).rule == "undecided_pattern"
    assert not compare(old, old, Mode.FULL)


def test_our_own_contracts_are_compatible_with_themselves_and_with_one_more_member() -> None:
    for contract in EVENTS.values():
        document = contract.schema.document
        assert compare(document, document, Mode.FULL) == []
        more = copy.deepcopy(document)
        name = more["$ref"].removeprefix("#/$defs/")
        more["$defs"][name]["properties"]["added_later"] = STR
        assert compare(document, more, Mode.FULL) == []
        more["$defs"][name]["required"] = [*more["$defs"][name].get("required", []), "added_later"]
        assert "added_later" in {each.field for each in compare(document, more, Mode.BACKWARD)}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "an object or a boolean"),
        ({"type": "objekt"}, "no valid JSON Schema"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "draft-03"),
        ({"$ref": "#/$defs/nope"}, "#/$defs/nope"),
        ({"properties": {"a": {"$ref": "https://example.org/other.json"}}}, "leads nowhere"),
        ({"pattern": "("}, "no regular expression"),
        ({"$ref": "#"}, "refers to itself in place"),
        ({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#"}]}}}, "refers to itself"),
    ],
)
def test_bad_input_is_refused_by_name(document: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^new: ") as refused:
        compare(INT, document, Mode.FULL)
    assert said in str(refused.value)


def test_a_schema_nested_beyond_measure_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"properties": {"a": deep}}
    with pytest.raises(ConfigError):
        compare(INT, deep, Mode.FULL)


def _plant(definitions: int) -> dict[str, Any]:
    """As the schemas of ISA-95 messages: each part has texts, a quantity, itself, and parts further down."""
    found = {}
    for at in range(definitions):
        named = {f"text{number}": {**STR, "maxLength": 40} for number in range(8)}
        named["quantity"] = obj("value", value={**STR, "format": "decimal"}, unit={"enum": ["KGM", "LBR"]})
        named["parts"] = {"type": "array", "items": {"$ref": f"#/$defs/T{at}"}}
        for step in (1, 7, 19):
            below = {"$ref": f"#/$defs/T{min(definitions - 1, at + step)}"}
            named[f"part{step}"] = {"anyOf": [below, {"type": "null"}]}
        found[f"T{at}"] = obj("text0", "quantity", **named)
    return {"$ref": "#/$defs/T0", "$defs": found}


def test_three_hundred_definitions_take_about_a_second() -> None:
    """Half a second on an idle core; ten times that is left for a busy or slow one."""
    old = _plant(300)
    wider, narrower = copy.deepcopy(old), copy.deepcopy(old)
    wider["$defs"]["T57"]["properties"]["more"] = STR
    narrower["$defs"]["T57"]["properties"]["text3"]["maxLength"] = 30
    assert _seconds(old, wider, 0) < 5
    assert _seconds(old, narrower, 1) < 5


def _seconds(old: Any, new: Any, findings: int) -> float:
    started = time.process_time()
    found = compare(old, new, Mode.BACKWARD)
    assert [each.rule for each in found] == ["max_length_lowered"][:findings]
    return time.process_time() - started


@pytest.mark.parametrize("steps", [40, 400])
def test_a_long_chain_of_definitions_is_decided(steps: int) -> None:
    def chain(last: Any) -> dict[str, Any]:
        links = {f"T{at}": obj(next={"$ref": f"#/$defs/T{at + 1}"}) for at in range(steps)}
        return {"$ref": "#/$defs/T0", "$defs": {**links, f"T{steps}": last}}

    assert compare(chain(INT), chain({"type": "number"}), Mode.BACKWARD) == []
    assert only(chain(INT), chain(STR)).rule == "type_changed"


def test_alternatives_without_end_are_given_up_in_time() -> None:
    def alternatives(type: str) -> dict[str, Any]:
        return {
            "oneOf": [
                {"anyOf": [obj(f"p{a}{b}", **{f"p{a}{b}": {"type": type}}) for b in range(6)]}
                for a in range(12)
            ]
        }

    started = time.process_time()
    found = compare(alternatives("integer"), alternatives("number"), Mode.BACKWARD)
    assert [each.rule for each in found] == ["undecided_size"]
    assert time.process_time() - started < 10
