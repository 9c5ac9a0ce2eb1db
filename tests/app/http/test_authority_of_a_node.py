"""What another system masters is not changed through a system API of a running node."""

from __future__ import annotations

import aiohttp
import msgspec

from lineshaft.contracts.catalogue import Inventory
from lineshaft.contracts.examples import example
from tests.app.http.running import HttpNode


async def test_only_the_master_changes_what_it_masters(node: HttpNode) -> None:
    """ERP masters reservations: a person may not make one in the inventory system past it."""
    reserve = Inventory.operations["reserve"]
    async with aiohttp.ClientSession(node.url) as http:
        answer = await http.post(
            "/api/system/inventory/v1/inventory/reserve",
            data=msgspec.json.encode(example(reserve)),
            headers=node.key("jo") | {"Content-Type": "application/json", "Idempotency-Key": "r-1"},
        )
        told = await answer.json(content_type=None)
    assert (answer.status, told["code"]) == (403, "not_the_master")
    assert "reservation.quantity is mastered by erp" in told["detail"]
