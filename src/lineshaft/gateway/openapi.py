"""OpenAPI 3.1 of the routes: each parameter, body, answer and problem that pipeline and handlers may give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter, path_parameters
from lineshaft.gateway.schemas import Components

__all__ = ["openapi_document", "openapi_route", "problem_statuses"]

Document = dict[str, Any]
_PROBLEM = "application/problem+json"
_SECURITY: Document = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made by `lineshaft access keys create`, or a signed token",
    },
    "key_header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "client": {
        "type": "oauth2",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": {}}},
    },
    "session": {"type": "apiKey", "in": "cookie", "name": "lineshaft"},
}
_PROBLEM_SCHEMA: Document = {
    "type": "object",
    "description": "Problem details, RFC 9457",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for machines"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "string"}, "description": "Every finding"},
        "owner": {"type": "string", "description": "The desk that decides"},
        "request_id": {"type": "string"},
    },
}
_PLANT = Parameter(
    name="plant", where="query", summary="Plant that the caller acts for; default: this node's"
)
_KEY = Parameter(
    name="Idempotency-Key",
    where="header",
    required=True,
    schema={"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    summary="The same at each repeat of this request, and at no other",
)
_CORRELATION = Parameter(
    name="X-Correlation-ID",
    where="header",
    schema={"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    summary="The story that this is part of",
)
_TEXT = {"path": r"^[^\x00-\x1f\x7f-\x9f]*$", "query": r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$"}
"""No control characters in either; a query may have line ends."""
_SAYS_MORE = frozenset({"const", "enum", "format", "pattern"})
_READING = frozenset({"GET", "HEAD", "DELETE"})


def openapi_route(routes: Sequence[ApiRoute], version: str) -> ApiRoute:
    """`GET /api/openapi.json`, which tells of itself, too."""

    async def handler(_: Asked) -> Answer:
        return Answer(body=openapi_document([*routes, route], version))

    route = ApiRoute(
        method="GET",
        path="/api/openapi.json",
        name="openapi",
        summary="This API as an OpenAPI document",
        permission="read:contracts",
        handler=handler,
        tag="catalogue",
        answers={200: {"type": "object"}},
    )
    return route


def openapi_document(routes: Iterable[ApiRoute], version: str) -> Document:
    """version: of the product. Pages are left out."""
    components = Components()
    components.schemas["Problem"] = _PROBLEM_SCHEMA
    paths: dict[str, Document] = {}
    for route in routes:
        if not route.is_page:
            operation = _operation(route, components)
            paths.setdefault(_template(route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {"title": "lineshaft", "version": version, "license": {"name": "Apache-2.0"}},
        "security": [{name: []} for name in _SECURITY],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "responses": {"Problem": _problem_response()},
            "securitySchemes": _SECURITY,
        },
    }


def problem_statuses(route: ApiRoute) -> list[int]:
    """Of a route, beside those of its good answers: the pipeline's, and those that its handler may give."""
    found = {400, 429, 500, 504, *route.problems}
    if not route.is_public:
        found |= {401, 403, 422, 503}
    if route.method not in _READING:
        found |= {408, 413, 415}
    if route.request is not None:
        found.add(422)
    if route.version:
        found.add(406)
    if route.idempotent:
        found |= {409, 422, 503}
    return sorted(found - set(route.answers))


def _operation(route: ApiRoute, components: Components) -> Document:
    made: Document = {
        "operationId": route.name,
        "summary": route.summary.partition("\n")[0],
        "tags": [route.tag] if route.tag else [],
        "parameters": [_parameter(each, components) for each in _parameters(route)],
        "responses": {
            **{str(status): _answer(route, status, components) for status in route.answers},
            **{str(status): {"$ref": "#/components/responses/Problem"} for status in problem_statuses(route)},
        },
    }
    if "\n" in route.summary:
        made["description"] = route.summary
    if route.is_public:
        made["security"] = []
    else:
        made["x-permission"] = route.permission
    if route.retiring:
        made["deprecated"] = True
    if route.method not in _READING and (route.request is not None or route.media != ("application/json",)):
        made["requestBody"] = _body(route, components)
    return made


def _template(path: str) -> str:
    return path.replace(":path}", "}")


def _parameters(route: ApiRoute) -> list[Parameter]:
    declared = {(each.where, each.name) for each in route.parameters}
    of_path = [
        Parameter(name=name, where="path", schema={"type": "string", "minLength": 1}, required=True)
        for name, _ in path_parameters(route.path)
        if ("path", name) not in declared
    ]
    everywhere = [] if route.is_public else [_PLANT, _CORRELATION]
    more = [*everywhere, *([_KEY] if route.idempotent else [])]
    return [*of_path, *route.parameters, *(each for each in more if (each.where, each.name) not in declared)]


def _text(schema: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """With what pipeline asks of any text there."""
    if schema.get("type") == "array":
        return {**schema, "items": _text(schema.get("items", {}), where)}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_text(branch, where) for branch in schema["anyOf"]]}
    if schema.get("type") != "string" or where not in _TEXT or not _SAYS_MORE.isdisjoint(schema):
        return schema
    return {**schema, "pattern": _TEXT[where]}


def _parameter(parameter: Parameter, components: Components) -> Document:
    made: Document = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required or parameter.where == "path",
        "schema": components.take(_text(parameter.schema, parameter.where)),
    }
    if parameter.summary:
        made["description"] = parameter.summary
    if parameter.schema.get("type") == "array":
        made |= {"style": "form", "explode": False}
    return made


def _body(route: ApiRoute, components: Components) -> Document:
    content = {"schema": components.take(route.request) if route.request is not None else {}}
    media = route.media or ("application/octet-stream",)
    return {"required": route.request is not None, "content": dict.fromkeys(media, content)}


def _answer(route: ApiRoute, status: int, components: Components) -> Document:
    schema = route.answers[status]
    made: Document = {"description": HTTPStatus(status).phrase, "headers": _headers(route)}
    if schema is not None:
        made["content"] = {route.answer_media: {"schema": components.take(schema)}}
    return made


def _headers(route: ApiRoute) -> Document:
    told = {"X-Request-ID": "Of this request, as the log and the trace name it"}
    if not route.is_public:
        told |= {"RateLimit": "What is left", "RateLimit-Policy": "What is allowed"}
    if route.idempotent:
        told["Idempotency-Replayed"] = "true where this was answered before"
    if route.retiring:
        told |= {"Deprecation": "Since when, RFC 9745", "Sunset": "Until when, RFC 8594"}
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}


def _problem_response() -> Document:
    return {
        "description": "What is wrong, and what to do",
        "content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
