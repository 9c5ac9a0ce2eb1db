"""The one way in over HTTP: every request to every route goes through the same checks, in the same order.

match → authenticate → permission → rate and quota → plant → parameters → version → media type, size and
soundness of the body → contract → idempotency → handler in its time → fields that the account may see →
ledger → secure headers
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from time import perf_counter

import msgspec
import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from lineshaft.core.access import Authenticator, Refused
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.core.errors import LineshaftError
from lineshaft.core.requests import RequestClaims, RequestLog
from lineshaft.core.tracing import SpanKind, span
from lineshaft.gateway.admission import Admission
from lineshaft.gateway.body import read_all
from lineshaft.gateway.checking import header_texts, unreadable
from lineshaft.gateway.deadline import Deadline
from lineshaft.gateway.exchange import ANONYMOUS, Exchange, Sent, Served, note_of
from lineshaft.gateway.identity.csrf import check_csrf
from lineshaft.gateway.limits import Limits, Quotas
from lineshaft.gateway.negotiation import check_accept
from lineshaft.gateway.once import Once
from lineshaft.gateway.policies import AccountPolicy, Policies, Shown, shown_fields
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.refusing import RefusalPage, refusal, refusal_page, too_slow
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Noting
from lineshaft.gateway.route_table import RouteTable, Unreadable
from lineshaft.gateway.secure_headers import SecureHeaders

__all__ = ["Gateway", "OnAnswer", "make_gateway"]

_LOG = structlog.get_logger("lineshaft.gateway")
_CORRELATION = re.compile(r"[!-~]{1,200}")
_NO_ROUTE = "none"

OnAnswer = Callable[[str, str, int, float], None]
"""Method, name of the route (`none`: there is no such), status, seconds from request to answer."""


def make_gateway(
    routes: Sequence[ApiRoute],
    authenticator: Authenticator | None,
    *,
    plant: str,
    policies: Policies | None = None,
    claims: RequestClaims | None = None,
    log: RequestLog | None = None,
    quotas: Quotas | None = None,
    clock: Clock | None = None,
    tls: bool = False,
    on_answer: OnAnswer | None = None,
    page: RefusalPage | None = None,
) -> Gateway:
    """authenticator  None: everybody is LOCAL, as on a loopback address without an access file
    plant          that this node serves
    policies       of accounts; None: UNLIMITED for all
    claims         needed by idempotent routes
    on_answer      told of every answer; of a page or stream when it begins
    page           for browsers that are refused one; None: they get problem details like everybody
    raises         ValueError for routes that do not go together
    """
    clock = clock or SystemClock()
    if claims is None and any(route.idempotent for route in routes):
        raise ValueError("idempotent routes need claims on requests")
    admission = Admission(authenticator, policies, Limits(clock, quotas), plant)
    once = Once(claims, clock) if claims is not None else None
    return Gateway(
        routes,
        admission,
        once,
        log,
        plant=plant,
        clock=clock,
        headers=SecureHeaders(tls=tls),
        on_answer=on_answer,
        page=page,
    )


class Gateway:
    """An ASGI application. See make_gateway."""

    def __init__(
        self,
        routes: Sequence[ApiRoute],
        admission: Admission,
        once: Once | None,
        log: RequestLog | None,
        *,
        plant: str,
        clock: Clock,
        headers: SecureHeaders,
        on_answer: OnAnswer | None = None,
        page: RefusalPage | None = None,
    ) -> None:
        self.routes = tuple(routes)
        names = [route.name for route in routes]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"several routes are named {', '.join(sorted(twice))}")
        self._table = RouteTable([(route.method, route.path, Served(route)) for route in routes])
        self._admission = admission
        self._once = once
        self._log = log
        self._plant = plant
        self._clock = clock
        self._secure = headers
        self._on_answer = on_answer
        self._page = page
        self._shown: dict[tuple[str, str], tuple[AccountPolicy, Shown | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        exchange = Exchange(scope, self._plant)
        try:
            answer = await self._answer(exchange, receive)
        except Exception as error:
            answer = refusal(exchange, error)
            if self._page is not None:
                answer = refusal_page(exchange, answer, self._page)
        if isinstance(answer, Response):
            self._tell(exchange, answer.status_code)
            await self._stream(exchange, answer, receive, send)
            return
        self._tell(exchange, answer.status)
        await self._note(exchange, answer)
        headers = [
            *answer.headers,
            *exchange.limits,
            *(self._secure.beside(answer.headers) if answer.has_rules else self._secure.of_data()),
            (b"x-request-id", exchange.request_id.encode()),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def close(self) -> None:
        """Waits for what goes on after its client was told that it takes too long."""
        if self._once is not None:
            await self._once.close()

    def _tell(self, exchange: Exchange, status: int) -> None:
        if self._on_answer is not None:
            served, method = exchange.served, exchange.scope["method"]
            route = served.route.name if served else _NO_ROUTE
            self._on_answer(method if served else _NO_ROUTE, route, status, perf_counter() - exchange.started)

    async def _answer(self, exchange: Exchange, receive: Receive) -> Sent | Response:
        headers = exchange.headers = header_texts(exchange.scope["headers"])
        served = self._match(exchange)
        route = served.route
        if not route.noted:
            return await self._governed(exchange, served, receive)
        given = headers.get("traceparent", "")
        with span(f"{route.method} {route.path}", given, kind=SpanKind.SERVER) as exchange.traceparent:
            return await self._governed(exchange, served, receive)

    async def _governed(self, exchange: Exchange, served: Served, receive: Receive) -> Sent | Response:
        headers, route, checks = exchange.headers, served.route, served.checks
        if (correlation_id := headers.get("x-correlation-id")) is not None:
            if not _CORRELATION.fullmatch(correlation_id):
                raise unreadable("X-Correlation-ID is not 1 to 200 printable ASCII characters")
            exchange.correlation_id = correlation_id
        if not route.is_public:
            try:
                await self._admission.identify(exchange, served)
            except (Refused, Refusal):
                self._admission.limit(exchange)  # who is not let in may not ask more often than others
                raise
        self._admission.limit(exchange)
        exchange.query = checks.query(exchange.scope["query_string"])
        if not route.is_public:
            self._admission.check_plant(exchange, served)
            checks.path(exchange.path)
            checks.parameters(exchange.query)
        if route.version and (accept := headers.get("accept", "*/*")) != "*/*":
            exchange.version = check_accept(route, accept)
        body, handling = b"", False
        timeout_s = max(route.timeout_s, exchange.policy.timeout_s)
        try:
            with Deadline(timeout_s) as deadline:
                if checks.takes_body:
                    checks.media(headers)
                    limit = exchange.policy.body_bytes
                    body = checks.body(await read_all(receive, headers, limit), headers, limit)
                if exchange.caller.csrf and served.changes:
                    check_csrf(headers, body, exchange.caller.csrf)
                asked = self._asked(exchange, served, body)
                handling = True
                if route.idempotent and self._once is not None:

                    async def work() -> Sent:
                        return self._data(exchange, served, await route.handler(asked))

                    return await self._once.do(exchange, served, body, work)
                return self._sent(exchange, served, await route.handler(asked))
        except TimeoutError:
            if not deadline.is_over:
                raise
            raise too_slow(served, timeout_s) if handling else _body_too_slow(timeout_s) from None

    def _match(self, exchange: Exchange) -> Served:
        """raises  Refusal, 400, 404 or 405"""
        scope = exchange.scope
        method, path = scope["method"], scope["path"]
        try:
            found = self._table.find(path, scope.get("raw_path") or b"")
        except Unreadable as error:
            raise unreadable(str(error)) from error
        if found is None:
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                f"nothing is served at {path[:200]}",
                code="no_such_route",
                hint="GET /api/openapi.json lists what is",
            )
        methods, values = found
        leaf = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if leaf is None:
            allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{path[:200]} takes {allowed}, not {method[:20]}",
                code="method_not_allowed",
                headers={"Allow": allowed},
            )
        served, names = leaf
        exchange.served = served
        if names:
            exchange.path = dict(zip(names, values, strict=True))
        return served

    def _asked(self, exchange: Exchange, served: Served, body: bytes) -> Asked:
        shown = self._shown_to(exchange, served)
        return Asked(
            caller=exchange.caller,
            path=exchange.path,
            query=exchange.query,
            headers=exchange.headers,
            body=body,
            plant=exchange.plant,
            correlation_id=exchange.correlation_id,
            request_id=exchange.request_id,
            traceparent=exchange.traceparent,
            address=exchange.address,
            note=self._noting(exchange, served),
            **({"shown": shown} if shown else {}),
        )

    def _noting(self, exchange: Exchange, served: Served) -> Noting | None:
        if self._log is None or not served.changes or served.route.idempotent:
            return None
        return lambda status, ref: note_of(exchange, served, Sent(status, [], b"", ref=ref), self._clock)

    def _shown_to(self, exchange: Exchange, served: Served) -> Shown | None:
        policy = exchange.policy
        if not policy.fields:
            return None
        route = served.route
        key = (exchange.caller.account, route.name)
        known = self._shown.get(key)
        if known is None or known[0] is not policy:
            known = self._shown[key] = (
                policy,
                shown_fields(policy, route.name, route.same, payloads=route.payloads),
            )
        return known[1]

    def _sent(self, exchange: Exchange, served: Served, answer: Answer | Response) -> Sent | Response:
        return answer if isinstance(answer, Response) else self._data(exchange, served, answer)

    def _data(self, exchange: Exchange, served: Served, answer: Answer | Response) -> Sent:
        if isinstance(answer, Response):
            raise TypeError(f"{served.route.name} is idempotent and answers with a page or stream")
        exchange.noted = exchange.noted or answer.is_noted
        body, headers = b"", [*served.headers]
        if answer.body is not None:
            shown = self._shown_to(exchange, served)
            body = msgspec.json.encode(shown(answer.body) if shown else answer.body)
            headers.append(served.media_of(exchange.version))
        headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        return Sent(
            answer.status,
            headers,
            body,
            ref=answer.ref,
            is_secret=answer.is_secret,
            has_rules=bool(answer.headers),
        )

    async def _stream(self, exchange: Exchange, answer: Response, receive: Receive, send: Send) -> None:
        """A page or stream, noted when it begins."""
        beside = [
            *self._secure.beside(answer.raw_headers),
            *exchange.limits,
            (b"x-request-id", exchange.request_id.encode()),
        ]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *beside]
            await send(message)

        await self._note(exchange, Sent(answer.status_code, [], b""))
        await answer(exchange.scope, receive, sending)

    async def _note(self, exchange: Exchange, sent: Sent) -> None:
        """Of what changed something durable now, of all else soon. What anybody may read leaves none, nor do
        strangers who ask too often."""
        served = exchange.served
        if self._log is None or served is None or exchange.noted:
            return
        if (served.route.is_public and not served.changes) or not served.route.noted:
            return
        if sent.status == HTTPStatus.TOO_MANY_REQUESTS and exchange.caller is ANONYMOUS:
            return
        note = note_of(exchange, served, sent, self._clock)
        if not served.changes or sent.status >= HTTPStatus.BAD_REQUEST:
            self._log.note(note)
            return
        try:
            await self._log.noted(note)
        except LineshaftError as fault:
            _LOG.warning("request.noted_later", request=exchange.request_id, error=str(fault))
            self._log.note(note)


def _body_too_slow(timeout_s: float) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_TIMEOUT,
        f"the body did not arrive within {timeout_s:g} s",
        code="body_timeout",
        headers={"Connection": "close"},
    )
