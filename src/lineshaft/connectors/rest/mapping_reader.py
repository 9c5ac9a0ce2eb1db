"""Reading a mapping file.

title: Fixwell CMMS
capabilities: [maintenance]           # every operation of these must be mapped
health: /health                       # optional: a path to ask whether the system is there
error: {code: error.code, text: error.text, in_success: false}
errors:
  ASSET_UNKNOWN: {code: unknown_asset, owner: master-data}
  RECORD_LOCKED: {code: locked, retry: true}
maps:
  priority: {1: 1-URGENT, 2: 2-HIGH}  # ours: theirs, or ours: [theirs, …]
operations:
  maintenance.create_request:
    method: POST
    path: /api/work-requests          # {field} of the request, or {key}
    query: |                          # optional JMESPath to an object of query parameters
    send: |                           # JMESPath over the request's members and `key` to the body
    reply: |                          # JMESPath over {request, answer, key} to our reply
    find:                             # optional: look up the document by key; null: there is none
      path: /api/work-requests?externalRef={key}
      reply: answer.items[0] && …
      absent_on_404: false            # true where the path names one document
webhooks:
  order-completed:
    event: maintenance.order.completed.v1
    when: eventKind == 'DONE'         # optional: other bodies are taken and ignored
    data: |                           # JMESPath over the body to the event's data
    time: order.finishedAt
    identity: [order.workOrderNo]     # the same identity is the same event
    correlation: order.externalRef    # optional
    signature: {header: X-Signature, prefix: "sha256="}     # these are the defaults; of Standard Webhooks:
                                                            # {standard: true, tolerance_s: 300}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from yaml.nodes import MappingNode, Node, ScalarNode

from lineshaft.connectors.rest.expression_check import Scope, type_of
from lineshaft.connectors.rest.mapping import (
    BodySignature,
    ErrorRule,
    Exchange,
    MappedOperation,
    MappedWebhook,
    RestMapping,
    StandardSignature,
)
from lineshaft.connectors.rest.mapping_parts import PartReader
from lineshaft.connectors.rest.marked_yaml import MarkedYaml, nearest
from lineshaft.connectors.rest.path_template import PathTemplate
from lineshaft.contracts.capability import Capability, Operation
from lineshaft.contracts.event import EventContract
from lineshaft.core.errors import ConfigError
from lineshaft.core.signing import TOLERANCE_S

__all__ = ["read_mapping"]

_LONGEST_TOLERANCE_S = 3600

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REQUIRED = ("title", "capabilities", "operations")
OPTIONAL = ("health", "error", "errors", "maps", "webhooks")


def read_mapping(
    path: Path,
    capabilities: Mapping[str, type[Capability]],
    events: Mapping[str, EventContract[Any]],
) -> RestMapping:
    """raises ConfigError with every finding of the file, each `file:line: what`"""
    document = MarkedYaml(path)
    mapping = _Reader(document, capabilities, events).read()
    if document.findings:
        raise ConfigError(f"mapping {path} has {len(document.findings)} errors", findings=document.findings)
    return mapping


class _Reader:
    def __init__(
        self,
        document: MarkedYaml,
        capabilities: Mapping[str, type[Capability]],
        events: Mapping[str, EventContract[Any]],
    ) -> None:
        self._document = document
        self._capabilities = capabilities
        self._events = events
        self._parts = PartReader(document)

    def read(self) -> RestMapping:
        sections = self._document.section(self._document.root, "mapping", REQUIRED, OPTIONAL)
        if "maps" in sections:
            self._parts.read_maps(sections["maps"])
        error: dict[str, Node] = {}
        if "error" in sections:
            error = self._document.section(sections["error"], "error", ("code",), ("text", "in_success"))
        served = self._served(sections.get("capabilities"))
        return RestMapping(
            file=self._document.file,
            title=self._parts.text(sections.get("title"), "title"),
            capabilities=list(served),
            health=self._parts.text(sections.get("health"), "health"),
            error_code=self._parts.expression(error.get("code"), "error code", None),
            error_text=self._parts.expression(error.get("text"), "error text", None),
            errors_in_success=self._parts.flag(error.get("in_success"), "in_success"),
            errors=self._errors(sections.get("errors")),
            operations=self._operations(sections.get("operations"), served),
            webhooks=self._webhooks(sections.get("webhooks")),
        )

    def _served(self, node: Node | None) -> dict[str, type[Capability]]:
        served = {}
        for item in self._document.items(node, "capabilities") if node else []:
            name = self._parts.text(item, "capability")
            if name in self._capabilities:
                served[name] = self._capabilities[name]
            elif name:
                self._document.find(
                    item, f"capability {name!r} is not declared{nearest(name, self._capabilities)}"
                )
        return served

    def _errors(self, node: Node | None) -> dict[str, ErrorRule]:
        rules = {}
        for foreign, _, value in self._document.members(node, "errors") if node else ():
            what = f"error {foreign}"
            rule = self._document.section(value, what, ("code",), ("owner", "retry"))
            retry = self._parts.flag(rule.get("retry"), f"{what}: retry")
            if "code" in rule and not retry and "owner" not in rule:
                self._document.find(value, f"{what}: 'owner' is missing; name the desk that decides")
            rules[foreign] = ErrorRule(
                code=self._parts.text(rule.get("code"), f"{what}: code"),
                owner=self._parts.text(rule.get("owner"), f"{what}: owner"),
                retry=retry,
            )
        return rules

    def _operations(
        self, node: Node | None, served: Mapping[str, type[Capability]]
    ) -> dict[str, MappedOperation]:
        known = {
            operation.name: operation
            for capability in served.values()
            for operation in capability.operations.values()
        }
        mapped = {}
        methods: dict[str, str] = {}
        if node is None:
            return {}
        for name, key, value in self._document.members(node, "operations"):
            if name not in known:
                self._document.find(key, f"operation {name!r} is not declared{nearest(name, known)}")
                continue
            operation = known.pop(name)
            if operation.method in methods:
                other = methods[operation.method]
                self._document.find(key, f"{name} and {other} share a method name; give each its own mapping")
            methods[operation.method] = name
            found = self._operation(operation, value)
            if found is not None:
                mapped[name] = found
        for name in known:
            self._document.find(node, f"operation {name!r} is missing; the mapping serves its capability")
        return mapped

    def _operation(self, operation: Operation, node: Node) -> MappedOperation | None:
        optional = ("query", "send", "find") if operation.is_command else ("query", "send")
        parts = self._document.section(node, operation.name, ("method", "path", "reply"), optional)
        method = self._method(parts.get("method"), operation)
        if method == "GET" and "send" in parts:
            self._document.find(parts["send"], f"{operation.name}: GET sends no body; use query")
        exchange = self._exchange(operation, method, parts, operation.name)
        find = None
        if "find" in parts:
            what = f"{operation.name} find"
            inner = self._document.section(
                parts["find"], what, ("path", "reply"), ("method", "query", "send", "absent_on_404")
            )
            find_method = self._method(inner.get("method"), None) if "method" in inner else "GET"
            find = self._exchange(operation, find_method, inner, what)
            if find is not None and "key" not in find.path.names and "query" not in inner:
                self._document.find(parts["find"], f"{what}: neither path nor query has the key; use {{key}}")
        if exchange is None:
            return None
        return MappedOperation(operation=operation, exchange=exchange, find=find)

    def _method(self, node: Node | None, operation: Operation | None) -> str:
        method = self._parts.text(node, "method")
        if node is not None and method not in METHODS:
            self._document.find(node, f"method {method!r}; one of {', '.join(METHODS)}")
        elif node is not None and operation is not None and operation.is_command and method == "GET":
            self._document.find(node, f"{operation.name} is a command; GET must not change anything")
        return method

    def _exchange(
        self, operation: Operation, method: str, parts: Mapping[str, Node], what: str
    ) -> Exchange | None:
        request = type_of(operation.request)
        members = {name: type_of(hint) for name, hint in _fields(operation.request).items()}
        asked = Scope(f"{operation.request.__name__} (nor 'key')", {**members, "key": None})
        told = Scope("{request, answer, key}", {"request": request, "answer": None, "key": None})
        path = self._path(parts.get("path"), what, asked)
        query = self._parts.expression(parts.get("query"), f"{what}: query", asked)
        send = self._parts.expression(parts.get("send"), f"{what}: send", asked)
        reply = self._parts.expression(parts.get("reply"), f"{what}: reply", told, type_of(operation.reply))
        if path is None or reply is None:
            return None
        return Exchange(
            method=method,
            path=path,
            query=query,
            send=send,
            reply=reply,
            absent_on_404=self._parts.flag(parts.get("absent_on_404"), f"{what}: absent_on_404"),
        )

    def _path(self, node: Node | None, what: str, asked: Scope) -> PathTemplate | None:
        text = self._parts.text(node, f"{what}: path")
        if node is None or not text:
            return None
        if not text.startswith("/") or text.startswith("//") or any(c.isspace() or c == "#" for c in text):
            self._document.find(node, f"{what}: path {text!r} must start with one / and have no blanks or #")
        template = PathTemplate(text, self._document.place(node))
        for name in template.names:
            if name not in asked.members:
                self._document.find(
                    node, f"{what}: path: {name!r} is not in {asked.name}{nearest(name, asked.members)}"
                )
        return template

    def _webhooks(self, node: Node | None) -> dict[str, MappedWebhook]:
        mapped = {}
        for hook, _, value in self._document.members(node, "webhooks") if node else ():
            found = self._webhook(hook, value)
            if found is not None:
                mapped[hook] = found
        return mapped

    def _webhook(self, hook: str, node: Node) -> MappedWebhook | None:
        what = f"webhook {hook}"
        parts = self._document.section(
            node, what, ("event", "data", "time", "identity"), ("when", "correlation", "signature")
        )
        event = self._parts.text(parts.get("event"), f"{what}: event")
        contract = self._events.get(event)
        if contract is None:
            if event:
                self._document.find(
                    parts["event"], f"event {event!r} is not declared{nearest(event, self._events)}"
                )
            return None
        identity = []
        if "identity" in parts:
            for item in self._document.items(parts["identity"], f"{what}: identity"):
                identity.append(self._parts.expression(item, f"{what}: identity", None))
            if not identity:
                self._document.find(
                    parts["identity"], f"{what}: identity is empty; name what makes it one fact"
                )
        data = self._parts.expression(parts.get("data"), f"{what}: data", None, type_of(contract.data))
        time = self._parts.expression(parts.get("time"), f"{what}: time", None)
        if data is None or time is None:
            return None
        return MappedWebhook(
            hook=hook,
            contract=contract,
            when=self._parts.expression(parts.get("when"), f"{what}: when", None),
            data=data,
            time=time,
            identity=tuple(expression for expression in identity if expression is not None),
            correlation=self._parts.expression(parts.get("correlation"), f"{what}: correlation", None),
            signature=self._signature(parts.get("signature"), what),
        )

    def _signature(self, node: Node | None, what: str) -> BodySignature | StandardSignature:
        if node is None:
            return BodySignature()
        what = f"{what}: signature"
        if isinstance(node, MappingNode) and any(key.value == "standard" for key, _ in node.value):
            parts = self._document.section(node, what, ("standard",), ("tolerance_s",))
            if not self._parts.flag(parts["standard"], f"{what} standard"):
                self._document.find(parts["standard"], f"{what} standard: true, or give a header instead")
            return StandardSignature(tolerance_s=self._seconds(parts.get("tolerance_s"), what))
        parts = self._document.section(node, what, ("header",), ("prefix",))
        prefix = parts.get("prefix")
        return BodySignature(
            header=self._parts.text(parts.get("header"), f"{what} header").lower(),
            prefix=prefix.value if isinstance(prefix, ScalarNode) else "",
        )

    def _seconds(self, node: Node | None, what: str) -> float:
        if node is None:
            return TOLERANCE_S
        given = self._document.value(node)
        if isinstance(given, bool | str) or not 0 < (given or 0) <= _LONGEST_TOLERANCE_S:
            self._document.find(node, f"{what} tolerance_s {given!r}; 1 to {_LONGEST_TOLERANCE_S} seconds")
            return TOLERANCE_S
        return float(given)


def _fields(request: type) -> dict[str, Any]:
    return get_type_hints(request, include_extras=True)
