"""One session with one server: secure channel, user, limits; and what went wrong, in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from lineshaft.connectors.opcua.certificates import Certificates, fingerprint
from lineshaft.connectors.opcua.options import OpcUaOptions
from lineshaft.core.cancelling import cancellation_kept
from lineshaft.core.errors import ConfigError, LineshaftError, PermanentFault, TransientFault

__all__ = ["Limits", "Link", "connected", "fault_of", "well_known"]

T = TypeVar("T")
_PORT = 4840
_SESSION_MS = 60_000
_FAREWELL_S = 2.0
_POLICIES: dict[str, Any] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_LOGIN_REFUSED = {
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadIdentityTokenInvalid,
    StatusCodes.BadIdentityTokenRejected,
}
_WE_ARE_NOT_TRUSTED = {
    StatusCodes.BadSecurityChecksFailed,
    StatusCodes.BadCertificateUntrusted,
    StatusCodes.BadCertificateInvalid,
}
_MOST_PER_CALL = 1_000


class Limits(msgspec.Struct, frozen=True):
    """How many nodes one call may name.  source  OPC 10000-5 §6.3.11 (OperationLimitsType)"""

    items: int = _MOST_PER_CALL
    reads: int = _MOST_PER_CALL
    browses: int = _MOST_PER_CALL


class Link:
    """An open session. What its methods raise is what asyncua raises; `fault_of` gives it a meaning."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.namespaces: list[str] = []
        self.limits = Limits()

    async def send(self, request: Any, *, timeout_s: float | None = None) -> Buffer:
        """The bytes of the answer. timeout_s: 0 waits for ever, None as long as for any answer"""
        protocol = self.client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("the connection is closed")
        with cancellation_kept():
            return await protocol.send_request(request, timeout_s)

    async def ask(self, request: Any, answer: type[T]) -> T:
        response: Any = struct_from_binary(answer, await self.send(request))
        response.ResponseHeader.ServiceResult.check()
        return response  # type: ignore[no-any-return]

    async def read(self, nodes: list[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        """As many calls as the server's limits ask for."""
        values: list[ua.DataValue] = []
        for start in range(0, len(nodes), self.limits.reads):
            part = nodes[start : start + self.limits.reads]
            values += await self.client.uaclient.read_attributes(part, attribute)
        return values

    async def keep_channel(self) -> None:
        """Renew the security token after three quarters of its life, until cancelled.

        source  OPC 10000-4 §5.5.2.1
        """
        while True:
            await asyncio.sleep(self.client.secure_channel_timeout * 0.75 / 1000)
            with cancellation_kept():
                await self.client.open_secure_channel(renew=True)
            self.client.uaclient.revolve_security_token()

    async def look_around(self) -> None:
        """Fills in namespaces and limits."""
        prefix = "Server_ServerCapabilities_OperationLimits_Max"
        names = [f"{prefix}{what}" for what in ("MonitoredItemsPerCall", "NodesPerRead", "NodesPerBrowse")]
        nodes = [
            well_known(ObjectIds.Server_NamespaceArray),
            *(well_known(getattr(ObjectIds, each)) for each in names),
        ]
        asked = [await self.client.uaclient.read_attributes([node], AttributeIds.Value) for node in nodes]
        namespaces, *limits = (values[0].Value.Value if values[0].Value else None for values in asked)
        self.namespaces = [str(uri) for uri in namespaces or []]
        self.limits = Limits(*(min(limit or _MOST_PER_CALL, _MOST_PER_CALL) for limit in limits))


@asynccontextmanager
async def connected(
    options: OpcUaOptions, application_uri: str, folder: Path, certificates: Certificates
) -> AsyncIterator[Link]:
    """folder: where relative paths start. raises what `fault_of` takes"""
    address = urlsplit(options.url)
    url = options.url if address.port else address._replace(netloc=f"{address.netloc}:{_PORT}").geturl()
    client = Client(url, timeout=options.timeout_s)
    client.name = client.description = "lineshaft"
    client.application_uri = application_uri
    client.session_timeout = _SESSION_MS
    try:
        if options.policy != "None":
            await _secure(client, options, application_uri, certificates)
        if options.user:
            client.set_user(options.user)
            client.set_password(options.password)
        if options.user_certificate:
            await client.load_client_certificate(str(folder / options.user_certificate))
            await client.load_private_key(folder / options.user_key)
        await client.connect_socket()
        await client.send_hello()
        await client.open_secure_channel()
        await client.create_session()
        await client.activate_session(
            username=options.user or None,
            password=options.password or None,
            certificate=client.user_certificate,
        )
        link = Link(client)
        await link.look_around()
        yield link
    finally:
        protocol = client.uaclient.protocol
        if protocol is not None and not protocol.is_closed:
            with suppress(Exception):  # the other side may be gone: what matters is that the socket closes
                async with asyncio.timeout(_FAREWELL_S):
                    await client.close_session()
                    await client.close_secure_channel()
        client.disconnect_socket()


async def _secure(
    client: Client, options: OpcUaOptions, application_uri: str, certificates: Certificates
) -> None:
    certificates.make_own(application_uri)
    policy = _POLICIES[options.policy]
    mode = ua.MessageSecurityMode[options.mode]
    offered = await client.connect_and_get_server_endpoints()
    for endpoint in offered:
        if (endpoint.SecurityPolicyUri, endpoint.SecurityMode) == (policy.URI, mode):
            break
    else:
        known = sorted({f"{_short(each.SecurityPolicyUri)} {each.SecurityMode.name}" for each in offered})
        raise PermanentFault(
            f"{options.url} does not offer policy {options.policy} with mode {options.mode}",
            code="no_such_policy",
            hint=f"it offers: {', '.join(known)}",
        )
    server = _first_of_chain(endpoint.ServerCertificate or b"")
    certificates.check_server(server, options.url)
    await client.set_security(
        policy,
        certificate=str(certificates.own),
        private_key=str(certificates.key),
        server_certificate=CertProperties(server, "der"),
        mode=mode,
    )


def fault_of(error: BaseException, options: OpcUaOptions, certificates: Certificates) -> LineshaftError:
    """What any failure of a connection means. PermanentFault: a person has to act."""
    if isinstance(error, LineshaftError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return fault_of(error.exceptions[0], options, certificates)
    if isinstance(error, UaStatusCodeError):
        return _refusal(error.code, options, certificates)
    if isinstance(error, FileNotFoundError):
        return ConfigError(f"{error.filename} cannot be read", hint="correct the path in the options")
    said = f"no answer within {options.timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
    return TransientFault(f"OPC UA server {options.url}: {said or type(error).__name__}")


def _refusal(code: int, options: OpcUaOptions, certificates: Certificates) -> LineshaftError:
    where, name = f"OPC UA server {options.url}", ua.StatusCode(ua.UInt32(code)).name
    if code in _LOGIN_REFUSED:
        who = options.user or options.user_certificate or "an anonymous user"
        return PermanentFault(
            f"{where} refuses the login of {who}: {name}",
            code="login_refused",
            hint="correct user and password, or the rights at the server",
        )
    if code in _WE_ARE_NOT_TRUSTED and options.policy != "None":
        return PermanentFault(
            f"{where} does not trust us: {name}; the SHA-256 fingerprint of our certificate is "
            f"{fingerprint(certificates.own.read_bytes())}",
            code="not_trusted",
            hint=f"have {certificates.own} trusted at the server",
        )
    return TransientFault(f"{where}: {name}")


def well_known(number: int) -> ua.NodeId:
    """A node of the standard namespace."""
    return ua.NodeId(ua.Int32(number))


def _short(policy_uri: str | None) -> str:
    return (policy_uri or "").rpartition("#")[2]


def _first_of_chain(der: bytes) -> bytes:
    """Servers may append the issuers; the outermost DER length says where the first one ends."""
    return der[: int.from_bytes(der[2:4], "big") + 4] if der[:2] == b"\x30\x82" else der
