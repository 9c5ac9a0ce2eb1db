"""Expressions over named numbers: a checked part of Python's syntax, compiled.

    pressure * flow / 600
    flow if valve > 0.5 and not pressure < 1 else 0
    clip(round(level, 1), 0, 100)

Numbers, + - * /, powers by a constant whole number, comparisons, and / or / not, `a if test else b`, and
FUNCTIONS. Truths are not numbers: they are compared to and chosen by; one as the result of all is 1 or 0.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from types import CodeType

from lineshaft.telemetry.tags import nearest

__all__ = ["FUNCTIONS", "Expression", "ExpressionRefused", "compile_expression"]

_LONGEST = 1000
_DEEPEST = 40
_HIGHEST_POWER = 8
_MOST_DIGITS = 9


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


FUNCTIONS: dict[str, tuple[int, int, Callable[..., float]]] = {
    "abs": (1, 1, abs),
    "sqrt": (1, 1, math.sqrt),
    "min": (2, 20, min),
    "max": (2, 20, max),
    "clip": (3, 3, _clip),
    "round": (1, 2, round),
    "floor": (1, 1, math.floor),
    "ceil": (1, 1, math.ceil),
}
"""(fewest values, most values, what it does). round: halves to even; its second value: how many digits."""

_SYNTAX = "numbers, + - * / **, comparisons, and, or, not, `a if test else b`, " + ", ".join(FUNCTIONS)
_NAMESPACE: dict[str, object] = {"__builtins__": {}} | {name: how for name, (*_, how) in FUNCTIONS.items()}


class ExpressionRefused(Exception):
    """findings: each says what is wrong and the next step, without the place of the expression"""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = list(findings)


class Expression:
    """names: the numbers that it asks for"""

    def __init__(self, names: Collection[str], code: CodeType) -> None:
        self.names = tuple(names)
        self._code = code

    def value(self, values: Mapping[str, float]) -> float | None:
        """None for a division by zero, the root of a negative number, and what is not finite."""
        try:
            result = float(eval(self._code, _NAMESPACE, values))  # noqa: S307 - checked before
        except (ArithmeticError, ValueError):
            return None
        return result if math.isfinite(result) else None


def compile_expression(text: str, known: Collection[str]) -> Expression:
    """known: names that it may ask for. raises ExpressionRefused with every finding"""
    if len(text) > _LONGEST:
        raise ExpressionRefused([f"is {len(text)} characters long, at most {_LONGEST}; split it"])
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        what = error.msg if isinstance(error, SyntaxError) else error
        raise ExpressionRefused(
            [f"{text!r:.60} is no expression: {what}; write it as in `a * b / 2`"]
        ) from None
    check = _Check(known)
    check.is_truth(tree.body, 0)
    if not check.findings and not check.names:
        check.findings.append(f"{text!r:.60} names no property; an expression is over readings")
    if check.findings:
        raise ExpressionRefused(list(dict.fromkeys(check.findings)))
    return Expression(check.names, compile(tree, "<expression>", "eval"))


class _Check:
    """Goes through all parts, and notes what is wrong."""

    def __init__(self, known: Collection[str]) -> None:
        self.names: dict[str, None] = {}
        self.findings: list[str] = []
        self._known = known

    def is_truth(self, part: ast.expr, depth: int) -> bool | None:
        """Whether the part yields a truth, not a number; None if it is refused."""
        if depth > _DEEPEST:
            return self._refuse("is nested too deeply; split it")
        match part:
            case ast.Constant():
                truth = self._constant(part.value)
            case ast.Name(id=name):
                truth = self._name(name)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                truth = self._call(name, args, depth)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                self._numbers([left], depth)
                truth = self._whole(right, 1, _HIGHEST_POWER, "a power")
            case _:
                truth = self._operation(part, depth)
        return truth

    def _operation(self, part: ast.expr, depth: int) -> bool | None:
        truth, truths, numbers = False, list[ast.expr](), list[ast.expr]()
        match part:
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                numbers = [operand]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                truth, truths = True, [operand]
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), left=left, right=right):
                numbers = [left, right]
            case ast.BoolOp(values=values):
                truth, truths = True, values
            case ast.Compare(left=left, ops=ops, comparators=rest) if all(
                type(op) in _COMPARED for op in ops
            ):
                truth, numbers = True, [left, *rest]
            case ast.IfExp(test=test, body=body, orelse=other):
                truths, numbers = [test], [body, other]
            case _:
                return self._refuse(f"{ast.unparse(part):.40} cannot be used here; there are {_SYNTAX}")
        self._truths(truths, depth)
        self._numbers(numbers, depth)
        return truth

    def _truths(self, parts: Sequence[ast.expr], depth: int) -> None:
        for part in parts:
            if self.is_truth(part, depth + 1) is False:
                self._refuse(
                    f"{ast.unparse(part):.40} is a number where a truth belongs; compare it, as in `x > 0`"
                )

    def _numbers(self, parts: Sequence[ast.expr], depth: int) -> None:
        for part in parts:
            if self.is_truth(part, depth + 1):
                self._refuse(
                    f"{ast.unparse(part):.40} is a truth where a number belongs; write `1 if … else 0`"
                )

    def _refuse(self, what: str) -> bool | None:
        self.findings.append(what)
        return None

    def _constant(self, value: object) -> bool | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._refuse(f"{value!r:.40} is no number; write 1 and 0 for true and false")
        return False if abs(value) < 1e300 else self._refuse("a number is too large")

    def _name(self, name: str) -> bool | None:
        if name in self._known:
            self.names[name] = None
            return False
        if name in FUNCTIONS:
            return self._refuse(f"{name!r} is a function; call it, as in `{name}(…)`")
        return self._refuse(f"{name!r} is no known property{_hint(name, self._known)}")

    def _call(self, name: str, args: list[ast.expr], depth: int) -> bool | None:
        if name not in FUNCTIONS:
            return self._refuse(f"{name!r} is no function{_hint(name, FUNCTIONS)}")
        least, most, _ = FUNCTIONS[name]
        if not least <= len(args) <= most:
            return self._refuse(f"{name} takes {least} to {most} values, not {len(args)}")
        if name == "round" and len(args) == 2:
            self._whole(args[1], 0, _MOST_DIGITS, "the number of digits")
            args = args[:1]
        self._numbers(args, depth)
        return False

    def _whole(self, part: ast.expr, least: int, most: int, what: str) -> bool | None:
        value = part.value if isinstance(part, ast.Constant) else None
        if type(value) is int and least <= value <= most:
            return False
        return self._refuse(f"{what} has to be a whole number from {least} to {most}, written out")


_COMPARED = {ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq}


def _hint(name: str, known: Collection[str]) -> str:
    return nearest(name, known) or f"; known: {', '.join(known)}"
