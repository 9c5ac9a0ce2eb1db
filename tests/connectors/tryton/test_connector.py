"""Each operation's effect, counted in the ERP by the estate's own look at its books."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from estate.erp.books import Books
from lineshaft.connectors.tryton import TrytonConnector
from lineshaft.contracts.capability import bind
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.errors import BusinessFault
from lineshaft.core.ports import HealthState
from lineshaft.core.quantity import Quantity
from lineshaft.core.values import Value
from lineshaft.model.inventory import MaterialAtSite
from lineshaft.model.procurement import RequisitionState

from .conftest import Call
from .facts import consumption, labour, requisition

pytestmark = pytest.mark.asyncio(loop_scope="session")


def of(key: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["key"] == key]


async def test_it_keeps_its_manifest(erp: TrytonConnector) -> None:
    assert set(bind(erp, CAPABILITIES)) >= {"erp.stock_balance", *erp.manifest.reads_back}


async def test_it_is_active_while_the_server_answers(erp: TrytonConnector) -> None:
    health = await erp.health()
    assert health.state is HealthState.ACTIVE
    assert health.latency_ms > 0


async def test_a_balance_is_the_stock_on_hand_and_its_sequence_grows(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    request = MaterialAtSite(material_definition_id="GREASE-FG", site="NSP")
    await books.set_stock("GREASE-FG", 7)
    before = await erp.stock_balance(call(), request)
    assert before.quantity == Quantity(value=Decimal(7), unit="KGM")
    await books.receive("GREASE-FG", 2.5)
    after = await erp.stock_balance(call(), request)
    assert after.quantity == Quantity(value=Decimal("9.5"), unit="KGM")
    assert after.source_sequence > before.source_sequence
    assert after.as_of > before.as_of


async def test_the_same_stock_is_the_same_balance_whenever_it_is_asked_for(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    """Two processes that read it one after the other tell the mirror the same thing under the same key."""
    request = MaterialAtSite(material_definition_id="VALVE-02", site="NSP")
    assert await erp.stock_balance(call(), request) == await erp.stock_balance(call(), request)


async def test_a_consumption_takes_parts_off_the_stock(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    await books.set_stock("SEAL-KIT-01", 10)
    context, asked = call(), consumption(2)
    movement = await erp.post_consumption(context, asked)
    assert await books.stock_on_hand("SEAL-KIT-01") == 8
    (posted,) = of(context.idempotency_key, await books.consumptions())
    assert posted == {
        "number": movement.id,
        "key": context.idempotency_key,
        "reference": "MO-4711",
        "material": "SEAL-KIT-01",
        "quantity": 2.0,
        "cost_price": "48.00",
        "date": asked.posting_date.isoformat(),
        "state": "done",
    }


async def test_a_requisition_is_approved_and_reaches_purchasing(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    context = call()
    reply = await erp.create_requisition(context, requisition(12))
    assert reply.state is RequisitionState.APPROVED
    (posted,) = of(context.idempotency_key, await books.requisitions())
    assert posted["number"] == reply.id
    assert (posted["material"], posted["quantity"]) == ("SEAL-KIT-01", 12.0)
    assert posted["requests"] == ["draft"]


async def test_labour_becomes_a_posted_cost(erp: TrytonConnector, books: Books, call: Call) -> None:
    context = call()
    reply = await erp.post_labour_cost(context, labour("127.50"))
    (posted,) = of(context.idempotency_key, await books.labour_costs())
    assert (posted["number"], posted["account"], posted["amount"]) == (reply.id, "6300", "127.50")


async def test_the_same_key_twice_makes_one_document(erp: TrytonConnector, books: Books, call: Call) -> None:
    await books.set_stock("SEAL-KIT-01", 10)
    context = call()
    first = await erp.post_consumption(context, consumption(2))
    assert await erp.post_consumption(context, consumption(2)) == first
    assert len(of(context.idempotency_key, await books.consumptions())) == 1
    assert await books.stock_on_hand("SEAL-KIT-01") == 8


async def test_six_concurrent_twins_make_one_document(erp: TrytonConnector, books: Books, call: Call) -> None:
    context = call()
    replies = await asyncio.gather(*(erp.post_labour_cost(context, labour()) for _ in range(6)))
    assert len({reply.id for reply in replies}) == 1
    assert len(of(context.idempotency_key, await books.labour_costs())) == 1


async def test_six_concurrent_postings_wait_for_each_other(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    contexts = [call() for _ in range(6)]
    await asyncio.gather(*(erp.create_requisition(context, requisition()) for context in contexts))
    keys = {row["key"] for row in await books.requisitions()}
    assert keys >= {context.idempotency_key for context in contexts}


async def test_another_payload_under_a_known_key_is_refused(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    context = call()
    await erp.create_requisition(context, requisition(12))
    with pytest.raises(BusinessFault) as refused:
        await erp.create_requisition(context, requisition(13))
    assert refused.value.code == "key_conflict"
    with pytest.raises(BusinessFault) as refused:
        await erp.find_create_requisition(context, requisition(13))
    assert refused.value.code == "key_conflict"
    assert [row["quantity"] for row in of(context.idempotency_key, await books.requisitions())] == [12.0]


async def test_a_read_back_finds_what_was_posted_and_only_that(
    erp: TrytonConnector, books: Books, call: Call
) -> None:
    await books.set_stock("SEAL-KIT-01", 10)
    used, wanted, worked = call(), call(), call()
    assert await erp.find_post_consumption(used, consumption()) is None
    assert await erp.find_create_requisition(wanted, requisition()) is None
    assert await erp.find_post_labour_cost(worked, labour()) is None
    movement = await erp.post_consumption(used, consumption())
    ordered = await erp.create_requisition(wanted, requisition())
    cost = await erp.post_labour_cost(worked, labour())
    assert await erp.find_post_consumption(used, consumption()) == movement
    assert await erp.find_create_requisition(wanted, requisition()) == ordered
    assert await erp.find_post_labour_cost(worked, labour()) == cost


@pytest.mark.parametrize(
    "refused",
    [
        ("post_consumption", partial(consumption, 999), "insufficient_stock"),
        ("post_consumption", partial(consumption, material="NO-SUCH"), "unknown_reference"),
        ("post_consumption", partial(consumption, lot="L-1"), "invalid_lot"),
        ("post_consumption", partial(consumption, on=date(2099, 1, 1)), "warning_unaccepted"),
        ("create_requisition", partial(requisition, material="WATER-05"), "mapping_error"),
        ("create_requisition", partial(requisition, site="ELSEWHERE"), "unknown_reference"),
        ("post_labour_cost", partial(labour, on=date(2001, 1, 1)), "closed_period"),
        ("post_labour_cost", partial(labour, currency="USD"), "mapping_error"),
    ],
)
async def test_a_refusal_is_a_business_fault_and_leaves_nothing(
    erp: TrytonConnector, books: Books, call: Call, refused: tuple[str, Callable[[], Value], str]
) -> None:
    operation, request, code = refused
    context = call()
    with pytest.raises(BusinessFault) as raised:
        await getattr(erp, operation)(context, request())
    assert raised.value.code == code
    assert not of(context.idempotency_key, await books.postings())
    rows = [*await books.consumptions(), *await books.requisitions(), *await books.labour_costs()]
    assert not of(context.idempotency_key, rows)
