"""Which keywords of the reader's schema refuse something that the writer may write, and where.

Every keyword is tried by itself: the reader's schema is cut down to it, at its place, and a document is
looked for that the writer writes and this schema refuses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from lineshaft.contracts.compatibility.document import Schema
from lineshaft.contracts.compatibility.finding import Finding, pointer_step
from lineshaft.contracts.compatibility.nodes import Literal, Node, View
from lineshaft.contracts.compatibility.outcome import Outcome
from lineshaft.contracts.compatibility.places import Places
from lineshaft.contracts.compatibility.rules import rule_name
from lineshaft.contracts.compatibility.search import ValueSearch
from lineshaft.contracts.compatibility.values import EVERY, types_named

__all__ = ["Explanation"]

_MOST_FINDINGS = 100
_MOST_UNDECIDED = 3  # where schemas are too large: more of that tells nobody more
_MOST_WAY = 40  # steps of a path; beyond that no whole document is made up
_VERDICT_STEPS = 40_000
_STEPS = 4_000  # for one question after that
_ALL_STEPS = 20_000  # for all of these
_SCALARS = (
    "type", "const", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    "propertyNames", "not", "$undecided",
)  # fmt: skip
_LEADING = {"$ref", "allOf", "anyOf", "oneOf", "unevaluatedProperties"}
_TELLING = ("type", "const", "enum")


class _At(NamedTuple):
    """A place of the reader's schema.

    whole   a schema there, as a schema of the whole document that says nothing else
    writer  what the writer's schema says of the place
    base    a schema of the writer further up, from which on the questions are asked: they stay small
    local   as whole, of what base is for
    """

    path: str
    whole: Callable[[Schema], Schema]
    writer: list[Node]
    base: Node
    local: Callable[[Schema], Schema]

    def under(self, step: str, within: Callable[[Schema], Schema], writer: list[Node]) -> _At:
        whole, local = self.whole, self.local
        return self._replace(
            path=self.path + step,
            whole=lambda schema: whole(within(schema)),
            local=lambda schema: local(within(schema)),
            writer=writer,
        )


class Explanation:
    """direction: `backward` where the reader has the new version."""

    def __init__(self, search: ValueSearch, writer: Node, reader: Node, direction: str) -> None:
        self._search = search
        self._places = Places(search.nodes)
        self._writer = writer
        self._reader = reader
        self._direction = direction
        self._steps_left = _VERDICT_STEPS
        self.findings: list[Finding] = []
        self._explained = 0  # findings, and references to where there is one
        self._waiting: deque[tuple[_At, Schema]] = deque()
        self._met: set[tuple[Node, frozenset[Node]]] = set()

    def run(self) -> list[Finding]:
        if self._ask(self._writer, self._reader.schema, _VERDICT_STEPS).is_empty:
            return []
        self._steps_left = _ALL_STEPS
        at = _At("", _same, self._places.of(self._writer), self._writer, _same)
        self._waiting.append((at, self._reader.schema))
        while self._waiting:
            self._look(*self._waiting.popleft())
        if not self.findings:
            self._add(at, "schema", self._reader.schema, "the versions as a whole")
        return self.findings

    def _ask(self, writer: Node, refusing: Schema, steps: int = _STEPS) -> Outcome:
        reader = self._search.nodes.part(self._reader, refusing)
        taken, refused = Literal(writer, True, View.WRITER), Literal(reader, False, View.READER)
        given = self._search.steps_left = max(0, min(steps, self._steps_left))
        outcome = self._search.find(frozenset({taken, refused}))
        self._steps_left -= given - self._search.steps_left
        return outcome

    def _add(self, at: _At, keyword: str, schema: Schema, said: str = "", path: str = "") -> None:
        """A finding, if the schema at this place refuses anything."""
        outcome = self._ask(at.base, at.local(schema))
        if outcome.is_empty or (self.findings and self._is_enough):
            return
        is_near = at.path.count("/") <= _MOST_WAY
        outcome = self._ask(self._writer, at.whole(schema)) if is_near else outcome._replace(witness=None)
        if outcome.is_empty and is_near:
            return
        self._explained += 1
        witness = msgspec.json.encode(outcome.witness[0]).decode() if outcome.witness else ""
        rule = outcome.rule or self._rule(at, keyword, schema)
        if rule == "undecided_size" and sum(each.rule == rule for each in self.findings) >= _MOST_UNDECIDED:
            return
        detail = said or self._compared(at, keyword, schema)
        found = Finding(path or at.path, rule, detail, self._direction, witness)
        if not any(
            (each.path, each.rule, each.detail) == (found.path, rule, detail) for each in self.findings
        ):
            self.findings.append(found)

    def _rule(self, at: _At, keyword: str, schema: Schema) -> str:
        """A type or a constant that has nothing of what it was is changed, neither narrowed nor widened."""
        if keyword in ("type", "const") and isinstance(schema, dict):
            written = self._places.values(at.writer, keyword)
            if keyword == "const" and written:
                return "const_changed"
            types = [name for names in written for name in names] if keyword == "type" else []
            if types and not types_named(types) & types_named(schema["type"]):
                return "type_changed"
        return rule_name(keyword, self._direction)

    def _compared(self, at: _At, keyword: str, schema: Schema) -> str:
        writer = self._places.values(at.writer, keyword)
        reader = schema.get(keyword, "…") if isinstance(schema, dict) else schema
        both = [" or ".join(map(_short, writer)) or "not set", _short(reader)]
        if keyword in ("anyOf", "oneOf"):
            return f"no alternative of {keyword} takes it, or more than one that may not"
        was, now = both if self._direction == "backward" else reversed(both)
        return f"{keyword} was {was}, is {now}"

    @property
    def _is_enough(self) -> bool:
        return len(self.findings) >= _MOST_FINDINGS or self._steps_left <= 0

    def _look(self, at: _At, schema: Schema) -> None:
        if schema is True or self._is_enough or self._ask(at.base, at.local(schema)).is_empty:
            return
        before = self._explained
        if isinstance(schema, dict):
            for keyword in _SCALARS:
                if keyword in schema:
                    self._add(at, keyword, {keyword: schema[keyword]})
            if "enum" in schema:
                self._look_enum(at, schema)
            self._look_object(at, schema)
            self._look_array(at, schema)
            self._look_in_place(at, schema)
        if self._explained == before:
            self._add(at, "schema", schema, "what the parts say together")

    def _look_enum(self, at: _At, schema: dict[str, Any]) -> None:
        kept: dict[str, Any] = {key: schema[key] for key in ("enum", "x-extensible") if key in schema}
        written = [value for listed in self._places.values(at.writer, "enum") for value in listed]
        written += self._places.values(at.writer, "const")
        other = [value for value in written if value not in schema["enum"]]
        verb = "no longer listed" if self._direction == "backward" else "added"
        said = f"{verb}: {', '.join(map(_short, other))}" if other else ""
        self._add(at, "enum", kept, said)

    def _look_object(self, at: _At, schema: dict[str, Any]) -> None:
        changed = ("optional", "required") if self._direction == "backward" else ("required", "optional")
        for name in schema.get("required", ()):
            known = name in self._places.names(at.writer)
            said = f"{name} was {changed[0] if known else 'no member'}, is {changed[1]}"
            if not known and self._direction == "forward":
                said = f"{name} was required, is no member"
            path = f"{at.path}/properties{pointer_step(name)}"
            self._add(at, "required", {"required": [name]}, said, path)
        named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, part in named.items():
            if at.local is _same and self._is_written(at.base, name, part):
                continue
            writer = self._places.member(at.writer, name)
            inner = at.under(f"/properties{pointer_step(name)}", _named("properties", name), writer)
            self._look(inner, part)
        for text, part in patterns.items():
            writer = self._places.under(at.writer, "patternProperties", text)
            inner = at.under(
                f"/patternProperties{pointer_step(text)}",
                _named("patternProperties", text),
                writer,
            )
            self._look(inner, part)
        if "additionalProperties" in schema:
            self._look_rest(at, schema, named, patterns)
        for name, needed in schema.get("dependentRequired", {}).items():
            path = f"{at.path}/dependentRequired{pointer_step(name)}"
            only = {"dependentRequired": {name: needed}}
            self._add(at, "dependentRequired", only, f"{', '.join(needed)} must be there with {name}", path)
        for name, part in schema.get("dependentSchemas", {}).items():
            step = f"/dependentSchemas{pointer_step(name)}"
            inner = at.under(step, _named("dependentSchemas", name), at.writer)
            self._look(inner, part)

    def _is_written(self, base: Node, name: str, part: Schema) -> bool:
        """The member is the same for the writer: nothing need be asked."""
        named = base.schema.get("properties", {}) if isinstance(base.schema, dict) else {}
        nodes = self._search.nodes
        return name in named and nodes.part(base, named[name]) is nodes.part(self._reader, part)

    def _look_rest(
        self, at: _At, schema: dict[str, Any], named: dict[str, Any], patterns: dict[str, Any]
    ) -> None:
        known = {"properties": dict.fromkeys(named, True), "patternProperties": dict.fromkeys(patterns, True)}
        rest = schema["additionalProperties"]
        unknown = sorted(self._places.names(at.writer) - named.keys())
        within = lambda x: {**known, "additionalProperties": x}  # noqa: E731
        writer = self._places.under(at.writer, "additionalProperties")
        writer += [node for name in unknown for node in self._places.member(at.writer, name)]
        inner = at.under("/additionalProperties", within, writer)
        if rest is False:
            said = f"members that the reader refuses: {', '.join(unknown) or 'any that is not named'}"
            self._add(inner, "additionalProperties", False, said)
        else:
            self._look(inner, rest)

    def _look_array(self, at: _At, schema: dict[str, Any]) -> None:
        first = schema.get("prefixItems", [])
        for place, part in enumerate(first):
            inner = at.under(
                f"/prefixItems/{place}",
                _item(place),
                self._places.item(at.writer, place),
            )
            self._look(inner, part)
        if "items" in schema:
            within = lambda x: {"prefixItems": [True] * len(first), "items": x}  # noqa: E731
            self._look(at.under("/items", within, self._places.item(at.writer, None)), schema["items"])
        if "contains" in schema:
            keys = ("contains", "minContains", "maxContains")
            self._add(at, "contains", {key: schema[key] for key in keys if key in schema})

    def _look_in_place(self, at: _At, schema: dict[str, Any]) -> None:
        for place, part in enumerate(schema.get("allOf", ())):
            self._look(at.under(f"/allOf/{place}", lambda x: x, at.writer), part)
        if "$ref" in schema:
            # later: so that each is met on the shortest way
            target = self._search.nodes.target(self._reader, schema["$ref"])
            writers = [node for node in at.writer if _says_more(node.schema, target.schema)]
            if (target, frozenset(writers)) not in self._met:
                self._met.add((target, frozenset(writers)))
                base = at._replace(base=writers[0], local=_same) if len(writers) == 1 else at
                self._waiting.append((base, target.schema))
            self._explained += 1
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                self._look_alternatives(at, keyword, schema[keyword])
        if "if" in schema:
            keys = ("if", "then", "else")
            self._add(at, "if", {key: schema[key] for key in keys if key in schema})

    def _look_alternatives(self, at: _At, keyword: str, parts: list[Schema]) -> None:
        """Branches are told apart by types and constants: one more kind is one thing, a branch another."""
        kinds = [self._kind(part) for part in parts]
        before = self._explained
        self._add(at, keyword, {"anyOf": kinds})
        for place, part in enumerate(parts):
            others = kinds[:place] + kinds[place + 1 :]
            apart = [*others, {"not": kinds[place]}]
            self._look(at.under(f"/{keyword}/{place}", _beside(apart), at.writer), part)
        if self._explained == before:
            self._add(at, keyword, {keyword: parts})

    def _kind(self, schema: Schema) -> Schema:
        if isinstance(schema, bool):
            return schema
        if "$ref" in schema and len(schema) == 1:
            return self._kind(self._reader.document.schemas[schema["$ref"]])
        kind = {key: schema[key] for key in (*_TELLING, "x-extensible") if key in schema}
        told = {name: self._kind(part) for name, part in schema.get("properties", {}).items() if _tells(part)}
        required = [name for name in schema.get("required", ()) if name in told]
        return {**kind, "properties": told, "required": required} if told else kind


def _same(schema: Schema) -> Schema:
    return schema


def _named(keyword: str, name: str) -> Callable[[Schema], Schema]:
    return lambda schema: {keyword: {name: schema}}


def _item(place: int) -> Callable[[Schema], Schema]:
    return lambda schema: {"prefixItems": [*[True] * place, schema]}


def _beside(others: list[Schema]) -> Callable[[Schema], Schema]:
    return lambda schema: {"anyOf": [*others, schema]}


def _says_more(writer: Schema, reader: Schema) -> bool:
    """More than where to look, and on values of a kind that the reader takes."""
    if isinstance(writer, bool) or isinstance(reader, bool):
        return True
    kinds = (types_named(each["type"]) if "type" in each else EVERY for each in (writer, reader))
    return not writer.keys() <= _LEADING and bool(frozenset.intersection(*kinds))


def _tells(schema: Schema) -> bool:
    return isinstance(schema, dict) and ("const" in schema or "enum" in schema)


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:57] + "…"
