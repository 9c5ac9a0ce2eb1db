"""Where outgoing calls may go: declared hosts only, and their addresses looked up once and pinned.

An address that was checked is the one that is connected to, so that no name server can answer the check with
one address and the connection with another.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import msgspec

from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault

__all__ = ["Destination", "Destinations", "Resolver", "look_up"]

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) → its addresses as text. raises  OSError"""

_PORTS = {"https": 443, "http": 80}
_ODD = re.compile(r"[^\x21-\x7e]|[\\%]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOK_UP_S = 5.0
_CARRIES_IPV4 = (  # last 32 bits, or those after the first 16, are an IPv4 address that is reached
    (IPv6Network("64:ff9b::/96"), 96),
    (IPv6Network("2002::/16"), 16),
    (IPv6Network("::/96"), 96),
)
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """A place that may be asked. target: path and query.

    exact  it was declared with its port: it may be on a network of ours
    """

    scheme: str
    host: str
    port: int
    target: str
    exact: bool

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


async def look_up(host: str, port: int) -> Sequence[str]:
    """By the resolver of this machine."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Destinations:
    """hosts: as declared under `outgoing.hosts`, none of them: nothing may be called.

    hooks.example.com         https on port 443, at a public address
    hooks.example.com:8443    https on this port, at any address but link-local ones
    http://10.0.4.7:8080      without TLS, which has to be declared with its port
    """

    def __init__(self, hosts: Sequence[str], resolver: Resolver = look_up) -> None:
        """raises  ConfigError with a finding for each entry that is no host"""
        self._resolver = resolver
        self._public: set[str] = set()
        self._exact: set[tuple[str, str, int]] = set()
        findings = []
        for number, entry in enumerate(hosts):
            try:
                self._declare(entry)
            except PermanentFault as fault:
                findings.append(f"outgoing.hosts[{number}] {entry!r}: {fault.message}")
        if findings:
            raise ConfigError("outgoing.hosts has entries that are no hosts", findings=findings)

    def _declare(self, entry: str) -> None:
        has_scheme = "://" in entry
        address, host, port = _parts(entry if has_scheme else f"https://{entry}")
        if address.path or address.query or address.fragment:
            raise _refused("give a host, a host with its port, or scheme, host and port")
        if port is not None:
            self._exact.add((address.scheme, host, port))
        elif has_scheme and address.scheme == "http":
            raise _refused("http has to be declared with its port")
        else:
            self._public.add(host)

    def check(self, url: str) -> Destination:
        """Whether it may be called at all, by what it says.

        raises  PermanentFault, code `destination_refused`
        """
        address, host, given = _parts(url)
        port = given or _PORTS[address.scheme]
        if address.fragment:
            raise _refused(f"{url!r} has a fragment")
        exact = (address.scheme, host, port) in self._exact
        if not exact and not (host in self._public and address.scheme == "https" and port == 443):
            named = f"[{host}]" if ":" in host else host
            tls = address.scheme == "https"
            entry = named if tls and port == 443 else f"{named}:{port}" if tls else f"http://{named}:{port}"
            raise _refused(
                f"{address.scheme}://{named}:{port} is not declared",
                f'add "{entry}" to outgoing.hosts in the settings if it may be called',
            )
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        return Destination(scheme=address.scheme, host=host, port=port, target=target, exact=exact)

    async def address(self, destination: Destination) -> str:
        """The address to connect to, looked up now.

        raises  PermanentFault, code `destination_refused`, when one of its addresses may not be reached;
                TransientFault when it has none
        """
        try:
            async with asyncio.timeout(_LOOK_UP_S):
                found = await self._resolver(destination.host, destination.port)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise TransientFault(
                f"{destination.host} has no address: {error or 'no answer'}", code="unresolved"
            ) from error
        for text in found:
            reason = _reason(text, exact=destination.exact)
            if reason:
                raise _refused(
                    f"{destination.host} is at {text}, {reason}",
                    "declare it under outgoing.hosts with its port if it is a system of yours",
                )
        if not found:
            raise TransientFault(f"{destination.host} has no address", code="unresolved")
        return found[0]


def _parts(url: str) -> tuple[SplitResult, str, int | None]:
    """The URL, its host in lower case, its port as given."""
    if _ODD.search(url.partition("?")[0]) or re.search(r"[^\x21-\x7e]", url):
        raise _refused(f"{url!r} has a blank, control or non-ASCII character, or a \\ or % before its query")
    try:
        address = urlsplit(url)
        port = address.port
    except ValueError as error:
        raise _refused(f"{url!r} is no address: {error}") from error
    if address.scheme not in _PORTS:
        raise _refused(f"{url!r}: {address.scheme or 'no scheme'}; only https and http are called")
    if "@" in address.netloc:
        raise _refused(f"{url.partition('://')[0]}://… has a user in it; secrets do not go into addresses")
    host = (address.hostname or "").removesuffix(".")
    if port == 0 or address.netloc.endswith(":") or not _is_host(host):
        raise _refused(f"{url!r} has no sound host and port", "a name, or an address in its usual form")
    return address, host, port


def _is_host(host: str) -> bool:
    """A name, or an address as it is usually written: what ends in a number in any other way is none."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        return len(host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not _NUMBER.fullmatch(labels[-1])
    return "%" not in host


def _reason(text: str, *, exact: bool) -> str:
    """Why an address may not be reached; empty: it may."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return "which is no address"
    inner = _carried(address)
    if inner is not None:
        reason = _reason(str(inner), exact=False)
        return f"which stands for {inner}, {reason}" if reason else ""
    if address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA:
        return "which is never called: link-local, multicast, none, or a cloud's metadata"
    public = address.is_global and not address.is_reserved and not getattr(address, "is_site_local", False)
    return "" if exact or public else "which is not public"


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    for network, start in _CARRIES_IPV4:
        if address in network and int(address) > 1:
            return IPv4Address((int(address) >> (96 - start)) & 0xFFFFFFFF)
    return None


def _refused(message: str, hint: str = "") -> PermanentFault:
    return PermanentFault(message, code="destination_refused", hint=hint)
