"""The catalogue of contracts as documents: AsyncAPI for tools, Markdown for people."""

from __future__ import annotations

from functools import cache

import msgspec
from starlette.responses import Response

from lineshaft.contracts.asyncapi import asyncapi_document
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.entries import declared_entries, entries
from lineshaft.contracts.markdown import catalogue_markdown
from lineshaft.contracts.registry.live import ContractRegistry
from lineshaft.gateway.route import Answer, ApiRoute, Asked

__all__ = ["catalogue_routes"]


def catalogue_routes(registry: ContractRegistry | None, *, version: str) -> list[ApiRoute]:
    """registry: of this environment; None: only what comes with the product. version: of the documents."""

    @cache
    def events() -> msgspec.Raw:
        """Made when it is first asked for: it takes a third of a second."""
        return msgspec.Raw(msgspec.json.encode(asyncapi_document(EVENTS.values(), version=version)))

    async def asyncapi(_: Asked) -> Answer:
        return Answer(body=events())

    latest: list[tuple[object, str]] = []

    async def markdown(_: Asked) -> Response:
        """Written anew only after a change: it takes half a second, in which nobody else is answered."""
        known = declared_entries()
        if registry is not None:
            known = tuple(entries(live=await registry.contracts(), parties=await registry.parties()))
        if not latest or latest[0][0] != known:
            latest[:] = [(known, catalogue_markdown(known))]
        return Response(latest[0][1], media_type="text/markdown")

    return [
        ApiRoute(
            method="GET",
            path="/api/asyncapi.json",
            name="asyncapi",
            summary="Every event with its channel, as AsyncAPI 3.0",
            permission="read:contracts",
            handler=asyncapi,
            tag="contracts",
            answers={200: {"type": "object"}},
        ),
        ApiRoute(
            method="GET",
            path="/api/catalogue.md",
            name="catalogue_markdown",
            summary="Every contract with its fields, units, owner and users, as Markdown",
            permission="read:contracts",
            handler=markdown,
            tag="contracts",
            answers={200: {"type": "string"}},
            answer_media="text/markdown",
            problems=(503,),
        ),
    ]
