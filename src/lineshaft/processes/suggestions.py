"""What the value of an action could be, for a person who begins with something rather than with nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineshaft.contracts.examples import example_of
from lineshaft.core.values import Value
from lineshaft.processes.definition import ProcessDefinition

__all__ = ["suggested"]


def suggested(definition: ProcessDefinition, shown: Mapping[str, Any], action: str, path: str) -> Any:
    """As JSON has it; None where nothing can be suggested, or no value is needed.

    shown    a process as `views.shown` has it; path: of the step that the action is about, empty: none

    Of a correction it is what was asked last. Of a skip it is an example of the answer, with what was asked
    where both have a field of the same name: an answer mostly says again what it answers.
    """
    step = next((each for each in shown["steps"] if each["step"] == path), None)
    if action == "correct":
        return (step["corrected"] or step["input"]) if step else shown["input"]
    if action != "skip" or step is None:
        return None
    kind = _given_by(definition, step["kind"], step["name"])
    if kind is None:
        return None
    made: dict[str, Any] = example_of(kind)
    asked = step["corrected"] or step["input"]
    if step["kind"] == "wait":
        contract = next(each for each in definition.waits_on if each.type == step["name"])
        asked = {contract.key: asked["key"]}
    said = {name: value for name, value in asked.items() if name in made and _is_alike(value, made[name])}
    return made | said


def _given_by(definition: ProcessDefinition, kind: str, name: str) -> type[Value] | None:
    if kind == "call" and name in definition.operations:
        return definition.operations[name].reply
    data = [each.data for each in definition.waits_on if each.type == name]
    return data[0] if kind == "wait" and data else None


def _is_alike(one: Any, other: Any) -> bool:
    return type(one) is type(other) or other is None
