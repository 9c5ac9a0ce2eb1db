"""No exception of aiohttp, and no status, is left out of the error tree."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
from unittest.mock import Mock

import aiohttp
import pytest

from lineshaft.connectors.tryton.faults import fault_of_answer, fault_of_exception, malformed_answer
from lineshaft.core.errors import (
    BusinessFault,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)

NOTHING_WAS_SENT = {
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ClientConnectorSSLError",
    "ClientConnectorCertificateError",
    "ClientProxyConnectionError",
    "ClientSSLError",
    "ConnectionTimeoutError",
    "ServerFingerprintMismatch",
}
NEVER_VALID = {
    "InvalidURL",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
}
CLIENT_ERRORS = [
    member
    for _, member in inspect.getmembers(aiohttp, inspect.isclass)
    if issubclass(member, aiohttp.ClientError)
]


def raised(kind: type[Exception]) -> Exception:
    """An instance without its constructor: only its class decides."""
    error = kind.__new__(kind)
    Exception.__init__(error, "as raised")
    return error


@pytest.mark.parametrize("kind", CLIENT_ERRORS, ids=lambda kind: kind.__name__)
def test_every_client_error_of_a_write_says_whether_it_can_have_taken_effect(kind: type[Exception]) -> None:
    error = Mock(spec=kind, __str__=lambda _: "as raised")
    fault = fault_of_exception("x", error, writes=True)
    if kind.__name__ in NOTHING_WAS_SENT:
        assert type(fault) is TransientFault
    elif kind.__name__ in NEVER_VALID:
        assert type(fault) is PermanentFault
    else:
        assert type(fault) is OutcomeUnknown


@pytest.mark.parametrize(
    "kind", [TimeoutError, asyncio.IncompleteReadError, ConnectionResetError, ssl.SSLError, RuntimeError]
)
def test_other_errors_leave_a_write_unknown_and_a_read_retryable(kind: type[Exception]) -> None:
    assert type(fault_of_exception("x", raised(kind), writes=True)) is OutcomeUnknown
    assert type(fault_of_exception("x", raised(kind), writes=False)) is TransientFault


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (302, PermanentFault),
        (400, PermanentFault),
        (401, PermanentFault),
        (403, PermanentFault),
        (404, PermanentFault),
        (408, TransientFault),
        (409, BusinessFault),
        (422, PermanentFault),
        (423, TransientFault),
        (429, TransientFault),
        (500, TransientFault),
        (502, OutcomeUnknown),
        (503, TransientFault),
        (504, OutcomeUnknown),
    ],
)
def test_every_status_has_its_reaction(status: int, fault: type[LineshaftError]) -> None:
    assert type(fault_of_answer("x", status, {}, b"text", writes=True)) is fault


def test_a_read_behind_a_failing_gateway_can_be_retried() -> None:
    assert type(fault_of_answer("x", 504, {}, b"", writes=False)) is TransientFault


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("", None)]
)
def test_retry_after_is_honoured(text: str, seconds: float | None) -> None:
    fault = fault_of_answer("x", 429, {"Retry-After": text}, b"", writes=True)
    assert isinstance(fault, TransientFault)
    assert fault.retry_after_s == seconds


@pytest.mark.parametrize(
    ("message", "fault", "code"),
    [
        ("lineshaft:insufficient_stock: short of 2 u", BusinessFault, "insufficient_stock"),
        ("lineshaft:closed_period: 2001", BusinessFault, "closed_period"),
        ("lineshaft:access_denied: group", PermanentFault, "access_denied"),
        ("lineshaft:not_accepted: res.user", PermanentFault, "not_accepted"),
        ("Some text of a Tryton module", BusinessFault, "rejected"),
    ],
)
def test_a_user_error_is_told_by_its_code(message: str, fault: type[LineshaftError], code: str) -> None:
    body = json.dumps({"status": 400, "message": message, "description": "more"}).encode()
    made = fault_of_answer("x", 400, {}, body, writes=True)
    assert type(made) is fault
    assert made.code == code


def test_an_unreadable_answer_leaves_a_write_unknown() -> None:
    for torn in (True, False):
        assert type(malformed_answer("x", b"<html>", writes=True, torn=torn)) is OutcomeUnknown


def test_a_torn_answer_to_a_read_is_asked_for_again_and_a_wrong_one_is_not() -> None:
    assert type(malformed_answer("x", b'{"quan', writes=False, torn=True)) is TransientFault
    assert type(malformed_answer("x", b"[]", writes=False, torn=False)) is PermanentFault
