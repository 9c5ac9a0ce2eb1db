"""Every exception of nats-py, mapped to the reaction it asks for. A test fails on a class that is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import nats.errors as core
import nats.js.errors as js

from lineshaft.core.errors import LineshaftError, PermanentFault, TransientFault

__all__ = ["PERMANENT", "TRANSIENT", "as_fault", "faults_mapped"]

TRANSIENT: frozenset[type[BaseException]] = frozenset(
    {
        asyncio.TimeoutError,
        OSError,
        core.TimeoutError,
        core.NoRespondersError,
        core.StaleConnectionError,
        core.OutboundBufferLimitError,
        core.UnexpectedEOF,
        core.FlushTimeoutError,
        core.ConnectionClosedError,
        core.SlowConsumerError,
        core.NoServersError,
        core.DrainTimeoutError,
        core.ConnectionDrainingError,
        core.ConnectionReconnectingError,
        js.ServiceUnavailableError,
        js.ServerError,
        js.NoStreamResponseError,
        js.TooManyStalledMsgsError,
        js.FetchTimeoutError,
        js.ConsumerSequenceMismatchError,
    }
)

PERMANENT: frozenset[type[BaseException]] = frozenset(
    {
        core.Error,
        core.SecureConnRequiredError,
        core.SecureConnWantedError,
        core.SecureConnFailedError,
        core.BadSubscriptionError,
        core.BadSubjectError,
        core.BadHeaderError,
        core.BadTimeoutError,
        core.AuthorizationError,
        core.JsonParseError,
        core.MaxPayloadError,
        core.InvalidUserCredentialsError,
        core.InvalidCallbackTypeError,
        core.ProtocolError,
        core.ServerNotInPoolError,
        core.NotJSMessageError,
        core.MsgAlreadyAckdError,
        js.Error,
        js.APIError,
        js.NotFoundError,
        js.BadRequestError,
        js.ConsumerInvalidResetError,
        js.BucketNotFoundError,
        js.BadBucketError,
        js.KeyValueError,
        js.KeyDeletedError,
        js.KeyNotFoundError,
        js.KeyWrongLastSequenceError,
        js.NoKeysError,
        js.KeyHistoryTooLargeError,
        js.InvalidKeyError,
        js.InvalidBucketNameError,
        js.InvalidObjectNameError,
        js.BadObjectMetaError,
        js.LinkIsABucketError,
        js.DigestMismatchError,
        js.ObjectNotFoundError,
        js.ObjectDeletedError,
        js.ObjectAlreadyExists,
        js.KeyValueLimitMarkerTTLNotSupportedError,
    }
)

_RETRYABLE_API_CODES = frozenset({408, 429, 500, 503})


def as_fault(error: BaseException, doing: str) -> LineshaftError:
    """The fault that `error` means.

    doing    what was attempted, with its name, e.g. `publish to ls.telemetry.plant1`
    """
    if isinstance(error, LineshaftError):
        return error
    message = f"backbone: {doing} failed: {str(error) or type(error).__name__}"
    if isinstance(error, js.APIError) and error.code in _RETRYABLE_API_CODES:
        return TransientFault(message, hint="the server is busy or recovering; it is tried again")
    for known in type(error).__mro__:
        if known in TRANSIENT:
            return TransientFault(message, hint="is the NATS server up? see nats.log in the data directory")
        if known in PERMANENT:
            return PermanentFault(
                message, hint="trying again cannot help; check the call and the credentials"
            )
    return PermanentFault(message, hint=f"{type(error).__name__} is not known to backbone.faults: report it")


@contextmanager
def faults_mapped(doing: str) -> Iterator[None]:
    """Let nothing of nats-py out of the block."""
    try:
        yield
    except LineshaftError:
        raise
    except (TimeoutError, core.Error, OSError) as error:
        raise as_fault(error, doing) from error
