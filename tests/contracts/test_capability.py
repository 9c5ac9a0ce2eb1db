"""One declaration gives client, port, schemas and idempotency keys."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.contracts.capability import Capability, Operation, bind, client, command, query
from lineshaft.contracts.catalogue import CAPABILITIES, Erp, Inventory, Maintenance, operation
from lineshaft.core.errors import ConfigError
from lineshaft.core.ports import Manifest
from lineshaft.core.values import Value
from tests.books import Account, Books, Ledgerman, Posting
from tests.facts import AT, VALUES

EACH = [each for capability in CAPABILITIES.values() for each in capability.operations.values()]
SAMPLES = {type(value): value for value in VALUES}


def test_a_command_without_a_key_is_refused() -> None:
    """It would pass for a query: sent without a claim, and again after a time-out."""
    with pytest.raises(ValueError, match="needs a key"):
        command(key=(), owner="x", entity="x")


@pytest.mark.parametrize("facets", [{"key": ("nothing",)}, {"key": ("reference",), "document": "nothing"}])
def test_a_key_or_document_that_is_no_field_is_refused(facets: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has no field 'nothing'"):

        class _Wrong(Capability, name="wrong", system_kind="x"):
            @command(owner="x", entity="x", **facets)  # type: ignore[arg-type]
            async def post(self, request: Posting) -> Posting: ...  # type: ignore[empty-body]


def test_operations_are_named_by_capability_and_method() -> None:
    assert {each.name for each in EACH} >= {"erp.post_consumption", "maintenance.create_request"}
    for each in EACH:
        assert operation(each.name) is each
    with pytest.raises(KeyError):
        operation("erp.nothing")


@pytest.mark.parametrize("each", EACH, ids=repr)
def test_each_operation_is_whole(each: Operation) -> None:
    assert each.summary
    assert each.owner
    assert each.entity
    request, reply = SAMPLES[each.request], SAMPLES[each.reply]
    if each.is_command:
        assert each.document_number(reply)
        assert each.idempotency_key(request, "erp") == each.idempotency_key(request, "erp")
    if each.emits is not None:
        assert each.emits.data is each.reply


def posting(**changes: object) -> Value:
    return msgspec.structs.replace(SAMPLES[Erp.operations["post_consumption"].request], **changes)


def key_of(request: Value, target: str = "erp", name: str = "post_consumption") -> str:
    return Erp.operations[name].idempotency_key(request, target)


def test_a_key_is_of_the_fact_and_not_of_its_wording() -> None:
    one = key_of(posting())
    assert key_of(posting(cost_center="OTHER")) == one
    for other in (
        posting(maintenance_order_id="MO-2"),
        posting(line=2),
        posting(material_lot_id="L-1"),
        posting(consumption_id="C-2"),
    ):
        assert key_of(other) != one
    assert key_of(posting(), "erp-2") != one


def test_no_lot_is_not_a_lot_named_none() -> None:
    assert key_of(posting(material_lot_id=None)) != key_of(posting(material_lot_id="None"))


def test_operations_do_not_share_keys() -> None:
    signal = next(value for value in VALUES if type(value).__name__ == "CapacitySignal")
    planning = CAPABILITIES["planning"].operations
    keys = {each.idempotency_key(signal, "aps") for each in planning.values()}
    assert len(keys) == len(planning)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters))),
)
def test_one_moment_has_one_key_whatever_its_offset(moment: datetime, zone: timezone) -> None:
    """The CMMS may tell the same booking in winter time now and in UTC tomorrow."""
    labour = next(value for value in VALUES if type(value).__name__ == "LabourPosting")
    utc = moment.replace(tzinfo=AT.tzinfo)
    keys = {
        key_of(msgspec.structs.replace(labour, start_time=start), name="post_labour_cost")
        for start in (utc, utc.astimezone(zone))
    }
    assert len(keys) == 1


PARTS = st.tuples(
    st.text(min_size=1, max_size=5), st.integers(0, 99), st.none() | st.text(max_size=5), st.text(max_size=5)
)


@given(PARTS, PARTS)
def test_other_tuples_have_other_keys(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    names = ("maintenance_order_id", "line", "material_lot_id", "consumption_id")
    keys = [key_of(posting(**dict(zip(names, parts, strict=True)))) for parts in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_a_fingerprint_sees_every_field() -> None:
    fingerprint = Operation.fingerprint
    assert fingerprint(posting()) == fingerprint(posting())
    assert fingerprint(posting()) != fingerprint(posting(cost_center="OTHER"))


async def test_a_client_hands_operation_and_request_over() -> None:
    asked: list[tuple[str, Value]] = []

    async def call(operation: Operation, request: Value) -> object:
        asked.append((operation.name, request))
        return "answer"

    async def other(operation: Operation, request: Value) -> object:
        raise AssertionError

    inventory = client(Inventory, call)
    client(Inventory, other)  # another client of the same capability
    assert isinstance(inventory, Inventory)
    assert await inventory.availability(SAMPLES[Inventory.operations["availability"].request]) == "answer"  # type: ignore[arg-type,comparison-overlap]
    assert [name for name, _ in asked] == ["inventory.availability"]
    assert len({type(client(Erp, call)) for _ in range(100)}) == 1


def test_a_connector_is_bound_to_what_it_promises() -> None:
    assert set(bind(Ledgerman(), {"books": Books})) == {"books.post", "books.balance"}


def test_every_broken_promise_is_named() -> None:
    class Hollow(Ledgerman):
        post = None  # type: ignore[assignment]
        find_post = None  # type: ignore[assignment]

        @property
        def manifest(self) -> Manifest:
            return Manifest(
                name="hollow", title="x", capabilities=["books", "magic"], reads_back=["books.post"]
            )

    with pytest.raises(ConfigError, match="hollow") as caught:
        bind(Hollow(), {"books": Books})
    told = "\n".join(caught.value.findings)
    assert len(caught.value.findings) == 3
    assert all(part in told for part in ("method post", "find_post", "magic"))


def test_a_query_has_no_key_and_a_command_is_no_query() -> None:
    assert not Books.operations["balance"].is_command
    assert Books.operations["post"].is_command
    assert (Books.capability, Books.system_kind) == ("books", "erp")
    assert Maintenance.operations["asset"].document_number(Account(account="x")) == ""
    assert query(owner="x", entity="y") is not None
