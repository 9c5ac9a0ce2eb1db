"""Consumer APIs: orders, assets, stock and quality, read from projections that events keep up to date.

Rows of plants that are not the caller's do not exist for it: 404, as for any other that is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from lineshaft.contracts.consumer import (
    AssetEvent,
    AssetStatus,
    LotQuality,
    OrderStatus,
    Page,
    QualityOutcome,
    StockLevel,
)
from lineshaft.contracts.schema import PayloadSchema
from lineshaft.core.asked_times import asked_text
from lineshaft.core.errors import PermanentFault
from lineshaft.core.values import Value
from lineshaft.gateway.paging import (
    CURSOR,
    LIMIT,
    answer_if_changed,
    cursor_of,
    limit_of,
    next_link,
    place_of,
)
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter

__all__ = ["ConsumerReads", "consumer_routes"]

T = TypeVar("T", bound=Value)
Place = tuple[str, ...]
Plants = Collection[str] | None
_OF_NOW = {"behind_s": 0.0, "delay_s": None}


class ConsumerReads(Protocol):
    """plants  None: every one
    after   key of the last row of the page before; each page comes with its own, empty on the last one
    """

    async def behind_s(self) -> float: ...

    async def order(self, id: str, plants: Plants, prefer: str) -> OrderStatus | None: ...

    async def orders(
        self, plants: Plants, *, state: str = "", after: Place = (), limit: int
    ) -> tuple[list[OrderStatus], Place]: ...

    async def asset(self, id: str, plants: Plants, prefer: str) -> AssetStatus | None: ...

    async def asset_events(
        self, id: str, plants: Plants, *, since: str = "", after: Place = (), limit: int
    ) -> tuple[list[AssetEvent], Place] | None: ...

    async def stock(
        self, plants: Plants, *, material: str = "", site: str = "", after: Place = (), limit: int
    ) -> tuple[list[StockLevel], Place]: ...

    async def lot(self, id: str, plants: Plants, prefer: str) -> LotQuality | None: ...

    async def outcomes(
        self,
        plants: Plants,
        *,
        kind: str = "",
        state: str = "",
        lot: str = "",
        after: Place = (),
        limit: int,
    ) -> tuple[list[QualityOutcome], Place]: ...


def consumer_routes(reads: ConsumerReads) -> list[ApiRoute]:
    api = _ConsumerApi(reads)
    id_of = {
        "order": _path("id", "The order's id in ERP"),
        "asset": _path("id", "Id of the equipment, or of the physical asset in it"),
    }
    in_state = _query("state", "Only in this state")
    at_site = _query("site", "Only at this site")
    since = _query("since", "From this time on, RFC 3339", {"type": "string", "format": "date-time"})
    kinds = {"type": "string", "enum": ["inspection", "nonconformance", "hold"]}
    pages = [CURSOR, LIMIT]
    return [
        _route(
            "/api/v1/orders", "list_orders", "Production orders by id", "orders",
            api.orders, Page[OrderStatus], [in_state, *pages],
        ),
        _route(
            "/api/v1/orders/{id}/status", "order_status", "How far a production order is", "orders",
            api.order, OrderStatus, [id_of["order"]],
        ),
        _route(
            "/api/v1/assets/{id}", "asset_status", "State of an asset, and what stands open at it", "assets",
            api.asset, AssetStatus, [id_of["asset"]],
        ),
        _route(
            "/api/v1/assets/{id}/events", "asset_events", "Events of an asset by time", "assets",
            api.asset_events, Page[AssetEvent], [id_of["asset"], since, *pages],
        ),
        _route(
            "/api/v1/stock", "list_stock", "Stock by material and site", "stock",
            api.stock, Page[StockLevel], [at_site, *pages],
        ),
        _route(
            "/api/v1/stock/{material}", "stock_of_material", "Stock of a material, by site", "stock",
            api.stock_of, Page[StockLevel],
            [_path("material", "Id of the material definition"), at_site, *pages],
        ),
        _route(
            "/api/v1/quality/lots/{lot}", "lot_quality", "What quality says of a lot", "quality",
            api.lot, LotQuality, [_path("lot", "Id of the material lot")],
        ),
        _route(
            "/api/v1/quality/outcomes", "list_quality_outcomes",
            "Inspections, nonconformances and holds by id", "quality",
            api.outcomes, Page[QualityOutcome],
            [_query("kind", "Only of this kind", kinds), in_state, _query("lot", "Only of this lot"), *pages],
        ),
    ]  # fmt: skip


class _ConsumerApi:
    def __init__(self, reads: ConsumerReads) -> None:
        self._reads = reads

    async def orders(self, asked: Asked) -> Answer:
        state, after = asked.query.get("state", ""), place_of(asked.query, 2)
        found, more = await self._reads.orders(
            asked.plants, state=state, after=after, limit=limit_of(asked.query)
        )
        return await self._page(asked, Page[OrderStatus], found, more, "/api/v1/orders")

    async def order(self, asked: Asked) -> Answer:
        id = asked.path["id"]
        found = await self._reads.order(id, asked.plants, asked.plant)
        if found is None:
            raise _nothing("order", id)
        return _one(asked, found, found.as_of)

    async def asset(self, asked: Asked) -> Answer:
        id = asked.path["id"]
        found = await self._reads.asset(id, asked.plants, asked.plant)
        if found is None:
            raise _nothing("asset", id)
        return _one(asked, found, found.as_of)

    async def asset_events(self, asked: Asked) -> Answer:
        id, since = asked.path["id"], asked_text("since", asked.query.get("since", ""), UTC)
        answer = await self._reads.asset_events(
            id, asked.plants, since=since, after=place_of(asked.query, 2), limit=limit_of(asked.query)
        )
        if answer is None:
            raise _nothing("asset", id)
        path = f"/api/v1/assets/{quote(id, safe='')}/events"
        return await self._page(asked, Page[AssetEvent], *answer, path)

    async def stock(self, asked: Asked) -> Answer:
        return await self._stock(asked, "", "/api/v1/stock")

    async def stock_of(self, asked: Asked) -> Answer:
        material = asked.path["material"]
        return await self._stock(asked, material, f"/api/v1/stock/{quote(material, safe='')}")

    async def _stock(self, asked: Asked, material: str, path: str) -> Answer:
        found, more = await self._reads.stock(
            asked.plants,
            material=material,
            site=asked.query.get("site", ""),
            after=place_of(asked.query, 3),
            limit=limit_of(asked.query),
        )
        if material and not found and not asked.query.get("cursor"):
            raise _nothing("stock", material)
        return await self._page(asked, Page[StockLevel], found, more, path)

    async def lot(self, asked: Asked) -> Answer:
        lot = asked.path["lot"]
        found = await self._reads.lot(lot, asked.plants, asked.plant)
        if found is None:
            raise _nothing("lot", lot)
        return _one(asked, found, found.as_of)

    async def outcomes(self, asked: Asked) -> Answer:
        wanted = {name: asked.query.get(name, "") for name in ("kind", "state", "lot")}
        found, more = await self._reads.outcomes(
            asked.plants, **wanted, after=place_of(asked.query, 3), limit=limit_of(asked.query)
        )
        return await self._page(asked, Page[QualityOutcome], found, more, "/api/v1/quality/outcomes")

    async def _page(
        self, asked: Asked, kind: type[Page[T]], items: Sequence[T], more: Place, path: str
    ) -> Answer:
        cursor = cursor_of(more)
        page = kind(items=list(items), behind_s=await self._reads.behind_s(), next=cursor)
        times = [at for item in items if (at := getattr(item, "as_of", None) or getattr(item, "time", None))]
        headers = next_link(path, asked.query, cursor)
        seen = [[_without_age(item) for item in items], cursor]
        return answer_if_changed(asked, page, seen=seen, as_of=max(times, default=None), headers=headers)


def _one(asked: Asked, found: Value, as_of: datetime) -> Answer:
    return answer_if_changed(asked, found, seen=_without_age(found), as_of=as_of, headers={})


def _without_age(value: Value) -> Value:
    changes = {name: blank for name, blank in _OF_NOW.items() if name in value.__struct_fields__}
    return msgspec.structs.replace(value, **changes) if changes else value


def _nothing(what: str, id: str) -> PermanentFault:
    return PermanentFault(
        f"there is no {what} {id[:200]!r}",
        code=f"no_such_{what}",
        hint="what no event has told of is not known here",
    )


def _path(name: str, summary: str) -> Parameter:
    schema = {"type": "string", "minLength": 1, "maxLength": 200}
    return Parameter(name=name, where="path", schema=schema, required=True, summary=summary)


def _query(name: str, summary: str, schema: dict[str, Any] | None = None) -> Parameter:
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return Parameter(name=name, where="query", schema=schema or text, summary=summary)


def _route(
    path: str,
    name: str,
    summary: str,
    domain: str,
    handler: Any,
    answer: Any,
    parameters: Sequence[Parameter],
) -> ApiRoute:
    finds_one = "{" in path
    return ApiRoute(
        method="GET",
        path=path,
        name=name,
        summary=summary,
        permission=f"read:{domain}",
        handler=handler,
        tag=domain,
        parameters=parameters,
        answers={200: PayloadSchema(name, answer, {}).document, 304: None},
        problems=(404, 422, 503) if finds_one else (422, 503),
        any_plant=True,
        version="v1",
    )
