from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.telemetry.rules.expressions import ExpressionRefused, compile_expression

KNOWN = ("pressure", "flow", "valve", "level")
AT = {"pressure": 3.0, "flow": 200.0, "valve": 0.0, "level": -2.5}


def refused(text: str) -> list[str]:
    with pytest.raises(ExpressionRefused) as caught:
        compile_expression(text, KNOWN)
    return caught.value.findings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pressure * flow / 600", 1.0),
        (" -level + +pressure ** 2 - 1e1", 1.5),
        ("pressure - flow - 1", -198.0),
        ("1 if pressure > 2 else 0", 1.0),
        ("pressure > 2 and flow < 100", 0.0),
        ("pressure > 2 or 1 / valve > 1", 1.0),
        ("not 1 < pressure <= 3", 0.0),
        ("flow / valve if valve != 0 else 7", 7.0),
        ("min(pressure, flow, level)", -2.5),
        ("max(pressure, valve)", 3.0),
        ("clip(flow, 0, 100) + clip(level, 0, 100) + clip(pressure, 0, 100)", 103.0),
        ("round(level)", -2.0),
        ("round(pressure / 7, 2)", 0.43),
        ("floor(level) + ceil(level) + abs(level)", -2.5),
        ("sqrt(pressure + 1)", 2.0),
        ("flow / valve", None),
        ("sqrt(level)", None),
        ("flow ** 8 * flow ** 8 * 1e299", None),
        ("floor(flow ** 8 * 1e299)", None),
        ("1e299 * 1e299 - 1e299 * 1e299 + flow", None),
    ],
)
def test_values(text: str, expected: float | None) -> None:
    assert compile_expression(text, KNOWN).value(AT) == expected


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("presure * 2", "'presure' is no known property; did you mean 'pressure'?"),
        ("speed * 2", "'speed' is no known property; known: pressure, flow, valve, level"),
        ("sqr(pressure)", "'sqr' is no function; did you mean 'sqrt'?"),
        ("sqrt + pressure", "'sqrt' is a function; call it, as in `sqrt(…)`"),
        ("sqrt(pressure, flow)", "sqrt takes 1 to 1 values, not 2"),
        ("round(pressure, flow)", "the number of digits has to be a whole number from 0 to 9, written out"),
        ("pressure ** flow", "a power has to be a whole number from 1 to 8, written out"),
        ("pressure ** 0.5", "a power has to be a whole number from 1 to 8, written out"),
        ("pressure and flow > 1", "pressure is a number where a truth belongs; compare it, as in `x > 0`"),
        ("1 if pressure else 0", "pressure is a number where a truth belongs; compare it, as in `x > 0`"),
        ("(pressure > 1) * 2", "pressure > 1 is a truth where a number belongs; write `1 if … else 0`"),
        ("pressure == True", "True is no number; write 1 and 0 for true and false"),
        ("pressure + 'x'", "'x' is no number; write 1 and 0 for true and false"),
        ("pressure * 1e999", "a number is too large"),
        ("pressure % 2", "pressure % 2 cannot be used here; there are numbers, + - * / **, comparisons"),
        ("pressure.real", "pressure.real cannot be used here"),
        ("(lambda: pressure)()", "(lambda: pressure)() cannot be used here"),
        ("[pressure for pressure in flow]", "[pressure for pressure in flow] cannot be used here"),
        ("max(*pressure)", "max takes 2 to 20 values, not 1"),
        ("max(pressure, *flow)", "*flow cannot be used here"),
        ("max(pressure, key=flow)", "max(pressure, key=flow) cannot be used here"),
        ("__import__('os')", "'__import__' is no function"),
        ("pressure is flow", "pressure is flow cannot be used here"),
        ("2 + 3", "'2 + 3' names no property; an expression is over readings"),
        ("pressure *", "'pressure *' is no expression"),
        ("pressure; flow", "'pressure; flow' is no expression"),
        ("-" * 60 + "pressure", "is nested too deeply; split it"),
        ("(" * 400 + "pressure" + ")" * 400, "is no expression"),
        ("pressure + " * 200 + "flow", "is 2204 characters long, at most 1000; split it"),
    ],
)
def test_what_is_refused(text: str, finding: str) -> None:
    assert any(finding in found for found in refused(text)), refused(text)


def test_every_finding_is_told() -> None:
    assert refused("presure + flw ** 9 + sqrt()") == [
        "'presure' is no known property; did you mean 'pressure'?",
        "'flw' is no known property; did you mean 'flow'?",
        "a power has to be a whole number from 1 to 8, written out",
        "sqrt takes 1 to 1 values, not 0",
    ]


def test_the_names_that_it_asks_for() -> None:
    assert compile_expression("flow / pressure + flow", KNOWN).names == ("flow", "pressure")


NUMBERS = st.recursive(
    st.sampled_from([*KNOWN, "0", "2.5", "1e200"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("(-{})".format, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "sqrt", "round", "floor", "ceil"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds(
            "({} if {} < {} and not {} == {} else {})".format, inner, inner, inner, inner, inner, inner
        ),
    ),
    max_leaves=8,
)


@given(NUMBERS, st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_a_value_is_finite_or_none(text: str, values: list[float]) -> None:
    try:
        value = compile_expression(text, KNOWN).value(dict(zip(KNOWN, values, strict=True)))
    except ExpressionRefused as error:
        assert "names no property" in str(error) or "nested" in str(error)  # noqa: PT017
        return
    assert value is None or math.isfinite(value)
