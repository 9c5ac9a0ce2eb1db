"""Which route a path belongs to."""

from __future__ import annotations

import pytest

from lineshaft.gateway.route_table import RouteTable, Unreadable

PATHS = [
    "/",
    "/api/processes",
    "/api/processes/migrate",
    "/api/processes/{ref:path}",
    "/api/processes/{ref:path}/retry",
    "/api/v1/orders/{id}",
    "/api/v1/orders/{id}/status",
    "/api/v1/orders/late",
]
TABLE = RouteTable([("GET", path, path) for path in PATHS])


@pytest.mark.parametrize(
    ("path", "route", "values"),
    [
        ("/", "/", []),
        ("/api/processes", "/api/processes", []),
        ("/api/processes/migrate", "/api/processes/migrate", []),
        ("/api/processes/pay/r1", "/api/processes/{ref:path}", ["pay/r1"]),
        ("/api/processes/pay/r1/retry", "/api/processes/{ref:path}/retry", ["pay/r1"]),
        ("/api/processes/migrate/retry", "/api/processes/{ref:path}/retry", ["migrate"]),
        ("/api/processes/retry", "/api/processes/{ref:path}", ["retry"]),
        ("/api/processes/a%2Fretry", "/api/processes/{ref:path}", ["a/retry"]),
        ("/api/v1/orders/late", "/api/v1/orders/late", []),
        ("/api/v1/orders/late/status", "/api/v1/orders/{id}/status", ["late"]),
        ("/api/v1/orders/a%2Fb", "/api/v1/orders/{id}", ["a/b"]),
        ("/api/v1/orders/%C3%A4", "/api/v1/orders/{id}", ["ä"]),
    ],
)
def test_a_path_leads_to_its_route(path: str, route: str, values: list[str]) -> None:
    found = TABLE.find(path, path.encode())
    assert found is not None
    leaf, given = found
    (served,) = leaf.values()
    assert (served[0], given) == (route, values)


@pytest.mark.parametrize(
    "path", ["", "/api", "/api/v1/orders/", "/api/v1/orders/a/b", "/api/processes/", "//"]
)
def test_others_lead_nowhere(path: str) -> None:
    assert TABLE.find(path, path.encode()) is None


@pytest.mark.parametrize("path", ["/api/v1/orders/%FF", "/api/v1/orders/%0A", "/api/v1/orders/a%00"])
def test_what_cannot_be_read_is_no_path(path: str) -> None:
    with pytest.raises(Unreadable):
        TABLE.find(path, path.encode())


def test_nothing_may_follow_a_parameter_with_slashes_but_plain_segments() -> None:
    with pytest.raises(ValueError, match="follows"):
        RouteTable([("GET", "/api/processes/{ref:path}/steps/{step}", 1)])
