"""What is checked of heads and paths before anything is made of them."""

from __future__ import annotations

import pytest

from lineshaft.core.errors import ContractViolation
from lineshaft.gateway.checking import RouteChecks, header_texts
from lineshaft.gateway.guards import UnsoundBody
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Answer, ApiRoute, Asked, Parameter


def test_headers_of_one_name_are_one_list() -> None:
    sent = [
        (b"accept", b"a/b"),
        (b"host", b"here"),
        (b"accept", b"c/d"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
    ]
    assert header_texts(sent) == {"accept": "a/b, c/d", "host": "here", "cookie": "a=1; b=2"}
    assert header_texts([(b"x-a", b"\xe9")]) == {"x-a": "é"}


@pytest.mark.parametrize("name", [b"authorization", b"host", b"content-type", b"idempotency-key", b"ce-id"])
def test_what_is_said_once_is_refused_twice(name: bytes) -> None:
    with pytest.raises(Refusal, match=f"{name.decode()} is given twice") as refused:
        header_texts([(name, b"a"), (b"accept", b"b"), (name, b"a")])
    assert (refused.value.status, refused.value.code) == (400, "header_twice")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (rb'{"a": "\u0000"}', "U+0000"),
        (rb'{"a": "x\\\u0000y"}', "U+0000"),
        (rb'{"\u0000": 1}', "U+0000"),
        (rb'{"a": "\ud800"}', "(root): "),
        (rb'{"a": "\\u0000"}', ""),
        (rb'{"a": "\ud83d\ude00"}', ""),
    ],
)
def test_texts_that_no_database_keeps_are_refused(body: bytes, why: str) -> None:
    async def handler(_: Asked) -> Answer:
        return Answer()

    route = ApiRoute(
        method="POST",
        path="/x",
        name="x",
        summary="",
        permission="do:x",
        handler=handler,
        request={"type": "object"},
    )
    headers, checks = {"content-type": "application/json"}, RouteChecks(route)
    if not why:
        assert checks.body(body, headers, 1000) == body
        return
    with pytest.raises(UnsoundBody) as refused:
        checks.body(body, headers, 1000)
    assert why in refused.value.findings[0]


def test_a_path_is_as_its_parameters_have_it() -> None:
    async def handler(_: Asked) -> Answer:
        return Answer()

    one = Parameter(name="id", where="path", schema={"type": "string", "maxLength": 3}, required=True)
    route = ApiRoute(
        method="GET",
        path="/x/{id}",
        name="x",
        summary="",
        permission="read:x",
        handler=handler,
        parameters=[one],
    )
    checks = RouteChecks(route)
    checks.path({"id": "abc"})
    with pytest.raises(ContractViolation) as violated:
        checks.path({"id": "abcd"})
    assert violated.value.findings[0].startswith("id: ")
