"""A call of the ledger as today's mapping would send it."""

from __future__ import annotations

import msgspec
import pytest

from lineshaft.app.sent_form import sent_form
from lineshaft.calls import System
from lineshaft.connectors.rest import RestConnector
from lineshaft.contracts.catalogue import CAPABILITIES
from lineshaft.core.call_policy import CallPolicy
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import PermanentFault
from lineshaft.core.ports import WireMessage
from tests.connectors.rest.rest_facts import maintenance_request, settings

REQUEST = msgspec.json.encode(maintenance_request())


@pytest.fixture
def cmms() -> System:
    connector = RestConnector(settings("cmms", "http://127.0.0.1:1"))
    return System("cmms", connector, CAPABILITIES, CallPolicy(), SystemClock())


def test_it_is_what_the_mapping_makes_of_the_request(cmms: System) -> None:
    message = sent_form([cmms])("cmms", "maintenance.create_request", REQUEST, "key-7")
    assert isinstance(message, WireMessage)
    assert message.method == "POST"
    assert message.address.startswith("/")
    assert (message.body["priority"], message.body["externalRef"]) == ("2-HIGH", "key-7")


def test_an_operation_without_a_body_has_its_address(cmms: System) -> None:
    message = sent_form([cmms])("cmms", "maintenance.asset", b'{"physical_asset_id": "FIL-01"}', "")
    assert isinstance(message, WireMessage)
    assert (message.method, message.body) == ("GET", None)
    assert "FIL-01" in message.address


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("wms", "inventory.reserve", b"{}"), "wms is not connected"),
        (("cmms", "maintenance.forget", b"{}"), "does not offer maintenance.forget"),
        (("cmms", "maintenance.create_request", b'{"rule": 7}'), "contract"),
        (
            ("cmms", "maintenance.create_request", REQUEST.replace(b'"priority":2', b'"priority":9')),
            "priority",
        ),
    ],
)
def test_what_cannot_be_said_says_why(asked: tuple[str, str, bytes], why: str, cmms: System) -> None:
    said = sent_form([cmms])(*asked, "key-7")
    assert isinstance(said, str)
    assert why in said


def test_a_connector_that_keeps_to_itself_is_said_to(cmms: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cmms.connector, "as_sent", None, raising=False)
    said = sent_form([cmms])("cmms", "maintenance.create_request", REQUEST, "key-7")
    assert "protocol of its own" in str(said)


def test_what_is_not_mapped_any_more_is_a_fault() -> None:
    connector = RestConnector(settings("cmms", "http://127.0.0.1:1"))
    with pytest.raises(PermanentFault, match=r"cmms\.yaml"):
        connector.as_sent("inventory.reserve", maintenance_request(), "key-7")
