"""A node for the tests of this folder that leave it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.http.running import HttpNode


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpNode]:
    accounts: dict[str, dict[str, Any]] = {
        "admin": {"roles": ["administrator"], "plants": "*", "limits": {"rate_per_s": 0, "timeout_s": 10}},
        "jo": {"kind": "person", "title": "Jo", "roles": ["engineer"], "plants": "*"},
    }
    with HttpNode(tmp_path_factory.mktemp("node"), accounts=accounts) as running:
        yield running
